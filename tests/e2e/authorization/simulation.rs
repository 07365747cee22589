//! Who could do what, now and before, and what a policy would have changed.

use super::*;

const SIMULATE: &str = "/api/v1/policy/simulate";

async fn simulate(server: &Server, question: Value) -> Value {
    server.post(SIMULATE, &question).await.expect(StatusCode::OK)
}

/// Those who could read the audit trail of alpha, by name, each with the policies that permit it.
async fn readers(server: &Server, at: &Value) -> Vec<(String, Vec<String>)> {
    let resource = json!({"kind": "organization", "name": "alpha"});
    let answer = simulate(server, json!({"permission": "audit:read", "resource": resource, "at": at})).await;
    let holders = answer["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] == "user");
    let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
    holders.map(|holder| (holder["name"].as_str().unwrap().to_owned(), owned(ids(&holder["policies"])))).collect()
}

async fn position(server: &Server) -> Value {
    simulate(server, json!({"permission": "audit:read"})).await["position"].clone()
}

#[tokio::test]
async fn who_could_do_something_now_and_at_a_past_position() {
    let server = Server::start().await;
    let ann = Person::new(&server, "ann", Some("alpha"), json!([]), &["read"]).await;
    let bob = Person::new(&server, "bob", Some("beta"), json!([{"role": "auditor"}]), &["read"]).await;
    let before = position(&server).await;
    let role = json!({"role": "auditor", "organization": "alpha"});
    server.post(&ann.roles(), &role).await.expect(StatusCode::OK);
    let with_both = position(&server).await;
    server.post(&format!("/api/v1/users/{}/suspend", bob.id), &json!({})).await.expect(StatusCode::OK);
    let forbid = format!("forbid (principal == User::\"{}\", action, resource);", ann.id);
    let policy = server.send(Method::PUT, "/api/v1/policies/not-ann", &json!({"text": forbid})).await;
    policy.expect(StatusCode::OK);

    let auditor = || vec!["builtin:auditor".to_owned()];
    assert_eq!(readers(&server, &Value::Null).await, []);
    assert_eq!(readers(&server, &before).await, [("bob".to_owned(), auditor())]);
    let mut both = readers(&server, &with_both).await;
    both.sort();
    assert_eq!(both, [("ann".to_owned(), auditor()), ("bob".to_owned(), auditor())]);
    server.send(Method::DELETE, "/api/v1/policies/not-ann", &Value::Null).await;
    assert_eq!(readers(&server, &Value::Null).await, [("ann".to_owned(), auditor())]);
    // What is now was then, once it is past.
    let now = position(&server).await;
    for permission in ["audit:read", "tokens:write", "events:write"] {
        let present = simulate(&server, json!({"permission": permission})).await;
        let past = simulate(&server, json!({"permission": permission, "at": now})).await;
        let sorted = |answer: &Value| {
            let mut holders: Vec<String> = answer["holders"].as_array().unwrap().iter().map(Value::to_string).collect();
            holders.sort();
            holders
        };
        assert_eq!(sorted(&present), sorted(&past));
        assert!(!sorted(&present).is_empty(), "the admin token may {permission}");
    }
    for wrong in [json!(1_000_000), json!("1.2"), json!("soon"), json!([])] {
        let refused = server.post(SIMULATE, &json!({"permission": "audit:read", "at": wrong})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}: {}", refused.request, refused.text);
    }
    assert_eq!(server.post(SIMULATE, &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert!(!server.events("type:audit.queried data.endpoint:simulate").await.is_empty());
}

#[tokio::test]
async fn what_a_policy_would_have_changed() {
    let server = Server::start().await;
    let bob = Person::new(&server, "bob", None, json!([{"role": "auditor"}]), &["read"]).await;
    let carl = Person::new(&server, "carl", None, json!([]), &["read"]).await;
    for _ in 0..3 {
        bob.gets(&server, "/api/v1/audit/events").await.expect(StatusCode::OK);
    }
    assert_eq!(carl.gets(&server, "/api/v1/audit/events").await.status, StatusCode::FORBIDDEN);

    let forbid = "forbid (principal is User, action == Action::\"audit:read\", resource);";
    let answer = simulate(&server, json!({"policies": [forbid]})).await;
    assert_eq!((&answer["newly_denied"], &answer["newly_allowed"]), (&json!(3), &json!(0)), "{answer}");
    assert_eq!((&answer["complete"], answer["changes"].as_array().unwrap().len()), (&json!(true), 1));
    let change = &answer["changes"][0];
    assert_eq!((&change["principal_id"], &change["count"]), (&json!(bob.id), &json!(3)));
    assert_eq!(ids(&change["before"]), ["builtin:auditor"]);
    assert_eq!(change["after"], json!([{"id": "proposed-1", "version": 1}]));

    let permit = format!("permit (principal == User::\"{}\", action == Action::\"audit:read\", resource);", carl.id);
    let answer = simulate(&server, json!({"policies": [{"id": "for-carl", "text": permit}]})).await;
    assert_eq!((&answer["newly_denied"], &answer["newly_allowed"]), (&json!(0), &json!(1)), "{answer}");
    assert_eq!(answer["changes"][0]["after"], json!([{"id": "for-carl", "version": 1}]));
    let nothing = simulate(&server, json!({"custom_roles": [{"name": "idle", "permissions": []}]})).await;
    assert_eq!((&nothing["newly_denied"], &nothing["changes"]), (&json!(0), &json!([])));

    let broken = server.post(SIMULATE, &json!({"policies": ["permit (principal; action, resource);"]})).await;
    assert_eq!(broken.expect(StatusCode::BAD_REQUEST)["line"], 1);
    assert_eq!(server.events("type:policy.published").await.len(), 0);
}

//! Published policies.

use super::*;

const POLICY: &str = "/api/v1/policies/no-exports";

async fn publish(server: &Server, text: &str) -> Answer {
    server.send(Method::PUT, POLICY, &json!({"text": text})).await
}

#[tokio::test]
async fn a_published_forbid_beats_everything_and_is_versioned() {
    let server = Server::start().await;
    let owner = Person::new(&server, "olga", None, json!([{"role": "owner"}]), &["admin"]).await;
    let export = async || owner.gets(&server, "/api/v1/audit/export?q=type:user.created").await.status;
    assert_eq!(export().await, StatusCode::OK);
    let forbid = "forbid (principal is User, action == Action::\"audit:export\", resource);";
    let first = publish(&server, forbid).await.expect(StatusCode::OK);
    assert_eq!((&first["version"], &first["warnings"]), (&json!(1), &json!([])));
    assert_eq!(export().await, StatusCode::FORBIDDEN);
    let refused = server.events("type:token.refused data.needed:\"audit:export\"").await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["policies"], json!([{"id": "no-exports", "version": 1}]));
    assert_eq!(refused[0]["actor"]["id"], json!(owner.id));

    let same = publish(&server, forbid).await.expect(StatusCode::OK);
    assert_eq!(same["version"], 1, "what applies already is not published again");
    let wider = "forbid (principal is User, action in Action::\"audit\", resource);";
    assert_eq!(publish(&server, wider).await.expect(StatusCode::OK)["version"], 2);
    assert_eq!(owner.gets(&server, "/api/v1/audit/events").await.status, StatusCode::FORBIDDEN);
    let withdrawn = server.send(Method::DELETE, POLICY, &Value::Null).await;
    assert_eq!(withdrawn.status, StatusCode::NO_CONTENT);
    assert_eq!(export().await, StatusCode::OK);
    assert_eq!(publish(&server, forbid).await.expect(StatusCode::OK)["version"], 3);

    let shown = server.get(POLICY, &[]).await;
    let versions = shown["versions"].as_array().unwrap();
    let texts: Vec<&str> = versions.iter().map(|version| version["text"].as_str().unwrap()).collect();
    assert_eq!((texts, &shown["in_force"]), (vec![forbid, wider, forbid], &json!(true)));
    let all = server.get("/api/v1/policies", &[]).await;
    assert_eq!(ids(&all["items"]), ["no-exports"]);
    assert!(ids(&all["built_in"]).contains(&"builtin:owner"), "{all}");
    let published = server.events("type:policy.published").await;
    assert_eq!(published.len(), 3);
    assert!(published.iter().all(|event| ids(&event["policies"]) == ["builtin:scopes"]));
}

#[tokio::test]
async fn a_broken_policy_is_refused_with_its_place() {
    let server = Server::start().await;
    let unknown = "permit (principal, action == Action::\"users:read\", resource);\n\
                   forbid (principal, action == Action::\"users:fly\", resource);";
    for (text, line) in [
        (unknown, 2),
        ("permit (principal; action, resource);", 1),
        ("\n\npermit (principal is Person, action, resource);", 3),
    ] {
        let refused = publish(&server, text).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused["line"], line, "{refused}");
        assert!(refused["column"].is_u64() && refused["findings"][0]["message"].is_string(), "{refused}");
    }
    assert_eq!(server.send(Method::GET, POLICY, &Value::Null).await.status, StatusCode::NOT_FOUND);
    // Nobody shuts themselves out.
    let everything = publish(&server, "forbid (principal, action, resource);").await;
    assert_eq!(everything.status, StatusCode::CONFLICT, "{}", everything.text);
    assert_eq!(server.events("type:policy.published").await.len(), 0);
}

#[tokio::test]
async fn an_organization_may_be_hidden_from_everyone_else() {
    let server = Server::start().await;
    for name in ["board", "staff"] {
        server.post("/api/v1/organizations", &json!({"name": name})).await.expect(StatusCode::CREATED);
    }
    let auditor = Person::new(&server, "ann", Some("staff"), json!([{"role": "auditor"}]), &["read"]).await;
    let hidden = Person::new(&server, "bob", Some("board"), json!([]), &["read"]).await;
    publish(&server, "forbid (principal is User, action, resource in Organization::\"board\");")
        .await
        .expect(StatusCode::OK);
    let users = auditor.gets(&server, "/api/v1/users").await.expect(StatusCode::OK);
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "{users}");
    let one = auditor.gets(&server, &format!("/api/v1/users/{}", hidden.id)).await;
    assert_eq!(one.status, StatusCode::NOT_FOUND);
    let events = auditor.gets(&server, "/api/v1/audit/events?q=type:user.created").await.expect(StatusCode::OK);
    assert!(!events.to_string().contains(&hidden.id), "{events}");
}

//! Users, groups, everyone and nobody.

use chancery_tests::Provider;

use super::*;

async fn give(api: &Api, template: &str, kind: &str, id: Option<&str>, permission: &str) -> Answer {
    let order = json!({"subject_kind": kind, "subject_id": id, "permission": permission, "reason": "their job"});
    api.send(Method::PUT, &format!("{template}/access"), &order).await
}

async fn take(api: &Api, template: &str, kind: &str, id: Option<&str>) -> Answer {
    let order = json!({"subject_kind": kind, "subject_id": id, "reason": "left"});
    api.send(Method::DELETE, &format!("{template}/access"), &order).await
}

#[tokio::test]
async fn who_was_given_a_template_sees_it_and_for_others_it_is_not_there() {
    let server = start().await;
    let (go, rust) = (template(&server, "go", json!({})).await, template(&server, "rust", json!({})).await);
    version(&server, &go, "v1").await;
    let ann = Person::new(&server, "ann", "acme", None).await;
    let bob = Person::new(&server, "bob", "beta", None).await;
    let eve = Person::new(&server, "eve", "acme", None).await;
    assert_eq!(ann.sees().await, Vec::<String>::new());
    for path in [go.clone(), format!("{go}/versions"), format!("{go}/versions/v1/files"), format!("{go}/access")] {
        assert_eq!(ann.gets(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }

    give(&server, &go, "user", Some(&ann.id), "use").await.expect(StatusCode::OK);
    assert_eq!(ann.sees().await, [go.as_str()]);
    for path in [go.clone(), format!("{go}/versions"), format!("{go}/versions/v1"), format!("{go}/versions/v1/files")] {
        assert_eq!(ann.gets(&path).await.status, StatusCode::OK, "{path}");
    }
    // Who uses it neither changes it nor learns who else does.
    assert_eq!(ann.gets(&format!("{go}/access")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.asks(Method::PATCH, &go, json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.asks(Method::DELETE, &go, json!({})).await.status, StatusCode::FORBIDDEN);
    let made = ann.asks(Method::POST, "/api/v1/templates", json!({"name": "x", "organization": "acme"})).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.gets(&rust).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.asks(Method::PATCH, &rust, json!({})).await.status, StatusCode::NOT_FOUND);

    give(&server, &go, "user", Some(&ann.id), "admin").await.expect(StatusCode::OK);
    let access = ann.gets(&format!("{go}/access")).await.expect(StatusCode::OK);
    assert_eq!(access["items"].as_array().unwrap().len(), 1, "one right at a time: {access}");
    ann.asks(Method::PATCH, &go, json!({"description": "hers"})).await.expect(StatusCode::OK);

    // Nobody of another organization, however it is asked for.
    let foreign = give(&server, &go, "user", Some(&bob.id), "use").await;
    let unknown = give(&server, &go, "user", Some("nobody"), "use").await;
    assert_eq!((foreign.status, unknown.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(foreign.body["detail"], unknown.body["detail"]);

    give(&server, &rust, "everyone", None, "use").await.expect(StatusCode::OK);
    assert_eq!((eve.sees().await, bob.sees().await.len()), (vec![rust.clone()], 0));
    assert_eq!(bob.gets(&rust).await.status, StatusCode::NOT_FOUND);
    take(&server, &rust, "everyone", None).await.expect(StatusCode::OK);
    assert_eq!(eve.gets(&rust).await.status, StatusCode::NOT_FOUND);

    let before = told(&server, &go).await.len();
    give(&server, &go, "user", Some(&ann.id), "admin").await.expect(StatusCode::OK);
    take(&server, &go, "user", Some(&eve.id)).await.expect(StatusCode::OK);
    assert_eq!(told(&server, &go).await.len(), before, "what changes nothing leaves nothing");
    take(&server, &go, "user", Some(&ann.id)).await.expect(StatusCode::OK);
    assert_eq!(ann.sees().await, Vec::<String>::new());
    let revoked = server.events("type:template.access.revoked reason:left").await;
    let change = json!([{"path": format!("access.user.{}", ann.id), "old": "admin", "new": null}]);
    assert_eq!(revoked.last().unwrap()["changes"], change);
}

#[tokio::test]
async fn a_group_is_given_a_template_and_its_members_use_it_while_they_are_members() {
    let server = start().await;
    let go = template(&server, "go", json!({})).await;
    let idp = Provider::connect(&server, json!({"organizations": ["acme"]})).await;
    let id = idp.user("dee", json!({})).await;
    let group = idp.group("gophers", std::slice::from_ref(&id)).await;
    let dee = Person::of(&server, id).await;
    assert_eq!(dee.gets(&go).await.status, StatusCode::NOT_FOUND);
    give(&server, &go, "group", Some(&group), "use").await.expect(StatusCode::OK);
    assert_eq!(dee.sees().await, [go.as_str()]);
    let asked = json!({
        "permission": "templates:use", "resource": {"kind": "template", "id": go.rsplit('/').next().unwrap()},
    });
    let holders = async |at: Option<&Value>| {
        let mut question = asked.clone();
        question["at"] = at.cloned().unwrap_or_default();
        let answer = server.post("/api/v1/policy/simulate", &question).await.expect(StatusCode::OK);
        let holders = answer["holders"].as_array().unwrap().clone();
        let users = holders.iter().filter(|holder| holder["kind"] == "user");
        (users.map(|holder| holder["name"].clone()).collect::<Vec<_>>(), answer["position"].clone())
    };
    let (users, then) = holders(None).await;
    assert_eq!(users, [json!("dee")]);
    let left = idp.patch(&format!("/Groups/{group}"), json!([{"op": "remove", "path": "members"}])).await;
    assert!(left.status.is_success(), "{}", left.text);
    assert_eq!(dee.gets(&go).await.status, StatusCode::NOT_FOUND);
    assert_eq!(holders(None).await.0, Vec::<Value>::new());
    assert_eq!(holders(Some(&then)).await.0, [json!("dee")], "who could then is known");

    let other = Provider::connect(&server, json!({"organizations": ["beta"]})).await.group("others", &[]).await;
    assert_eq!(give(&server, &go, "group", Some(&other), "use").await.status, StatusCode::NOT_FOUND);
    for order in [
        json!({"subject_kind": "role", "subject_id": "x", "permission": "use"}),
        json!({"subject_kind": "user", "permission": "use"}),
        json!({"subject_kind": "everyone", "subject_id": "beta", "permission": "use"}),
        json!({"subject_kind": "user", "subject_id": "x", "permission": "own"}),
    ] {
        let refused = server.send(Method::PUT, &format!("{go}/access"), &order).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{order}");
    }
}

/// Other systems report templates: they are seen, and neither changed nor used to gain anything.
#[tokio::test]
async fn templates_of_other_systems_are_seen_and_not_changed() {
    let server = start().await;
    let event = |number: u32, event_type: &str, id: &str, details: Value| {
        json!({
            "specversion": "1.0", "id": format!("t-{number}"), "source": "/coder", "type": event_type,
            "subject": format!("template/{id}"),
            "data": {"actor": {"id": "a"}, "organization": "acme", "details": details},
        })
    };
    let eve = Person::new(&server, "eve", "acme", None).await;
    let go = template(&server, "go", json!({})).await;
    let id = go.rsplit('/').next().unwrap();
    let access = json!({"subject_kind": "user", "subject_id": eve.id, "permission": "admin"});
    let pushed = json!({"version_id": "evil", "version_name": "evil", "sha256": "00", "size_bytes": 1});
    let batch = json!([
        event(1, "template.created", "theirs", json!({"name": "theirs"})),
        event(2, "template.access.granted", "theirs", access.clone()),
        event(3, "template.access.granted", id, access),
        event(4, "template.version.pushed", id, pushed.clone()),
        event(5, "template.version.pushed", "theirs", pushed),
        event(6, "template.deleted", id, json!({})),
    ]);
    assert_eq!(server.ingest(&batch).await.1["created"], 6);
    server.folded().await;
    assert_eq!(server.get("/api/v1/templates/theirs", &[]).await["own"], json!(false));
    assert_eq!(server.get(&go, &[]).await["status"], "active");
    assert_eq!(server.get(&format!("{go}/versions"), &[]).await["items"], json!([]));
    assert_eq!(eve.sees().await, Vec::<String>::new());
    let changed = server.send(Method::PATCH, "/api/v1/templates/theirs", &json!({"description": "ours"})).await;
    assert_eq!(changed.status, StatusCode::CONFLICT);
    let files = server.request(Method::GET, "/api/v1/templates/theirs/versions/evil/files").send().await.unwrap();
    assert!([StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&files.status()), "{}", files.status());
}

//! Roles, deployment-wide and in one organization; what they reach, and who may give them.

use super::*;

const AUDIT: &str = "/api/v1/audit/events?q=source:%22/test%22";

/// Two organizations with a workspace each.
async fn two_organizations(server: &Server) {
    for name in ["alpha", "beta"] {
        server.post("/api/v1/organizations", &json!({"name": name})).await.expect(StatusCode::CREATED);
        let event = json!([{
            "specversion": "1.0", "id": format!("{name}-1"), "source": "/test", "type": "workspace.created",
            "subject": format!("workspace/{name}-1"),
            "data": {
                "actor": {"id": "someone"}, "organization": name, "details": {"owner_id": "someone"},
                "resource": {"kind": "workspace", "id": format!("{name}-1"), "name": format!("{name}-1")},
            },
        }]);
        assert_eq!(server.ingest(&event).await.1["created"], 1);
    }
    let taken = server.post("/api/v1/organizations", &json!({"name": "alpha"})).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_role_in_an_organization_reaches_nothing_of_another() {
    let server = Server::start().await;
    two_organizations(&server).await;
    let role = json!([{"role": "auditor", "organization": "alpha"}]);
    let auditor = Person::new(&server, "ann", Some("alpha"), role, &["read"]).await;
    let stranger = Person::new(&server, "bob", Some("beta"), json!([]), &["read"]).await;

    let found = auditor.gets(&server, AUDIT).await.expect(StatusCode::OK);
    assert_eq!((found["events"].as_array().unwrap().len(), &found["events"][0]["id"]), (1, &json!("alpha-1")));
    let one = auditor.gets(&server, "/api/v1/audit/events/beta-1").await;
    assert_eq!(one.status, StatusCode::NOT_FOUND);
    let count = auditor.gets(&server, "/api/v1/audit/aggregate?q=source:%22/test%22").await.expect(StatusCode::OK);
    assert_eq!(count["rows"], json!([[1]]));
    let sql = json!({"query": "SELECT organization, count(*) FROM events WHERE source = '/test' GROUP BY 1"});
    let sql = auditor.posts(&server, "/api/v1/audit/sql", sql).await.expect(StatusCode::OK);
    assert_eq!(sql["rows"], json!([["alpha", 1]]));
    let export = auditor.gets(&server, "/api/v1/audit/export?q=source:%22/test%22").await;
    assert!(export.text.contains("alpha-1") && !export.text.contains("beta"), "{}", export.text);

    for (list, expected) in [("users", &auditor.id), ("workspaces", &"alpha-1".to_owned())] {
        let rows = auditor.gets(&server, &format!("/api/v1/{list}?limit=1")).await.expect(StatusCode::OK);
        assert_eq!(rows["items"].as_array().unwrap().len(), 1, "{rows}");
        assert_eq!(rows["items"][0]["id"], json!(expected));
        let after = format!("/api/v1/{list}?limit=1&after={}", rows["next"].as_str().unwrap());
        assert_eq!(auditor.gets(&server, &after).await.expect(StatusCode::OK)["items"], json!([]));
    }
    let organizations = auditor.gets(&server, "/api/v1/organizations").await.expect(StatusCode::OK);
    assert_eq!(organizations["items"].as_array().unwrap().len(), 1, "{organizations}");
    let own = auditor.gets(&server, &format!("/api/v1/users/{}", auditor.id)).await.expect(StatusCode::OK);
    assert_eq!(own["roles"], json!([{"role": "auditor", "organization": "alpha", "by_group": false}]));
    for path in ["", "/roles"] {
        let other = auditor.gets(&server, &format!("/api/v1/users/{}{path}", stranger.id)).await;
        assert_eq!(other.status, StatusCode::NOT_FOUND, "{}", other.request);
    }
    let tokens = auditor.gets(&server, "/api/v1/tokens").await.expect(StatusCode::OK);
    let owners: Vec<&Value> = tokens.as_array().unwrap().iter().map(|token| &token["owner"]["id"]).collect();
    assert_eq!(owners, [&json!(auditor.id)], "one's own, and no others");
    for path in ["/api/v1/policies", "/api/v1/lake"] {
        assert_eq!(auditor.gets(&server, path).await.status, StatusCode::FORBIDDEN, "{path}");
    }

    let everywhere = Person::new(&server, "eve", None, json!([{"role": "auditor"}]), &["read"]).await;
    let found = everywhere.gets(&server, AUDIT).await.expect(StatusCode::OK);
    assert_eq!(found["events"].as_array().unwrap().len(), 2);
    let users = everywhere.gets(&server, "/api/v1/users").await.expect(StatusCode::OK);
    assert_eq!(users["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_a_role_gives_works_at_once_and_ends_at_once() {
    let server = Server::start().await;
    let ann = Person::new(&server, "ann", None, json!([]), &["read"]).await;
    let (role, status) = (json!({"role": "auditor"}), async || ann.gets(&server, AUDIT).await.status);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    server.post(&ann.roles(), &role).await.expect(StatusCode::OK);
    assert_eq!(status().await, StatusCode::OK);
    // The scopes of a token only take away.
    let writer = Person { token: Person::token(&server, &ann.id, &["ingest"]).await, id: ann.id.clone() };
    assert_eq!(writer.gets(&server, AUDIT).await.status, StatusCode::FORBIDDEN);
    let batch = json!([]);
    assert_eq!(writer.posts(&server, "/api/v1/events", batch).await.status, StatusCode::FORBIDDEN);

    server.send(Method::DELETE, &ann.roles(), &role).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    let again = server.send(Method::DELETE, &ann.roles(), &role).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    let owner = Person::new(&server, "olga", None, json!([{"role": "owner"}]), &["admin"]).await;
    assert_eq!(owner.gets(&server, AUDIT).await.status, StatusCode::OK);
    let suspend = format!("/api/v1/users/{}/suspend", owner.id);
    let suspended = server.post(&suspend, &json!({"reason": "left"})).await.expect(StatusCode::OK);
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(owner.gets(&server, AUDIT).await.status, StatusCode::UNAUTHORIZED);
    let event = &server.events("type:user.suspended").await[0];
    assert_eq!((&event["reason"], ids(&event["policies"])), (&json!("left"), vec!["builtin:scopes"]));
    let caused = server.events(&format!("type:token.revoked causation:{}", event["id"].as_str().unwrap())).await;
    assert_eq!(caused.len(), 1);
    let back = format!("/api/v1/users/{}/reactivate", owner.id);
    assert_eq!(server.post(&back, &Value::Null).await.expect(StatusCode::OK)["status"], "active");
    assert_eq!(owner.gets(&server, AUDIT).await.status, StatusCode::UNAUTHORIZED, "a revoked token stays revoked");
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let server = Server::start().await;
    two_organizations(&server).await;
    let role = json!([{"role": "user-admin", "organization": "alpha"}]);
    let admin = Person::new(&server, "ann", Some("alpha"), role, &["admin"]).await;
    let colleague = Person::new(&server, "bob", Some("alpha"), json!([]), &["read"]).await;
    let stranger = Person::new(&server, "carl", Some("beta"), json!([]), &["read"]).await;
    for (role, organization, expected) in [
        ("member", Some("alpha"), StatusCode::OK),
        ("user-admin", Some("alpha"), StatusCode::OK),
        ("owner", Some("alpha"), StatusCode::FORBIDDEN),
        ("auditor", Some("alpha"), StatusCode::FORBIDDEN),
        ("member", Some("beta"), StatusCode::FORBIDDEN),
        ("member", None, StatusCode::FORBIDDEN),
        ("member", Some(""), StatusCode::BAD_REQUEST),
        ("no-such-role", Some("alpha"), StatusCode::NOT_FOUND),
    ] {
        let grant = json!({"role": role, "organization": organization});
        let answer = admin.posts(&server, &colleague.roles(), grant).await;
        assert_eq!(answer.status, expected, "{}: {}", answer.request, answer.text);
    }
    let own = admin.posts(&server, &admin.roles(), json!({"role": "owner"})).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let foreign = admin.posts(&server, &stranger.roles(), json!({"role": "member", "organization": "alpha"})).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    for (organization, expected) in [("alpha", StatusCode::CREATED), ("beta", StatusCode::FORBIDDEN)] {
        let user = json!({"username": format!("new-in-{organization}"), "organization": organization});
        assert_eq!(admin.posts(&server, "/api/v1/users", user).await.status, expected, "{organization}");
    }
    let powerful = json!({"username": "dora", "organization": "alpha", "roles": [{"role": "owner"}]});
    assert_eq!(admin.posts(&server, "/api/v1/users", powerful).await.status, StatusCode::FORBIDDEN);
    // Nor does anyone take access from those who have more.
    let grant = json!({"role": "owner", "organization": "alpha"});
    server.post(&colleague.roles(), &grant).await.expect(StatusCode::OK);
    let suspend = format!("/api/v1/users/{}/suspend", colleague.id);
    assert_eq!(admin.posts(&server, &suspend, json!({})).await.status, StatusCode::FORBIDDEN);

    let stopped = server.events(&format!("type:token.refused actor.id:\"{}\"", admin.id)).await;
    assert!(stopped.len() >= 7, "{stopped:?}");
    assert!(stopped.iter().all(|event| event["outcome"] == "denied" && event["data"]["needed"] == "users:write"));
    let given = server.events(&format!("type:role.assigned actor.id:\"{}\"", admin.id)).await;
    let policies: Vec<Vec<&str>> = given.iter().map(|event| ids(&event["policies"])).collect();
    assert_eq!(policies, [["builtin:user-admin"], ["builtin:user-admin"]]);
}

#[tokio::test]
async fn a_custom_role_gives_what_it_is_defined_to_give() {
    let server = Server::start().await;
    let define = async |permissions: Value| {
        server.send(Method::PUT, "/api/v1/roles/help-desk", &json!({"permissions": permissions})).await
    };
    assert_eq!(define(json!(["users:fly"])).await.status, StatusCode::BAD_REQUEST);
    let defined = define(json!(["users:read", "tokens:read"])).await.expect(StatusCode::OK);
    assert_eq!(defined["in_organization"], json!(["users:read"]), "tokens are in no organization");
    let owner = server.send(Method::PUT, "/api/v1/roles/owner", &json!({"permissions": ["users:read"]})).await;
    assert_eq!(owner.status, StatusCode::BAD_REQUEST);
    let roles = server.get("/api/v1/roles", &[]).await;
    assert_eq!(roles["items"].as_array().unwrap().len(), 6, "{roles}");

    let ann = Person::new(&server, "ann", None, json!([{"role": "help-desk"}]), &["read"]).await;
    assert_eq!(ann.gets(&server, "/api/v1/users").await.status, StatusCode::OK);
    assert_eq!(ann.gets(&server, "/api/v1/groups").await.status, StatusCode::FORBIDDEN);
    define(json!(["groups:read"])).await.expect(StatusCode::OK);
    assert_eq!(ann.gets(&server, "/api/v1/users").await.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.gets(&server, "/api/v1/groups").await.status, StatusCode::OK);
    let withdrawn = server.send(Method::DELETE, "/api/v1/roles/help-desk", &Value::Null).await;
    assert_eq!(withdrawn.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.gets(&server, "/api/v1/groups").await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.events("type:role.defined").await.len(), 2);

    // Whoever defines a role needs what it gives.
    define(json!(["roles:read", "roles:write"])).await.expect(StatusCode::OK);
    let keeper = Person::new(&server, "kim", None, json!([{"role": "help-desk"}]), &["admin"]).await;
    let more = json!({"permissions": ["roles:read", "roles:write", "policies:write"]});
    let more = keeper.asks(&server, Method::PUT, "/api/v1/roles/help-desk", more).await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "{}", more.text);
}

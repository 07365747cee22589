//! Members of groups by hand: with a reason, and until a moment.

use super::*;

#[tokio::test]
async fn a_member_joins_with_a_reason_until_a_moment_and_leaves() {
    let (server, _) = started().await;
    let (ada, ops) = (user(&server, "ada").await, group(&server, "ops").await);
    let path = format!("/api/v1/groups/{ops}/members/{ada}");
    let put = async |body: Value| server.send(Method::PUT, &path, &body).await;
    let until = json!({"reason": "ticket 4711", "expires_at": "2999-01-01T00:00:00Z"});
    let member = put(until.clone()).await.expect(StatusCode::OK);
    assert_eq!((&member["id"], &member["name"]), (&json!(ada), &json!("ada")));
    put(until).await.expect(StatusCode::OK);
    let added = server.events("type:group.member.added").await;
    assert_eq!(added.len(), 1, "what is so already is no event");
    assert_eq!((&added[0]["reason"], &added[0]["data"]["user_id"]), (&json!("ticket 4711"), &json!(ada)));
    assert!(added[0]["data"]["expires_at"].as_str().unwrap().starts_with("2999-01-01T00:00:00"));
    let shown = shown(&server, &ops).await;
    assert_eq!((&shown["member_count"], ids(&shown["members"]["items"])), (&json!(1), vec![ada.as_str()]));

    // For good now.
    assert_eq!(put(json!({})).await.expect(StatusCode::OK)["expires_at"], Value::Null);
    refused(put(json!({"expires_at": "2001-01-01T00:00:00Z"})).await, StatusCode::BAD_REQUEST, "future");
    refused(put(json!({"until": "tomorrow"})).await, StatusCode::BAD_REQUEST, "until");
    let left = server.send(Method::DELETE, &path, &json!({"reason": "done"})).await;
    left.expect(StatusCode::NO_CONTENT);
    refused(delete(&server, &path).await, StatusCode::NOT_FOUND, "member");
    let removed = server.events("type:group.member.removed").await;
    assert_eq!((removed.len(), &removed[0]["reason"]), (1, &json!("done")));
    let nobody = format!("/api/v1/groups/{ops}/members/nobody");
    refused(server.send(Method::PUT, &nobody, &json!({})).await, StatusCode::NOT_FOUND, "user");
}

/// An administrator of one organization takes nobody of another in, and touches no group of another.
#[tokio::test]
async fn an_administrator_of_an_organization_stays_in_it() {
    let (server, _) = started().await;
    server.post("/api/v1/organizations", &json!({"name": "ops"})).await.made();
    let roles = json!([{"role": "user-admin", "organization": "ops"}]);
    let admin = json!({"username": "admin", "organization": "ops", "roles": roles});
    let admin = server.post("/api/v1/users", &admin).await.made();
    let token = json!({"name": "own", "scopes": ["admin"], "owner": {"kind": "user", "id": admin}});
    let token = server.post("/api/v1/tokens", &token).await.expect(StatusCode::CREATED);
    let token = token["token"].as_str().unwrap();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = server.anonymous(method, path).bearer_auth(token).json(&body);
        Answer::of(path.to_owned(), request.send().await.unwrap()).await
    };
    let (ada, foreign) = (user(&server, "ada").await, group(&server, "theirs").await);
    let order = json!({"name": "ours", "organization": "ops", "quota_allowance": 4});
    let own = ask(Method::POST, "/api/v1/groups", order).await.made();
    let order = json!({"name": "ours", "organization": "eng"});
    refused(ask(Method::POST, "/api/v1/groups", order).await, StatusCode::FORBIDDEN, "groups:write");
    let stranger = format!("/api/v1/groups/{own}/members/{ada}");
    refused(ask(Method::PUT, &stranger, json!({})).await, StatusCode::NOT_FOUND, "user");
    let path = format!("/api/v1/groups/{foreign}");
    refused(ask(Method::PATCH, &path, json!({"quota_allowance": 1000})).await, StatusCode::NOT_FOUND, "group");
    refused(ask(Method::DELETE, &path, json!({})).await, StatusCode::NOT_FOUND, "group");
    let moved = ask(Method::PATCH, &format!("/api/v1/users/{admin}"), json!({"organization": "eng"})).await;
    refused(moved, StatusCode::FORBIDDEN, "users:write");
    // A guest with a role there may be taken in.
    let role = json!({"role": "member", "organization": "ops"});
    server.post(&format!("/api/v1/users/{ada}/roles"), &role).await.expect(StatusCode::OK);
    ask(Method::PUT, &stranger, json!({})).await.expect(StatusCode::OK);
}

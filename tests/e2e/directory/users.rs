//! Users by hand.

use chancery_tests::Provider;

use super::*;

#[tokio::test]
async fn a_user_is_changed_and_removed_with_all_its_memberships() {
    let (server, _) = started().await;
    server.post("/api/v1/organizations", &json!({"name": "ops"})).await.made();
    let (ada, team) = (user(&server, "ada").await, group(&server, "team").await);
    let member = format!("/api/v1/groups/{team}/members/{ada}");
    server.send(Method::PUT, &member, &json!({})).await.expect(StatusCode::OK);
    let path = format!("/api/v1/users/{ada}");
    let change = json!({"display_name": "Ada L.", "email": "ada@example.com", "organization": "ops"});
    let changed = patch(&server, &path, change.clone()).await.expect(StatusCode::OK);
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(&changed[name], value);
    }
    patch(&server, &path, change).await.expect(StatusCode::OK);
    let updated = server.events("type:user.updated").await;
    assert_eq!(updated.len(), 1, "what is so already is no event");
    assert_eq!(updated[0]["data"]["organization"], "ops");
    refused(patch(&server, &path, json!({"organization": "nowhere"})).await, StatusCode::BAD_REQUEST, "nowhere");
    refused(patch(&server, &path, json!({"email": ""})).await, StatusCode::BAD_REQUEST, "email");

    delete(&server, &path).await.expect(StatusCode::NO_CONTENT);
    refused(delete(&server, &path).await, StatusCode::NOT_FOUND, "user");
    assert_eq!(shown(&server, &team).await["member_count"], 0);
    let removed = server.events("type:group.member.removed").await;
    assert_eq!((removed.len(), &removed[0]["resource"]["id"]), (1, &json!(team)));
}

#[tokio::test]
async fn what_a_provider_provisions_is_changed_there_and_organizations_must_exist() {
    let (server, _) = started().await;
    let idp = Provider::connect(&server, json!({"organizations": ["eng"]})).await;
    let ada = idp.user("ada", json!({})).await;
    let path = format!("/api/v1/users/{ada}");
    refused(patch(&server, &path, json!({"display_name": "x"})).await, StatusCode::CONFLICT, "provider");
    refused(delete(&server, &path).await, StatusCode::CONFLICT, "provider");
    let role = json!({"role": "auditor", "organization": "nowhere"});
    refused(server.post(&format!("{path}/roles"), &role).await, StatusCode::BAD_REQUEST, "nowhere");
    for order in [
        json!({"username": "bob", "organization": "nowhere"}),
        json!({"username": "bob", "roles": [{"role": "auditor", "organization": "nowhere"}]}),
    ] {
        refused(server.post("/api/v1/users", &order).await, StatusCode::BAD_REQUEST, "nowhere");
    }
    // Once its connection is gone a user is nobody's.
    delete(&server, &format!("/api/v1/connections/{}", idp.connection)).await.expect(StatusCode::NO_CONTENT);
    patch(&server, &path, json!({"display_name": "x"})).await.expect(StatusCode::OK);
    delete(&server, &path).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_list_is_filtered_by_text_status_and_organization() {
    let (server, _) = started().await;
    let ada = user(&server, "Ada_L").await;
    let bob = server.post("/api/v1/users", &json!({"username": "bob", "email": "Robert@example.com"})).await.made();
    server.post(&format!("/api/v1/users/{bob}/suspend"), &json!({})).await.expect(StatusCode::OK);
    let found = async |query: &[(&str, &str)]| {
        let list = server.get("/api/v1/users", query).await;
        ids(&list["items"]).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found(&[]).await.len(), 2);
    assert_eq!(found(&[("q", "DA_")]).await, [ada.clone()]);
    assert_eq!(found(&[("q", "a%")]).await, [] as [String; 0], "what stands for anything stands for itself");
    assert_eq!(found(&[("q", "robert")]).await, [bob.clone()]);
    assert_eq!(found(&[("status", "suspended")]).await, [bob.clone()]);
    assert_eq!(found(&[("organization", "eng")]).await, [ada.clone()]);
    assert_eq!(found(&[("organization", "eng"), ("status", "suspended")]).await, [] as [String; 0]);
    let wrong = server.send(Method::GET, "/api/v1/users?status=asleep", &Value::Null).await;
    refused(wrong, StatusCode::BAD_REQUEST, "status");
}

/// Whoever reads with a token of their own sees their own tokens.
#[tokio::test]
async fn a_reading_token_lists_its_owners_tokens_and_no_others() {
    let (server, _) = started().await;
    let ada = user(&server, "ada").await;
    let order = json!({"name": "mine", "scopes": ["read"], "owner": {"kind": "user", "id": ada}});
    let made = server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
    let token = made["token"].as_str().unwrap();
    let request = server.anonymous(Method::GET, "/api/v1/tokens").bearer_auth(token);
    let list = Answer::of("tokens".to_owned(), request.send().await.unwrap()).await.expect(StatusCode::OK);
    let names: Vec<&str> = list.as_array().unwrap().iter().filter_map(|token| token["name"].as_str()).collect();
    assert_eq!(names, ["mine"]);
    let order = json!({"name": "more", "scopes": ["read"]});
    let request = server.anonymous(Method::POST, "/api/v1/tokens").bearer_auth(token).json(&order);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

/// The custom roles' versions that decisions name grow with each definition.
#[tokio::test]
async fn a_decision_names_the_version_of_a_custom_role() {
    let (server, _) = started().await;
    let define = async |permissions: Value| {
        let role = json!({"permissions": permissions});
        server.send(Method::PUT, "/api/v1/roles/reader", &role).await.expect(StatusCode::OK);
    };
    define(json!(["users:read"])).await;
    define(json!(["users:read", "groups:read", "users:write"])).await;
    let order = json!({"username": "ada", "roles": [{"role": "reader"}]});
    let ada = server.post("/api/v1/users", &order).await.made();
    let order = json!({"name": "mine", "scopes": ["admin"], "owner": {"kind": "user", "id": ada}});
    let made = server.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
    let request = server.anonymous(Method::POST, "/api/v1/users").bearer_auth(made["token"].as_str().unwrap());
    let request = request.json(&json!({"username": "eve"}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    let created = server.events("type:user.created resource.name:eve").await;
    assert_eq!(created[0]["policies"], json!([{"id": "role:reader", "version": 2}]), "{created:?}");
}

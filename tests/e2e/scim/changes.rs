//! What is on record: who, each attribute's old and new value, requests that changed nothing, requests that were
//! refused.

use chancery_tests::{ENTERPRISE, Provider, Server, USER};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{head, started, texts};

/// Paths of the changes of an event with old and new value, sorted.
fn changes(event: &Value) -> Vec<(String, Value, Value)> {
    let changes = event["changes"].as_array().unwrap().iter();
    let mut changes: Vec<_> = changes
        .map(|change| (change["path"].as_str().unwrap().to_owned(), change["old"].clone(), change["new"].clone()))
        .collect();
    changes.sort_by(|one, other| one.0.cmp(&other.0));
    changes
}

async fn of_user(server: &Server, id: &str) -> Vec<Value> {
    server.events(&format!("resource.id:\"{id}\" type:(user.*, directory.*)")).await
}

#[tokio::test]
async fn each_attribute_has_its_old_and_new_value_on_record() {
    let (server, idp) = started().await;
    let attributes = json!({
        "schemas": [USER, ENTERPRISE], "title": "Clerk", "nickName": "Bo", "name": {"givenName": "Bo", "familyName": "Lee"},
        "emails": [{"value": "bo@example.com", "type": "work"}], ENTERPRISE: {"department": "Sales", "costCenter": "1"},
    });
    let id = idp.user("bo", attributes).await;
    let operations = json!([
        {"op": "replace", "path": "title", "value": "Lead"},
        {"op": "remove", "path": "nickName"},
        {"op": "add", "path": "locale", "value": "de-DE"},
        {"op": "replace", "path": "name.familyName", "value": "Li"},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "bo.li@example.com"},
        {"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "Audit"},
    ]);
    idp.patch(&format!("/Users/{id}"), operations).await.expect(StatusCode::OK);
    let events = of_user(&server, &id).await;
    assert_eq!(texts(&events, "type"), ["user.created", "user.updated"]);
    let change = |path: &str, old: Value, new: Value| (path.to_owned(), old, new);
    let expected = [
        change(
            "emails",
            json!([{"value": "bo@example.com", "type": "work"}]),
            json!([{"value": "bo.li@example.com", "type": "work"}]),
        ),
        change("locale", Value::Null, json!("de-DE")),
        change("name.familyName", json!("Lee"), json!("Li")),
        change("nickName", json!("Bo"), Value::Null),
        change("title", json!("Clerk"), json!("Lead")),
        change(&format!("{ENTERPRISE}:department"), json!("Sales"), json!("Audit")),
    ];
    assert_eq!(changes(&events[1]), expected);
    let stored = &events[1]["data"]["attributes"];
    assert_eq!((&stored["title"], &stored[ENTERPRISE]["costCenter"]), (&json!("Lead"), &json!("1")));
    for absent in ["id", "meta", "schemas", "groups", "password"] {
        assert!(stored.get(absent).is_none(), "{absent}: {stored}");
    }
    // The filter language finds it by path and value.
    let found = server.events("changes.title.old:Clerk changes.locale:de-DE").await;
    assert_eq!(texts(&found, "id"), [events[1]["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn the_connection_acted_and_one_request_is_one_correlation() {
    let (server, idp) = started().await;
    let (one, two) = (idp.user("one", json!({})).await, idp.user("two", json!({})).await);
    let group = idp.group("both", &[one, two]).await;
    let events = server.events(&format!("resource.id:\"{group}\" type:group.*")).await;
    assert_eq!(texts(&events, "type"), ["group.created", "group.member.added", "group.member.added"]);
    let settings = server.get(&format!("/api/v1/connections/{}", idp.connection), &[]).await;
    for event in &events {
        assert_eq!(event["actor"]["kind"], "idp");
        assert_eq!(event["actor"]["id"], idp.connection);
        assert_eq!(event["actor"]["name"], settings["name"]);
        assert_eq!(event["organization"], "acme");
        assert_eq!(event["correlation"], events[0]["correlation"]);
        assert!(event["data"]["scim_event"].as_str().unwrap().starts_with("urn:ietf:params:scim:event:"), "{event}");
    }
    assert!(events[0]["correlation"].as_str().is_some_and(|correlation| !correlation.is_empty()));
}

#[tokio::test]
async fn requests_that_change_nothing_are_on_record_as_such() {
    let (server, idp) = started().await;
    let id = idp.user("still", json!({"title": "Same"})).await;
    let path = format!("/Users/{id}");
    let version = idp.get(&path).await.body["meta"]["version"].clone();
    let body = json!([{"op": "replace", "path": "title", "value": "Same"}]);
    let same = idp.patch(&path, body).await.expect(StatusCode::OK);
    let same_again = idp.put(&path, &json!({"schemas": [USER], "userName": "still", "title": "Same"})).await;
    let same_again = same_again.expect(StatusCode::OK);
    assert_eq!((&same["meta"]["version"], &same_again["meta"]["version"]), (&version, &version));
    let events = of_user(&server, &id).await;
    assert_eq!(texts(&events, "type"), ["user.created", "directory.request.unchanged", "directory.request.unchanged"]);
    let data = |event: &Value| (event["data"]["method"].clone(), event["data"]["path"].clone());
    assert_eq!(data(&events[1]), (json!("PATCH"), json!(path)));
    assert_eq!(data(&events[2]), (json!("PUT"), json!(path)));
    assert_eq!(events[1]["data"]["resource_type"], "User");
    assert_eq!(events[1]["outcome"], "success");
}

async fn requests(server: &Server, idp: &Provider) -> Vec<Value> {
    let log = server.get(&format!("/api/v1/connections/{}/requests", idp.connection), &[]).await;
    log["items"].as_array().cloned().unwrap_or_default()
}

/// Identity providers show their administrators little: here is what failed, and why.
#[tokio::test]
async fn a_connection_has_a_log_of_refused_and_unchanged_requests() {
    let (server, idp) = started().await;
    let before = head(&server).await;
    let id = idp.user("logged", json!({})).await;
    let path = format!("/Users/{id}");
    let duplicate = json!({"schemas": [USER], "userName": "logged"});
    let detail = idp.post("/Users", &duplicate).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    let wrong = json!([{"op": "replace", "path": "nosuch", "value": 1}]);
    idp.patch(&path, wrong).await.refused(StatusCode::BAD_REQUEST, Some("invalidPath"));
    let same = json!([{"op": "replace", "path": "userName", "value": "logged"}]);
    idp.patch(&path, same).await.expect(StatusCode::OK);

    let log = requests(&server, &idp).await;
    assert_eq!(log.len(), 3, "{log:#?}");
    assert!(
        log[0].to_string().contains("unchanged") && log[0].to_string().contains(&id),
        "the newest first: {}",
        log[0]
    );
    assert!(log[1].to_string().contains("invalidPath"), "{}", log[1]);
    assert!(log[2].to_string().contains("uniqueness") && log[2].to_string().contains(&detail), "{}", log[2]);

    let refused = server.events(&format!("position:>{before} type:directory.request.refused")).await;
    assert_eq!(refused.len(), 2);
    for (event, (method, status)) in refused.iter().zip([("POST", 409), ("PATCH", 400)]) {
        assert_ne!(event["outcome"], "success");
        assert_eq!((&event["data"]["method"], &event["data"]["status"]), (&json!(method), &json!(status)));
    }
    let other = Provider::connect(&server, json!({})).await;
    assert!(requests(&server, &other).await.is_empty(), "each connection has its own");
}

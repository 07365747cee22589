//! Several identity providers side by side: own tokens, own people, conflicts that are reported, dry runs.

use std::time::Duration;

use chancery_tests::{GROUP, PATCH, Provider, Server, USER};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{head, started, texts};

#[tokio::test]
async fn a_connection_is_made_shown_changed_and_removed() {
    let server = Server::start().await;
    let settings = json!({
        "name": "entra", "organizations": ["acme"], "profile": {"preset": "entra"}, "deletion": {"after_days": 30},
        "group_mappings": [{"group": "Auditors", "roles": [{"role": "auditor", "organization": "acme"}]}],
    });
    let made = server.post("/api/v1/connections", &settings).await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/connections/{}", made["id"].as_str().unwrap());
    let shown = server.get(&path, &[]).await;
    for member in ["name", "organizations", "deletion", "group_mappings"] {
        assert_eq!(shown[member], settings[member], "{member}");
    }
    assert_eq!((&shown["dry_run"], &shown["adopt_unmanaged"]), (&json!(false), &json!(false)));
    server.post("/api/v1/connections", &settings).await.expect(StatusCode::CONFLICT);
    let mut changed = settings.clone();
    changed["deletion"] = json!("delete");
    server.send(Method::PUT, &path, &changed).await.expect(StatusCode::OK);
    assert_eq!(server.get(&path, &[]).await["deletion"], "delete");
    assert!(server.get("/api/v1/connections", &[]).await.to_string().contains("\"entra\""));
    for (member, value) in [("deletion", json!("sometimes")), ("nosuch", json!(1)), ("name", json!(""))] {
        let mut wrong = settings.clone();
        wrong[member] = value;
        server.send(Method::PUT, &path, &wrong).await.expect(StatusCode::BAD_REQUEST);
    }
    let idp = Provider::of_connection(&server, made["id"].as_str().unwrap().to_owned()).await;
    let id = idp.user("stays", json!({})).await;
    server.send(Method::DELETE, &path, &Value::Null).await.expect(StatusCode::NO_CONTENT);
    idp.get("/Users").await.refused(StatusCode::UNAUTHORIZED, None);
    let events = server.events("type:connection.*").await;
    assert_eq!(texts(&events, "type"), ["connection.created", "connection.updated", "connection.deleted"]);
    let users = server.get("/api/v1/users", &[("limit", "1000")]).await;
    assert!(users["items"].to_string().contains(&id), "people do not vanish with a connection");
}

#[tokio::test]
async fn one_connection_neither_sees_nor_changes_what_another_has_made() {
    let (server, one) = started().await;
    let two = Provider::connect(&server, json!({"organizations": ["beta"]})).await;
    let (user, other) = (one.user("of-one", json!({"externalId": "same"})).await, two.user("of-two", json!({})).await);
    let group = one.group("of one", std::slice::from_ref(&user)).await;
    for filter in ["userName eq \"of-one\"", "externalId eq \"same\"", "userName pr"] {
        let found = two.find("/Users", filter).await;
        assert!(!texts(&found, "id").contains(&user), "{filter}");
    }
    assert_eq!(texts(&two.find("/Users", "userName pr").await, "id"), std::slice::from_ref(&other));
    assert_eq!(two.find("/Groups", "displayName pr").await, Vec::<Value>::new());
    let body = json!([{"op": "replace", "value": {"displayName": "taken"}}]);
    for path in [format!("/Users/{user}"), format!("/Groups/{group}")] {
        let before = one.get(&path).await.body;
        two.get(&path).await.refused(StatusCode::NOT_FOUND, None);
        two.patch(&path, body.clone()).await.refused(StatusCode::NOT_FOUND, None);
        two.put(&path, &json!({"schemas": [USER], "userName": "taken"})).await.refused(StatusCode::NOT_FOUND, None);
        two.delete(&path).await.refused(StatusCode::NOT_FOUND, None);
        assert_eq!(one.get(&path).await.body, before);
    }
    // A group of one cannot reach into the other's people for what their members may do.
    let reach = json!({"schemas": [GROUP], "displayName": "reach", "members": [{"value": user}]});
    let answer = two.post("/Groups", &reach).await;
    if answer.status == StatusCode::CREATED {
        let groups = one.get(&format!("/Users/{user}")).await.body["groups"].to_string();
        assert!(!groups.contains("reach"), "{groups}");
    }
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "id pr"});
    assert!(!two.post("/Users/.search", &search).await.text.contains(&user));
}

#[tokio::test]
async fn two_that_claim_one_name_are_reported_and_neither_wins_by_guessing() {
    let (server, first) = started().await;
    let second = Provider::connect(&server, json!({"organizations": ["acme"]})).await;
    let id = first.user("claimed", json!({"title": "First"})).await;
    let before = head(&server).await;
    let claim = json!({"schemas": [USER], "userName": "CLAIMED", "title": "Second"});
    second.post("/Users", &claim).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    let conflicts = server.events(&format!("position:>{before} type:directory.conflict.found")).await;
    assert_eq!(conflicts.len(), 1);
    let conflict = &conflicts[0];
    assert_eq!(conflict["data"]["attribute"], "userName");
    assert_eq!(conflict["data"]["value"].as_str().unwrap().to_lowercase(), "claimed");
    assert_eq!(conflict["data"]["other_connection"], first.connection);
    assert_eq!(conflict["data"]["other_id"], id);
    assert_eq!(conflict["resource"]["id"], second.connection);
    let kept = first.get(&format!("/Users/{id}")).await.body;
    assert_eq!((&kept["title"], &kept["userName"]), (&json!("First"), &json!("claimed")));
    // The one refused learns nothing of the other.
    let refusal = second.post("/Users", &claim).await;
    assert!(!refusal.text.contains(&id) && !refusal.text.contains(&first.connection), "{}", refusal.text);
}

/// Someone who was there before the first push: left alone, unless the connection may adopt.
#[tokio::test]
async fn people_of_no_connection_are_adopted_only_where_that_is_allowed() {
    let (server, cautious) = started().await;
    server.post("/api/v1/organizations", &json!({"name": "acme"})).await.made();
    let made = server.post("/api/v1/users", &json!({"username": "local", "organization": "acme"})).await;
    let local = made.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    let claim = json!({"schemas": [USER], "userName": "local"});
    cautious.post("/Users", &claim).await.refused(StatusCode::CONFLICT, Some("uniqueness"));
    let adopting = Provider::connect(&server, json!({"adopt_unmanaged": true})).await;
    assert!(adopting.find("/Users", "userName eq \"local\"").await.len() <= 1);
    let adopted = adopting.post("/Users", &claim).await;
    assert!([200, 201].contains(&adopted.status.as_u16()), "{}", adopted.text);
    assert_eq!(adopted.body["id"], local, "the same person");
    assert_eq!(adopting.find("/Users", "userName eq \"local\"").await.len(), 1);
    cautious.get(&format!("/Users/{local}")).await.refused(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn a_rotated_token_works_until_the_overlap_ends() {
    let (server, idp) = started().await;
    let rotate = format!("/api/v1/tokens/{}/rotate", idp.token_id);
    let made = server.post(&rotate, &json!({"overlap_seconds": 2})).await.expect(StatusCode::CREATED);
    let new = Provider::with_token(&server, idp.connection.clone(), &made);
    assert_ne!(new.token, idp.token);
    for provider in [&idp, &new] {
        provider.get("/Users").await.expect(StatusCode::OK);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    idp.get("/Users").await.refused(StatusCode::UNAUTHORIZED, None);
    new.get("/Users").await.expect(StatusCode::OK);
    let rotated = server.events(&format!("type:token.rotated resource.id:\"{}\"", idp.token_id)).await;
    assert_eq!((rotated.len(), &rotated[0]["data"]["replaced_by"]), (1, &json!(new.token_id)));

    // Several tokens of one connection see the same; a withdrawn one sees nothing.
    let second = Provider::of_connection(&server, idp.connection.clone()).await;
    let id = second.user("shared", json!({})).await;
    new.get(&format!("/Users/{id}")).await.expect(StatusCode::OK);
    let withdraw = format!("/api/v1/tokens/{}", second.token_id);
    server.send(Method::DELETE, &withdraw, &Value::Null).await.expect(StatusCode::NO_CONTENT);
    second.get("/Users").await.refused(StatusCode::UNAUTHORIZED, None);
    let used = server.events(&format!("type:token.used resource.id:\"{}\"", new.token_id)).await;
    assert!(!used.is_empty(), "the last use of a token is known");
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let (server, idp) = started().await;
    let id = idp.user("present", json!({"title": "Old"})).await;
    let list = idp.get("/Users").await.body;
    let before = head(&server).await;
    let body = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "New"}]});
    let operations = json!([
        {"method": "POST", "path": "/Users", "body": {"schemas": [USER], "userName": "planned"}},
        {"method": "PATCH", "path": format!("/Users/{id}"), "body": body},
        {"method": "POST", "path": "/Users", "body": {"schemas": [USER], "userName": "PRESENT"}},
        {"method": "DELETE", "path": format!("/Users/{id}")},
    ]);
    let path = format!("/api/v1/connections/{}/dry-run", idp.connection);
    let report = server.post(&path, &json!({"operations": operations})).await.expect(StatusCode::OK);
    let text = report.to_string();
    for part in ["planned", "Old", "New", "uniqueness", "user.created", "user.updated"] {
        assert!(text.contains(part), "{part}: {report:#}");
    }
    assert_eq!(idp.get("/Users").await.body, list);
    let changes = server.events(&format!("position:>{before} type:(user.*, group.*)")).await;
    assert_eq!(changes, Vec::<Value>::new());
}

/// The whole connection can be switched to dry: it goes on answering, and nothing is pushed.
#[tokio::test]
async fn a_connection_that_is_dry_changes_nothing() {
    let server = Server::start().await;
    let idp = Provider::connect(&server, json!({"dry_run": true})).await;
    let before = head(&server).await;
    let answer = idp.post("/Users", &json!({"schemas": [USER], "userName": "never"})).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    assert!(idp.find("/Users", "userName eq \"never\"").await.is_empty());
    let changes = server.events(&format!("position:>{before} type:(user.*, group.*)")).await;
    assert_eq!(changes, Vec::<Value>::new());
    let log = server.get(&format!("/api/v1/connections/{}/requests", idp.connection), &[]).await;
    assert!(log["items"][0].to_string().contains("/Users"), "what would have been done is on record: {log}");
}

/// Names of the switches in the table of `deploy/scim.md`.
fn documented_switches() -> Vec<&'static str> {
    let page = include_str!("../../../deploy/scim.md");
    let table = page.split("\n| switch |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap()).collect()
}

#[tokio::test]
async fn every_vendor_and_switch_of_the_documentation_is_one() {
    let (server, idp) = started().await;
    let path = format!("/api/v1/connections/{}", idp.connection);
    let set = async |profile: Value| {
        let settings = json!({"name": "switched", "organizations": ["acme"], "profile": profile});
        server.send(Method::PUT, &path, &settings).await.status
    };
    for vendor in ["entra", "okta", "google", "onelogin", "jumpcloud", "ping", super::STRICT_VENDOR] {
        assert_eq!(set(json!({"preset": vendor})).await, StatusCode::OK, "{vendor}");
    }
    let switches = documented_switches();
    assert!(switches.len() >= 9, "{switches:?}");
    for switch in switches {
        for value in [true, false] {
            assert_eq!(set(json!({"preset": "entra", switch: value})).await, StatusCode::OK, "{switch}");
        }
    }
    for wrong in
        [json!({"preset": "nobody"}), json!({"nosuch": true}), json!({"preset": "okta", "loose_booleans": "yes"})]
    {
        assert_eq!(set(wrong.clone()).await, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

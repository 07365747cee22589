//! What a push entails: suspension takes tokens, sessions and running workspaces; groups give roles at once.

use chancery_tests::{Provider, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{eventually, started, started_with, texts};

/// A token with the scope `read`, owned by a user.
async fn token_of(server: &Server, user: &str) -> String {
    let owner = json!({"kind": "user", "id": user});
    let made = server.post("/api/v1/tokens", &json!({"name": "mine", "scopes": ["read"], "owner": owner})).await;
    made.expect(StatusCode::CREATED)["token"].as_str().unwrap().to_owned()
}

async fn status(server: &Server, token: &str, path: &str) -> StatusCode {
    server.anonymous(Method::GET, path).bearer_auth(token).send().await.unwrap().status()
}

/// A running workspace with an open session, of a user.
async fn at_work(server: &Server, user: &str, name: &str) {
    let event = |id: &str, event_type: &str, subject: &str, details: Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "/test", "type": event_type, "subject": subject,
            "data": {
                "actor": {"id": user, "name": name}, "organization": "acme", "details": details,
                "resource": {"kind": subject.split('/').next(), "id": subject.split('/').nth(1), "name": "dev", "owner": name},
            },
        })
    };
    let build = json!({"build_number": 1, "transition": "start"});
    let (_, report) = server
        .ingest(&json!([
            event("w1", "workspace.created", "workspace/w-1", json!({"owner_id": user})),
            event("w2", "workspace.build.requested", "workspace/w-1", build.clone()),
            event("w3", "workspace.build.succeeded", "workspace/w-1", build),
            event(
                "s1",
                "session.opened",
                "session/s-1",
                json!({"kind": "ssh", "workspace_id": "w-1", "workspace_name": "dev"})
            ),
        ]))
        .await;
    assert_eq!(report["created"], 4, "{report}");
    // What was sent is folded a moment later.
    eventually("it is at work", async || {
        let (workspaces, sessions) =
            (server.get("/api/v1/workspaces", &[]).await, server.get("/api/v1/sessions", &[]).await);
        workspaces["items"][0]["status"] == "running" && sessions["items"][0]["status"] == "open"
    })
    .await;
}

#[tokio::test]
async fn a_suspension_takes_tokens_sessions_and_running_workspaces() {
    let (server, idp) = started().await;
    let id = idp.user("leaver", json!({})).await;
    let token = token_of(&server, &id).await;
    at_work(&server, &id, "leaver").await;
    assert_ne!(status(&server, &token, "/api/v1/workspaces").await, StatusCode::UNAUTHORIZED);
    idp.patch(&format!("/Users/{id}"), json!([{"op": "replace", "value": {"active": false}}]))
        .await
        .expect(StatusCode::OK);
    assert_eq!(status(&server, &token, "/api/v1/workspaces").await, StatusCode::UNAUTHORIZED, "in the same moment");

    let suspended = server.events(&format!("type:user.suspended resource.id:\"{id}\"")).await;
    let cause = suspended[0]["id"].as_str().unwrap();
    let consequences = ["session.closed", "token.revoked", "workspace.build.requested", "workspace.dormant"];
    eventually("all consequences are on record", async || {
        let caused = server.events(&format!("causation:\"{cause}\"")).await;
        consequences.iter().all(|event_type| caused.iter().any(|event| event["type"] == *event_type))
    })
    .await;
    let caused = server.events(&format!("causation:\"{cause}\"")).await;
    for event in &caused {
        assert_eq!(event["correlation"], suspended[0]["correlation"], "one request: {event}");
    }
    let stop = caused.iter().find(|event| event["type"] == "workspace.build.requested").unwrap();
    assert_eq!((&stop["data"]["transition"], &stop["data"]["cause"]), (&json!("stop"), &json!("suspension")));
    assert_eq!(stop["resource"]["id"], "w-1");
    eventually("no session is open", async || {
        let sessions = server.get("/api/v1/sessions", &[]).await;
        sessions["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|session| session["id"] != "s-1" || session["status"] != "open")
    })
    .await;

    // What was taken does not come back by itself.
    idp.patch(&format!("/Users/{id}"), json!([{"op": "replace", "value": {"active": true}}]))
        .await
        .expect(StatusCode::OK);
    assert_eq!(status(&server, &token, "/api/v1/workspaces").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_suspension_takes_is_the_connections_choice() {
    let suspension = json!({"revoke_tokens": false, "end_sessions": false, "stop_workspaces": true});
    let (server, idp) = started_with(json!({"suspension": suspension})).await;
    let id = idp.user("chosen", json!({})).await;
    token_of(&server, &id).await;
    at_work(&server, &id, "chosen").await;
    idp.patch(&format!("/Users/{id}"), json!([{"op": "replace", "value": {"active": false}}]))
        .await
        .expect(StatusCode::OK);
    let suspended = server.events(&format!("type:user.suspended resource.id:\"{id}\"")).await;
    let filter = format!("causation:\"{}\"", suspended[0]["id"].as_str().unwrap());
    eventually("the workspace stops", async || !server.events(&filter).await.is_empty()).await;
    let mut types = texts(&server.events(&filter).await, "type");
    types.sort();
    assert_eq!(types, ["workspace.build.requested", "workspace.dormant"]);
}

#[tokio::test]
async fn a_deletion_is_what_the_connection_says_it_is() {
    for (deletion, expected) in [
        (json!("suspend"), "user.suspended"),
        (json!("delete"), "user.deleted"),
        (json!({"after_days": 30}), "user.suspended"),
    ] {
        let (server, idp) = started_with(json!({"deletion": deletion})).await;
        let id = idp.user("gone", json!({})).await;
        let token = token_of(&server, &id).await;
        idp.delete(&format!("/Users/{id}")).await.expect(StatusCode::NO_CONTENT);
        let events = server.events(&format!("resource.id:\"{id}\" type:(user.suspended, user.deleted)")).await;
        assert_eq!(texts(&events, "type"), [expected], "{deletion}");
        // To the identity provider he is gone in any case, and so is what he could do.
        idp.get(&format!("/Users/{id}")).await.refused(StatusCode::NOT_FOUND, None);
        idp.delete(&format!("/Users/{id}")).await.refused(StatusCode::NOT_FOUND, None);
        assert!(idp.find("/Users", "userName eq \"gone\"").await.is_empty());
        assert_eq!(status(&server, &token, "/api/v1/users").await, StatusCode::UNAUTHORIZED, "{deletion}");
    }
}

const AUDIT: &str = "/api/v1/audit/events?limit=1";

/// A connection that maps a group to the auditors of acme, and a user of it with a token.
async fn mapped() -> (Server, Provider, String, String) {
    let mappings = json!([{"group": "Auditors", "roles": [{"role": "auditor", "organization": "acme"}]}]);
    let (server, idp) = started_with(json!({"group_mappings": mappings})).await;
    let id = idp.user("ann", json!({})).await;
    let token = token_of(&server, &id).await;
    assert_eq!(status(&server, &token, AUDIT).await, StatusCode::FORBIDDEN);
    (server, idp, id, token)
}

#[tokio::test]
async fn groups_give_and_take_roles_at_once() {
    let (server, idp, id, token) = mapped().await;
    let group = idp.group("auditors", &[]).await;
    let path = format!("/Groups/{group}");
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    for (operations, allowed) in [
        (add.clone(), StatusCode::OK),
        (remove.clone(), StatusCode::FORBIDDEN),
        (add.clone(), StatusCode::OK),
        // A group of another name gives nothing, and the old name gives again.
        (json!([{"op": "replace", "path": "displayName", "value": "Readers"}]), StatusCode::FORBIDDEN),
        (json!([{"op": "replace", "path": "displayName", "value": "AUDITORS"}]), StatusCode::OK),
        (json!([{"op": "remove", "path": "members"}]), StatusCode::FORBIDDEN),
        (add, StatusCode::OK),
    ] {
        let answer = idp.patch(&path, operations.clone()).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        assert_eq!(status(&server, &token, AUDIT).await, allowed, "after {operations}");
    }
    idp.delete(&path).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(status(&server, &token, AUDIT).await, StatusCode::FORBIDDEN);
    let filter = format!("resource.id:\"{id}\" type:(role.assigned, role.revoked) data.role:auditor");
    let events = server.events(&filter).await;
    let expected: Vec<&str> = std::iter::repeat_n(["role.assigned", "role.revoked"], 4).flatten().collect();
    assert_eq!(texts(&events, "type"), expected);
    for event in &events {
        assert_eq!((&event["data"]["organization"], &event["data"]["by_group"]), (&json!("acme"), &json!(true)));
        assert!(event["causation"].is_string(), "{event}");
    }
}

#[tokio::test]
async fn a_role_stays_while_another_group_gives_it_and_a_new_mapping_works_at_once() {
    let (server, idp, id, token) = mapped().await;
    let member = std::slice::from_ref(&id);
    let (first, second) = (idp.group("Auditors", member).await, idp.group("Second Line", member).await);
    let path = format!("/api/v1/connections/{}", idp.connection);
    let mut settings = server.get(&path, &[]).await;
    let auditor = json!([{"role": "auditor", "organization": "acme"}]);
    settings["group_mappings"] =
        json!([{"group": "Auditors", "roles": auditor}, {"group": "Second Line", "roles": auditor}]);
    for member in ["id", "created_at", "updated_at", "version"] {
        settings.as_object_mut().unwrap().remove(member);
    }
    server.send(Method::PUT, &path, &settings).await.expect(StatusCode::OK);
    idp.delete(&format!("/Groups/{first}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(status(&server, &token, AUDIT).await, StatusCode::OK, "the second group still gives it");
    settings["group_mappings"] = json!([]);
    server.send(Method::PUT, &path, &settings).await.expect(StatusCode::OK);
    assert_eq!(status(&server, &token, AUDIT).await, StatusCode::FORBIDDEN);
    idp.get(&format!("/Groups/{second}")).await.expect(StatusCode::OK);
}

/// A connection gives no role beyond its own organizations.
#[tokio::test]
async fn a_mapping_beyond_the_connections_organizations_is_refused() {
    let server = Server::start().await;
    let roles = json!([{"role": "auditor", "organization": "beta"}]);
    let settings =
        json!({"name": "reach", "organizations": ["acme"], "group_mappings": [{"group": "G", "roles": roles}]});
    server.post("/api/v1/connections", &settings).await.expect(StatusCode::BAD_REQUEST);
}

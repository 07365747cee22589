//! What is lost, or was never written, in the audit trails of other platforms: for each there is a test with its name.
//! Those of quotas are beside the machine, in `services/domain/src/workspaces/tests`, and in `quotas`; those of
//! browser-only mode in `sessions::browser_only`. `deploy/from-coder.md` has the whole list.

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn count(server: &Server, query: &str) -> usize {
    server.events(query).await.len()
}

#[tokio::test]
async fn names_are_found_in_any_case_also_of_those_who_are_deleted() {
    let server = Server::start().await;
    server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
    let bob = json!({"username": "Bob.Corp", "organization": "acme", "email": "Bob@Corp.example"});
    let bob = server.post("/api/v1/users", &bob).await.made();
    let template = json!([{"specversion": "1.0", "id": "t", "source": "/coder", "type": "template.created",
        "subject": "template/t", "data": {"actor": {"id": "a"}, "details": {"name": "MyTemplate"},
            "resource": {"kind": "template", "id": "t", "name": "MyTemplate"}}}]);
    assert_eq!(server.ingest(&template).await.1["created"], 1);
    let token = json!({"name": "bobs", "scopes": ["read"], "owner": {"kind": "user", "id": bob}});
    let token = server.post("/api/v1/tokens", &token).await.expect(StatusCode::CREATED);
    let token = token["token"].as_str().unwrap().to_owned();
    let asked = server.anonymous(Method::GET, "/api/v1/users").bearer_auth(&token).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::FORBIDDEN);
    let deleted = server.send(Method::DELETE, &format!("/api/v1/users/{bob}"), &Value::Null).await;
    assert!(deleted.status.is_success(), "{}", deleted.text);

    for query in ["resource_type:template resource_target:MyTemplate", "resource.name:mytemplate", "MYTEMPLATE"] {
        assert_eq!(count(&server, query).await, 1, "{query}");
    }
    for query in ["username:BOB.corp", "email:bob@corp.EXAMPLE", "actor:Bob.Corp"] {
        let refused = format!("type:token.refused {query}");
        assert_eq!(count(&server, &refused).await, 1, "{query}");
    }
    assert_eq!(count(&server, "type:user.deleted resource.name:bob.corp").await, 1);
}

#[tokio::test]
async fn the_last_moment_of_a_day_is_a_part_of_it() {
    let server = Server::start().await;
    let at = |id: &str, time: &str| {
        json!({"specversion": "1.0", "id": id, "source": "/test", "type": "user.login.succeeded", "time": time,
            "subject": format!("user/{id}"), "data": {"actor": {"id": id}, "details": {"method": "password"}}})
    };
    let batch = json!([
        at("last", "2026-03-31T23:59:59.999999Z"),
        at("first", "2026-04-01T00:00:00Z"),
        at("yesterday", "2026-03-30T23:59:59.999999Z"),
    ]);
    assert_eq!(server.ingest(&batch).await.1["created"], 3);
    for query in ["date_from:2026-03-31 date_to:2026-03-31", "time:2026-03-31", "time:2026-03-31..2026-03-31"] {
        let found = server.events(&format!("source:\"/test\" {query}")).await;
        let ids: Vec<&str> = found.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["last"], "{query}");
    }
}

#[tokio::test]
async fn missing_empty_and_the_word_null_are_told_apart() {
    let server = Server::start().await;
    let changes = json!([
        {"path": "missing", "new": "now"},
        {"path": "empty", "old": "", "new": "now"},
        {"path": "nothing", "old": null, "new": "now"},
        {"path": "word", "old": "null", "new": "now"},
        {"path": "zero", "old": 0, "new": false},
        {"path": "list", "old": [], "new": [{"a": [1.5]}]},
        {"path": "password", "secret": true},
    ]);
    let event = json!([{"specversion": "1.0", "id": "c", "source": "/test", "type": "user.updated",
        "subject": "user/u", "data": {"actor": {"id": "a"}, "changes": changes}}]);
    assert_eq!(server.ingest(&event).await.1["created"], 1);
    let told = &server.events("source:\"/test\"").await[0]["changes"];
    assert_eq!(told.as_array().unwrap().len(), 7, "{told}");
    for (told, sent) in told.as_array().unwrap().iter().zip(changes.as_array().unwrap()) {
        assert_eq!(
            (&told["path"], told.get("old"), told.get("new")),
            (&sent["path"], sent.get("old"), sent.get("new"))
        );
    }
    for (query, found) in [
        ("changes.empty.old:\"\"", 1),
        ("changes.word.old:null", 1),
        ("changes.missing.old:*", 0),
        ("changes.zero.old:0", 1),
    ] {
        assert_eq!(count(&server, &format!("source:\"/test\" {query}")).await, found, "{query}");
    }
}

#[tokio::test]
async fn refused_reads_and_unknown_accounts_are_on_record() {
    let server = Server::start().await;
    let eve = server.post("/api/v1/users", &json!({"username": "eve"})).await.made();
    let token = json!({"name": "eves", "scopes": ["read"], "owner": {"kind": "user", "id": eve}});
    let token = server.post("/api/v1/tokens", &token).await.expect(StatusCode::CREATED);
    let token = token["token"].as_str().unwrap().to_owned();
    let ask = async |token: &str, path: &str| {
        server.anonymous(Method::GET, path).bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(ask(&token, "/api/v1/audit/events").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("chy_nobody_knows", "/api/v1/audit/events").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("stolen-from-elsewhere", "/api/v1/users").await, StatusCode::UNAUTHORIZED);
    assert_eq!(count(&server, "type:token.refused outcome:denied actor:eve data.needed:\"audit:read\"").await, 1);
    assert_eq!(count(&server, "type:token.refused outcome:denied -actor:eve").await, 2);
}

#[tokio::test]
async fn reads_of_the_trail_and_of_what_templates_are_made_of_are_on_record() {
    let server = Server::start().await;
    server.get("/api/v1/audit/events", &[("q", "type:user.login.failed ip:192.0.2.0/24")]).await;
    let read = server.events("type:audit.queried data.query:\"*192.0.2.0/24*\"").await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["actor"]["kind"], "service");
}

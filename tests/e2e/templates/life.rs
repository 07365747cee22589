//! The whole life of a template, and what is on record of it.

use tempfile::TempDir;

use super::*;

fn workspace(event: u32, event_type: &str, template: &str) -> Value {
    let template = template.rsplit('/').next().unwrap();
    json!([{
        "specversion": "1.0", "id": format!("w-{event}"), "source": "/test", "type": event_type, "subject": "workspace/w",
        "data": {"actor": {"id": "a"}, "organization": "acme", "details": {"template_id": template}},
    }])
}

/// Changes a template that is in its first version, twice.
async fn change(server: &Api, go: &str) {
    let change = json!({"display_name": "Go", "settings": {"max_ttl_seconds": 3600, "daily_cost": null}});
    let changed = server.send(Method::PATCH, go, &change).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    let changed = changed.expect(StatusCode::OK);
    assert_eq!(changed["settings"], json!({"max_ttl_seconds": 3600}));
    let stale = server.request(Method::PATCH, go).header("if-match", "\"1\"").json(&json!({"description": "x"}));
    assert_eq!(stale.send().await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    let fresh = server.request(Method::PATCH, go).header("if-match", "\"2\"").json(&json!({"description": "x"}));
    assert_eq!(fresh.send().await.unwrap().status(), StatusCode::OK);
}

/// Deprecates a template, and takes it back.
async fn deprecate(server: &Api, go: &str) {
    let deprecated = server.post(&format!("{go}/deprecate"), &json!({"message": "use rust"})).await;
    assert_eq!(deprecated.expect(StatusCode::OK)["deprecation"], "use rust");
    let back = server.post(&format!("{go}/undeprecate"), &Value::Null).await.expect(StatusCode::OK);
    assert_eq!((&back["status"], &back["deprecation"]), (&json!("active"), &Value::Null));
}

#[tokio::test]
async fn a_template_lives_and_everything_is_on_record() {
    let server = start().await;
    let go = template(&server, "go", json!({"daily_cost": 4})).await;
    let taken = server.post("/api/v1/templates", &json!({"name": "go", "organization": "acme"})).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let elsewhere = server.post("/api/v1/templates", &json!({"name": "go", "organization": "nowhere"})).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);

    change(&server, &go).await;
    let first = push(&server, &go, "?message=first", files(&[("main.tf", MAIN)])).await.expect(StatusCode::CREATED);
    assert_eq!((&first["name"], &first["message"], &first["active"]), (&json!("v1"), &json!("first"), &json!(false)));
    let contents = json!({
        "daily_cost": 7,
        "variables": [{"name": "region", "type": "string", "has_default": false, "nullable": true, "sensitive": false}],
    });
    assert_eq!(first["contents"], contents);
    let again = push(&server, &go, "?name=v1&message=first", files(&[("main.tf", MAIN)])).await;
    assert_eq!(again.expect(StatusCode::OK)["id"], first["id"]);
    let other = push(&server, &go, "?name=v1", files(&[("main.tf", "")])).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    version(&server, &go, "next").await;

    let promoted = server.post(&format!("{go}/versions/v1/promote"), &json!({"reason": "tested"})).await;
    assert_eq!(promoted.expect(StatusCode::OK)["active_version"], first["id"]);
    let active = server.post(&format!("{go}/versions/v1/archive"), &json!({})).await;
    assert_eq!(active.status, StatusCode::CONFLICT);
    server.post(&format!("{go}/versions/next/archive"), &json!({})).await.expect(StatusCode::OK);
    let away = server.post(&format!("{go}/versions/next/promote"), &json!({})).await;
    assert_eq!(away.status, StatusCode::CONFLICT);
    server.post(&format!("{go}/versions/next/unarchive"), &json!({})).await.expect(StatusCode::OK);
    let versions = server.get(&format!("{go}/versions"), &[]).await;
    let named: Vec<&str> =
        versions["items"].as_array().unwrap().iter().map(|version| version["name"].as_str().unwrap()).collect();
    assert_eq!(named, ["next", "v1"]);

    deprecate(&server, &go).await;
    assert_eq!(server.ingest(&workspace(1, "workspace.created", &go)).await.1["created"], 1);
    server.folded().await;
    let used = server.send(Method::DELETE, &go, &Value::Null).await;
    assert!(used.status == StatusCode::CONFLICT && used.text.contains("1 workspace"), "{}", used.text);
    assert_eq!(server.ingest(&workspace(2, "workspace.deleted", &go)).await.1["created"], 1);
    server.folded().await;
    let deleted = server.send(Method::DELETE, &go, &json!({"reason": "nobody uses it"})).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let gone = server.send(Method::PATCH, &go, &json!({"description": "y"})).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/api/v1/templates", &[]).await["items"], json!([]));
    assert_eq!(server.get("/api/v1/templates", &[("deleted", "true")]).await["items"][0]["status"], "deleted");
    template(&server, "go", json!({})).await;

    assert_eq!(
        told(&server, &go).await,
        [
            "template.created",
            "template.updated",
            "template.updated",
            "template.version.pushed",
            "template.version.pushed",
            "template.version.promoted",
            "template.version.archived",
            "template.version.unarchived",
            "template.deprecated",
            "template.undeprecated",
            "template.deleted",
        ]
    );
    let updated = server.events("type:template.updated").await;
    let paths: Vec<&str> =
        updated[0]["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["display_name", "settings.daily_cost", "settings.max_ttl_seconds"]);
    let promoted = &server.events("type:template.version.promoted").await[0];
    assert_eq!((&promoted["reason"], &promoted["organization"]), (&json!("tested"), &json!("acme")));
    assert_eq!(promoted["changes"], json!([{"path": "active_version", "old": null, "new": first["id"]}]));
}

#[tokio::test]
async fn a_pushed_version_is_there_after_kill_9_with_its_files() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::start_in(directory.path(), &[]).await;
    server.post("/api/v1/organizations", &json!({"name": "acme"})).await.expect(StatusCode::CREATED);
    let go = template(&server, "go", json!({})).await;
    let archive = files(&[("main.tf", MAIN)]);
    let pushed = push(&server, &go, "", archive).await.expect(StatusCode::CREATED);
    server.kill();
    server.restart().await;
    let shown = server.get(&format!("{go}/versions/v1"), &[]).await;
    assert_eq!((&shown["sha256"], &shown["contents"]), (&pushed["sha256"], &pushed["contents"]));
    let files = server.request(Method::GET, &format!("{go}/versions/v1/files")).send().await.unwrap();
    assert_eq!(files.status(), StatusCode::OK);
    assert_eq!(files.headers()["etag"], format!("\"{}\"", pushed["sha256"].as_str().unwrap()));
    assert!(files.headers().contains_key("repr-digest"));
    let mut archive = tar::Archive::new(std::io::Cursor::new(files.bytes().await.unwrap()));
    let content = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(std::io::read_to_string(content).unwrap(), MAIN);
    assert_eq!(server.events("type:template.version.downloaded").await.len(), 1);

    // What the disk has made of it is not handed out.
    let sha256 = pushed["sha256"].as_str().unwrap();
    std::fs::write(directory.path().join("blobs").join(&sha256[..2]).join(sha256), "evil").unwrap();
    let files = server.request(Method::GET, &format!("{go}/versions/v1/files")).send().await.unwrap();
    assert_eq!(files.status(), StatusCode::SERVICE_UNAVAILABLE);
}

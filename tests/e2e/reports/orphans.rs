//! Workspaces without an active owner, and users who do not come.

use chancery_tests::Server;
use serde_json::{Value, json};

use super::{bytes, event, ingest, report, row};

fn history() -> Vec<Value> {
    let at = |day: u32| format!("2026-01-{day:02}T08:00:00Z");
    let user = |day: u32, name: &str| {
        event(&at(day), "user.created", &format!("user/{name}"), json!({"username": name, "name": name}))
    };
    let workspace = |name: &str, owner: &str| {
        let details = json!({"owner_id": owner, "template_id": "t1", "name": name});
        event(&at(5), "workspace.created", &format!("workspace/{name}"), details)
    };
    vec![
        event(&at(1), "organization.created", "organization/eng", json!({"name": "eng"})),
        event(&at(1), "template.created", "template/t1", json!({"name": "docker"})),
        user(1, "ada"),
        user(1, "bob"),
        user(2, "eve"),
        workspace("of-ada", "ada"),
        workspace("of-bob", "bob"),
        workspace("also-of-bob", "bob"),
        workspace("of-eve", "eve"),
        workspace("of-nobody", "ghost"),
        event(&at(6), "quota.committed", "quota/eng/bob", json!({"workspace_id": "of-bob", "cost": 12})),
        event(&at(7), "user.login.succeeded", "user/ada", json!({"method": "oidc"})),
        event(&at(8), "user.suspended", "user/bob", json!({})),
        event(&at(9), "user.deleted", "user/eve", json!({})),
        event(&at(9), "workspace.deleted", "workspace/also-of-bob", json!({})),
        event(
            &at(9),
            "workspace.build.succeeded",
            "workspace/of-eve",
            json!({"build_number": 2, "transition": "delete"}),
        ),
    ]
}

#[tokio::test]
async fn workspaces_without_an_active_owner_are_found() {
    let server = Server::start().await;
    ingest(&server, history()).await;
    let (first, position) = bytes(&server, "orphaned-workspaces", &[]).await;
    let orphans: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(orphans["rows"].as_array().unwrap().len(), 2, "{orphans}");
    let bob = row(&orphans, "workspace", "of-bob");
    assert_eq!((&bob["owner_status"], &bob["template"]), (&json!("suspended"), &json!("docker")));
    assert_eq!((&bob["running"], &bob["credits_per_day"]), (&json!(true), &json!(12)));
    assert_eq!(bob["owner_since"], "2026-01-08T08:00:00Z");
    assert_eq!(row(&orphans, "workspace", "of-nobody")["owner_status"], "absent");
    // Bob is back, Ada has gone.
    let later = vec![
        event("2026-02-01T08:00:00Z", "user.reactivated", "user/bob", json!({})),
        event("2026-02-01T08:00:00Z", "user.deleted", "user/ada", json!({})),
    ];
    ingest(&server, later).await;
    let now = report(&server, "orphaned-workspaces", &[]).await;
    assert_eq!(row(&now, "workspace", "of-ada")["owner_status"], "deleted");
    assert!(first == bytes(&server, "orphaned-workspaces", &[("position", &position)]).await.0);
}

#[tokio::test]
async fn users_who_do_not_come_are_found() {
    let server = Server::start().await;
    ingest(&server, history()).await;
    let (first, position) = bytes(&server, "dormant-users", &[("days", "30")]).await;
    let dormant: Value = serde_json::from_slice(&first).unwrap();
    // Who is suspended or deleted cannot come.
    assert_eq!(dormant["rows"].as_array().unwrap().len(), 1, "{dormant}");
    assert_eq!(row(&dormant, "user_name", "ada")["last_sign_in_at"], "2026-01-07T08:00:00Z");
    let mut today = event("2026-01-01T00:00:00Z", "user.login.succeeded", "user/ada", json!({"method": "oidc"}));
    today.as_object_mut().unwrap().remove("time");
    ingest(&server, vec![today]).await;
    assert_eq!(report(&server, "dormant-users", &[("days", "30")]).await["rows"], json!([]));
    assert!(first == bytes(&server, "dormant-users", &[("days", "30"), ("position", &position)]).await.0);
}

//! What only few may do, and who could not get in.

use chancery_tests::Server;
use serde_json::{Value, json};

use super::{bytes, event, ingest, organization, report, row};

fn attempt(time: &str, event_type: &str, account: &str, address: &str, unknown: bool) -> Value {
    let mut attempt =
        event(time, event_type, &format!("user/{account}"), json!({"method": "password", "unknown_user": unknown}));
    attempt["data"]["actor"] = json!({"id": account, "name": account, "ip": address});
    attempt
}

#[tokio::test]
async fn failed_sign_ins_are_grouped_by_account_and_address() {
    let server = Server::start().await;
    let at = |minute: u32| format!("2026-03-02T08:{minute:02}:00Z");
    ingest(
        &server,
        vec![
            attempt(&at(1), "user.login.failed", "ada", "192.0.2.1", false),
            attempt(&at(2), "user.login.failed", "ada", "192.0.2.1", false),
            attempt(&at(3), "user.login.failed", "ada", "192.0.2.2", false),
            attempt(&at(4), "user.login.failed", "oracle", "192.0.2.1", true),
            attempt(&at(5), "user.login.succeeded", "ada", "192.0.2.1", false),
            attempt("2026-04-02T08:00:00Z", "user.login.failed", "ada", "192.0.2.1", false),
        ],
    )
    .await;
    let (first, position) = bytes(&server, "failed-sign-ins", &[("period", "2026-03")]).await;
    let both: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(both["rows"].as_array().unwrap().len(), 3, "{both}");
    let expected = json!({
        "account": "ada", "address": "192.0.2.1", "unknown_user": false, "attempts": 2, "accounts": 1, "addresses": 1,
        "first_at": "2026-03-02T08:01:00Z", "last_at": "2026-03-02T08:02:00Z", "succeeded_at": "2026-03-02T08:05:00Z",
    });
    assert_eq!(both["rows"][0], expected, "the most first");
    assert_eq!(row(&both, "account", "oracle")["unknown_user"], true);
    let by_address = report(&server, "failed-sign-ins", &[("period", "2026-03"), ("by", "address")]).await;
    let address = row(&by_address, "address", "192.0.2.1");
    assert_eq!((&address["attempts"], &address["accounts"], &address["account"]), (&json!(3), &json!(2), &Value::Null));
    let by_account = report(&server, "failed-sign-ins", &[("period", "2026-03"), ("by", "account")]).await;
    assert_eq!(row(&by_account, "account", "ada")["addresses"], 2);
    ingest(&server, vec![attempt(&at(9), "user.login.failed", "bob", "192.0.2.1", false)]).await;
    assert!(first == bytes(&server, "failed-sign-ins", &[("period", "2026-03"), ("position", &position)]).await.0);
}

#[tokio::test]
async fn privileged_actions_are_listed_with_roles_and_outcomes() {
    let server = Server::start().await;
    organization(&server, "acme").await;
    ingest(
        &server,
        vec![
            event(
                "2026-03-02T08:00:00Z",
                "template.access.granted",
                "template/t1",
                json!({"subject_kind": "user", "subject_id": "ada", "permission": "admin"}),
            ),
            event("2026-03-02T09:00:00Z", "session.opened", "session/s1", json!({"kind": "ssh"})),
        ],
    )
    .await;
    let actions = report(&server, "privileged-actions", &[("from", "2026-03-01")]).await;
    assert_eq!(actions["detail"], Value::Null);
    assert_eq!(row(&actions, "type", "organization.created")["resource_name"], "acme");
    let granted = row(&actions, "type", "template.access.granted");
    assert_eq!((&granted["actor_name"], &granted["outcome"]), (&json!("ada"), &json!("success")));
    assert!(!actions["rows"].to_string().contains("session.opened"));
    let march = report(&server, "privileged-actions", &[("period", "2026-03")]).await;
    assert_eq!(march["rows"].as_array().unwrap().len(), 1);
}

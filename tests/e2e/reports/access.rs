//! Who may use what, and how they got it, also at a past position.

use chancery_tests::{Provider, Server};
use serde_json::{Value, json};

use super::{bytes, organization, report};

/// Rows about a user, as `kind access organization via`.
fn ways(report: &Value, user: &str) -> Vec<String> {
    let rows = report["rows"].as_array().unwrap().iter().filter(|row| row["user_name"] == user);
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let way = |row: &Value| ["kind", "access", "organization", "via"].map(|column| text(&row[column])).join(" ");
    rows.map(way).collect()
}

#[tokio::test]
async fn an_access_review_tells_each_way_also_as_it_was() {
    let server = Server::start().await;
    organization(&server, "acme").await;
    let mapped = json!([{"group": "auditors", "roles": [{"role": "auditor", "organization": "acme"}]}]);
    let idp = Provider::connect(&server, json!({"organizations": ["acme"], "group_mappings": mapped})).await;
    let ada = idp.user("ada", json!({})).await;
    let bob = idp.user("bob", json!({})).await;
    idp.group("auditors", std::slice::from_ref(&ada)).await;
    let role = json!({"permissions": ["quotas:read"], "description": "sees what is spent"});
    let defined = server.send(reqwest::Method::PUT, "/api/v1/roles/controller", &role).await;
    assert!(defined.status.is_success(), "{}", defined.text);
    let grant = json!({"role": "controller"});
    let granted = server.post(&format!("/api/v1/users/{bob}/roles"), &grant).await;
    assert!(granted.status.is_success(), "{}", granted.text);
    let text = format!("permit(principal == User::\"{bob}\", action == Action::\"audit:export\", resource);");
    let published = server.send(reqwest::Method::PUT, "/api/v1/policies/bob-exports", &json!({"text": text})).await;
    assert!(published.status.is_success(), "{}", published.text);

    let (first, position) = bytes(&server, "access-review", &[]).await;
    let review: Value = serde_json::from_slice(&first).unwrap();
    let adas = ways(&review, "ada");
    assert!(adas.contains(&"role auditor acme group auditors".to_owned()), "{review}");
    assert!(adas.iter().any(|way| way.starts_with("group auditors")), "{review}");
    let bobs = ways(&review, "bob");
    assert!(bobs.contains(&"custom role controller - direct".to_owned()), "{review}");
    assert!(bobs.contains(&"policy bob-exports version 1 - policy".to_owned()), "{review}");
    let row = review["rows"].as_array().unwrap().iter().find(|row| row["access"] == "controller").unwrap();
    assert_eq!(row["permissions"], "quotas:read");
    assert!(row["granted_at"].is_string() && row["granted_by"].is_string() && row["event_id"].is_string());

    let only = report(&server, "access-review", &[("permission", "audit:export"), ("user", &bob)]).await;
    assert_eq!(ways(&only, "bob").len(), only["rows"].as_array().unwrap().len());
    assert!(ways(&only, "bob").iter().all(|way| way.starts_with("policy")), "{only}");

    let path = format!("/api/v1/users/{bob}/roles");
    let revoked = server.send(reqwest::Method::DELETE, &path, &grant).await;
    assert!(revoked.status.is_success(), "{}", revoked.text);
    let now = report(&server, "access-review", &[]).await;
    assert!(!ways(&now, "bob").contains(&"custom role controller - direct".to_owned()), "{now}");
    assert!(first == bytes(&server, "access-review", &[("position", &position)]).await.0, "as it was");
}

/// By a time instead of a position: what was recorded up to then is known.
#[tokio::test]
async fn a_review_is_as_of_a_time() {
    let server = Server::start().await;
    organization(&server, "acme").await;
    let idp = Provider::connect(&server, json!({"organizations": ["acme"]})).await;
    let ada = idp.user("ada", json!({})).await;
    let grant = json!({"role": "auditor", "organization": "acme"});
    let granted = server.post(&format!("/api/v1/users/{ada}/roles"), &grant).await;
    assert!(granted.status.is_success(), "{}", granted.text);
    let assigned = &server.events("type:role.assigned").await[0];
    let recorded = assigned["recorded_at"].as_str().unwrap();
    let then = report(&server, "access-review", &[("at", recorded)]).await;
    assert!(ways(&then, "ada").contains(&"role auditor acme direct".to_owned()), "{then}");
    let before = report(&server, "access-review", &[("at", "2020-01-01")]).await;
    assert_eq!((&before["rows"], &before["position"]), (&json!([]), &json!("0")));
}

//! Reports: what was used, who may what, what is left over, what went wrong.

mod access;
mod activity;
mod orphans;
mod usage;

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An event of another system in the organization `eng`, at a time.
fn event(time: &str, event_type: &str, subject: &str, details: Value) -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let (kind, id) = subject.split_once('/').unwrap();
    let mut event = json!({
        "specversion": "1.0", "id": format!("r{}", NUMBER.fetch_add(1, Ordering::Relaxed)), "source": "/elsewhere",
        "type": event_type, "time": time, "subject": subject,
        "data": {
            "actor": {"id": "ada", "name": "ada", "ip": "192.0.2.7"}, "organization": "eng",
            "resource": {"kind": kind, "id": id, "name": details.get("name").cloned().unwrap_or_else(|| json!(id))},
        },
    });
    event["data"]["details"] = details;
    event
}

async fn ingest(server: &Server, events: Vec<Value>) {
    let number = events.len();
    let (status, report) = server.ingest(&Value::Array(events)).await;
    assert!(status.is_success(), "{status}: {report}");
    assert_eq!(report["created"], json!(number), "{report}");
}

/// An organization of Chancery's own.
async fn organization(server: &Server, name: &str) {
    let made = server.post("/api/v1/organizations", &json!({"name": name})).await;
    assert!(made.status.is_success(), "{}", made.text);
}

/// A report as JSON.
async fn report(server: &Server, name: &str, query: &[(&str, &str)]) -> Value {
    server.get(&format!("/api/v1/reports/{name}"), query).await
}

/// The bytes of a report, and the position that its answer names.
async fn bytes(server: &Server, name: &str, query: &[(&str, &str)]) -> (Vec<u8>, String) {
    let response = server.request(Method::GET, &format!("/api/v1/reports/{name}")).query(query).send().await.unwrap();
    let status = response.status();
    let position = response.headers().get("chancery-position").map(|it| it.to_str().unwrap().to_owned());
    let bytes = response.bytes().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{name} {query:?}: {}", String::from_utf8_lossy(&bytes));
    (bytes.to_vec(), position.unwrap())
}

/// The row with this value in a column.
fn row<'a>(report: &'a Value, column: &str, value: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row[column] == value).unwrap_or_else(|| panic!("no {column} {value}: {report}"))
}

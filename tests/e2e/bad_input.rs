//! Garbage gets a clear answer and harms nothing.

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{login, logins};

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_as_a_whole() {
    let server = Server::start().await;
    let batch = "application/cloudevents-batch+json";
    let nested = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    for (content_type, body, status) in [
        (batch, b"[{\"specversion\":\"1.0\",".to_vec(), StatusCode::BAD_REQUEST),
        (batch, b"[\"\xff\xfe\"]".to_vec(), StatusCode::BAD_REQUEST),
        (batch, b"{}".to_vec(), StatusCode::BAD_REQUEST),
        ("application/cloudevents+json", b"null".to_vec(), StatusCode::BAD_REQUEST),
        ("text/plain", b"hello".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (batch, vec![b' '; 100 << 20], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = server.request(Method::POST, "/api/v1/events").header("content-type", content_type);
        // A server that has said no may close before it has read everything.
        let Ok(response) = request.body(body).send().await else { continue };
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    // Well-formed as a batch, hopeless as an event.
    let request = server.request(Method::POST, "/api/v1/events").header("content-type", batch);
    let report: serde_json::Value = request.body(nested).send().await.unwrap().json().await.unwrap();
    assert_eq!(report["rejected"], 1);
    assert!(report["results"][0]["reason"].as_str().unwrap().contains("expected a CloudEvent"), "{report}");
    let (status, _) = server.ingest(&logins(0..3)).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn one_bad_event_does_not_spoil_the_others_and_is_pointed_at() {
    let server = Server::start().await;
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = login(1);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let (_, report) = server
        .ingest(&json!([
            login(0),
            with("/time", json!("10000-01-01T00:00:00Z")),
            with("/data/actor/ip", json!("not-an-address")),
            with("/data/details", json!({"method": 5})),
            with("/id", json!("x".repeat(300))),
            {"hello": "world"},
            login(2),
        ]))
        .await;
    assert_eq!((&report["created"], &report["rejected"]), (&json!(2), &json!(5)), "{report}");
    let pointers: Vec<&str> =
        report["results"].as_array().unwrap().iter().filter_map(|result| result["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/time", "/data/actor/ip", "/data/details/method", "/id", ""]);
}

#[tokio::test]
async fn other_content_under_a_taken_id_is_refused_and_recorded() {
    let server = Server::start().await;
    server.ingest(&logins(0..1)).await;
    let mut other = login(0);
    other["data"]["actor"]["name"] = json!("mallory");
    let (_, report) = server.ingest(&json!([other])).await;
    assert_eq!((&report["rejected"], &report["results"][0]["pointer"]), (&json!(1), &json!("/id")));
    let recorded = server.get("/api/v1/audit/events", &[("q", "type:audit.event.rejected")]).await;
    assert_eq!(recorded["events"][0]["data"]["event_id"], "0");
    let kept = server.get("/api/v1/audit/events/0", &[]).await;
    assert_eq!(kept["actor"]["name"], "user0");
}

#[tokio::test]
async fn a_wrong_filter_is_pointed_at_with_a_suggestion() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/api/v1/audit/events").query(&[("q", "outcome:sucess")]);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = response.json().await.unwrap();
    assert_eq!(problem["position"], 8);
    assert!(problem["suggestions"].to_string().contains("success"), "{problem}");
    let output = server.run(&["audit", "search", "outcome:sucess"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains('^'));
}

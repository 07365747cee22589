//! Starting, stopping, watching.

use std::process::Command;

use chancery_tests::{Server, binary};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::logins;

#[tokio::test]
async fn a_second_process_is_told_who_owns_the_data() {
    let server = Server::start().await;
    let second = Command::new(binary())
        .args(["serve", "--address", "127.0.0.1:0", "--data-directory"])
        .arg(&server.directory)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8_lossy(&second.stderr);
    assert!(error.contains(&format!("in use by process {}", server.id())), "{error}");
}

#[tokio::test]
async fn metrics_health_and_problems_tell_what_happens() {
    let server = Server::start().await;
    server.ingest(&logins(0..10)).await;
    server.get("/api/v1/audit/events", &[]).await;
    assert_eq!(server.anonymous(Method::GET, "/readyz").send().await.unwrap().status(), StatusCode::OK);
    let metrics = server.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for name in [
        "chancery_log_append_seconds_bucket",
        "chancery_log_batch_events_bucket",
        "chancery_consumer_lag_events{consumer=\"projector\",partition=\"0\"}",
        "chancery_lake_watermark_age_seconds",
        "chancery_query_seconds_bucket",
        "chancery_http_request_seconds_bucket",
        "chancery_ingested_events_total",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    let response = server.request(Method::GET, "/nowhere").header("x-request-id", "my-request").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "my-request");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(
        (&problem["status"], problem["type"].as_str().unwrap().rsplit('/').next()),
        (&json!(404), Some("not-found"))
    );
    let consumers = server.get("/api/v1/consumers", &[]).await;
    assert_eq!(consumers["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_queue_answers_429_and_loses_nothing() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_in(directory.path(), &[("CHANCERY_LOG_QUEUE_EVENTS", "1")]).await;
    let requests = (0..64_u64).map(|n| {
        let request = server.request(Method::POST, "/api/v1/events").header("content-type", "application/json");
        let sent = request.body(crate::login(n).to_string()).send();
        async move {
            let response = sent.await.unwrap();
            let retry = response.headers().contains_key("retry-after");
            (response.status(), retry)
        }
    });
    let handles: Vec<_> = requests.map(tokio::spawn).collect();
    let mut created = 0;
    for handle in handles {
        match handle.await.unwrap() {
            (StatusCode::CREATED, _) => created += 1,
            (status, retry) => assert_eq!((status, retry), (StatusCode::TOO_MANY_REQUESTS, true)),
        }
    }
    let found = server.run(&["audit", "count", "source:\"/test\"", "--output", "json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found[0]["count"], created);
}

#[tokio::test]
async fn the_one_time_set_up_token_makes_one_admin() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("out");
    let mut child = Command::new(binary())
        .args(["serve", "--address", "127.0.0.1:18479", "--data-directory"])
        .arg(directory.path().join("data"))
        .env("CHANCERY_CONFIG", "/dev/null")
        .stdout(std::fs::File::create(&log).unwrap())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut token = None;
    for _ in 0..200 {
        let text = std::fs::read_to_string(&log).unwrap();
        token = text.split_whitespace().find(|word| word.starts_with("setup_")).map(str::to_owned);
        if token.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let token = token.expect("a set-up token is printed");
    let setup = async |token: &str| {
        let request = reqwest::Client::new().post("http://127.0.0.1:18479/api/v1/setup");
        request.json(&json!({"setup_token": token})).send().await.unwrap()
    };
    assert_eq!(setup("setup_wrong").await.status(), StatusCode::UNAUTHORIZED);
    let made = setup(&token).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let admin: Value = made.json().await.unwrap();
    assert_eq!(setup(&token).await.status(), StatusCode::UNAUTHORIZED);
    let listed = reqwest::Client::new()
        .get("http://127.0.0.1:18479/api/v1/tokens")
        .bearer_auth(admin["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(listed.status(), StatusCode::OK);
    child.kill().unwrap();
    child.wait().unwrap();
}

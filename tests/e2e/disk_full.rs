//! The disk fills up, and there is space again.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::logins;

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 16, 1 << 12] {
        let piece = vec![0; size];
        while file.write_all(&piece).is_ok() {}
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_clearly_and_loses_nothing() {
    const BATCH: u64 = 200;
    let directory = TempDir::new().unwrap();
    let server = Server::start_on_small_disk(directory.path(), 192).await;
    let mut sent = 0;
    let mut acknowledged = 0;
    for _ in 0..20 {
        let (status, _) = server.ingest(&logins(sent..sent + BATCH)).await;
        assert_eq!(status, StatusCode::OK);
        sent += BATCH;
        acknowledged += BATCH;
    }

    let filler = server.inside().join("filler");
    fill(&filler);
    let mut refusals = 0;
    let begun = Instant::now();
    while refusals < 20 {
        assert!(begun.elapsed() < Duration::from_mins(2), "the disk is full and the server does not notice");
        let request = server.request(Method::POST, "/api/v1/events");
        let request = request.header("content-type", "application/cloudevents-batch+json");
        let response = request.body(logins(sent..sent + BATCH).to_string()).send().await.unwrap();
        sent += BATCH;
        if response.status() == StatusCode::OK {
            // What the files had in reserve.
            acknowledged += BATCH;
            continue;
        }
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
        let problem: serde_json::Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("no space is left"), "{problem}");
        refusals += 1;
    }
    std::fs::remove_file(&filler).unwrap();
    let begun = Instant::now();
    while server.ingest(&logins(sent..sent + BATCH)).await.0 != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(30), "there is space again and the server still refuses");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    acknowledged += BATCH;

    let count = server.get("/api/v1/audit/aggregate", &[("q", "source:\"/test\""), ("distinct", "id")]).await;
    assert_eq!(count["rows"], json!([[acknowledged, acknowledged]]), "{count}");
    // The state and the lake go on by themselves.
    for consumer in server.get("/api/v1/consumers", &[]).await["items"].as_array().unwrap() {
        assert_eq!(consumer["dead_letters"], json!(0), "{consumer}");
    }
    let begun = Instant::now();
    loop {
        let lake = server.get("/api/v1/lake", &[]).await;
        if lake["watermark"].as_u64() >= Some(acknowledged) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "the archiver does not go on: {lake}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let count = server.get("/api/v1/audit/aggregate", &[("q", "source:\"/test\""), ("distinct", "id")]).await;
    assert_eq!(count["rows"], json!([[acknowledged, acknowledged]]), "{count}");
}

//! Killed at any moment: what was acknowledged is there once, the rest once or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chancery_tests::{Server, TOKEN};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::logins;

const EVENTS: u64 = 1_000_000;
const BATCH: u64 = 1000;
const CLIENTS: u64 = 3;
const KILLS: u32 = 6;

/// Sends every batch until it is acknowledged, wherever the server is meanwhile.
async fn client(number: u64, mut url: watch::Receiver<String>, acknowledged: Arc<AtomicU64>) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    for batch in (0..EVENTS / BATCH).filter(|batch| batch % CLIENTS == number) {
        let body = logins(batch * BATCH..(batch + 1) * BATCH).to_string();
        loop {
            let target = format!("{}/api/v1/events?results=rejected", url.borrow_and_update().clone());
            let request = http.post(target).bearer_auth(TOKEN).header("content-type", "application/json");
            match request.body(body.clone()).send().await {
                Ok(response) if response.status().is_success() => break,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        acknowledged.fetch_add(BATCH, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_events_survive_a_loop_of_kill_9_once_each_in_log_and_lake() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let settings = [("CHANCERY_LAKE_BATCH_SECONDS", "1")];
    let mut server = Server::start_in(&data, &settings).await;
    let (sender, url) = watch::channel(server.url.clone());
    let acknowledged = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| tokio::spawn(client(number, url.clone(), acknowledged.clone()))).collect();
    for kill in 1..=KILLS {
        let goal = EVENTS * u64::from(kill) / u64::from(KILLS + 1);
        while acknowledged.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(7 + u64::from(kill) * 3)).await;
        }
        server.kill();
        server = Server::start_in(&data, &settings).await;
        sender.send_replace(server.url.clone());
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(acknowledged.load(Ordering::Relaxed), EVENTS);
    let query = "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events WHERE source = '/test'";
    let answer = server.request(reqwest::Method::POST, "/api/v1/audit/sql").json(&json!({"query": query}));
    let answer: serde_json::Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["rows"], json!([[EVENTS, EVENTS]]), "{answer}");

    // Everything is archived on the way down; the state is what the log says; and the table alone has it all.
    assert!(server.stop(), "the server did not shut down in order");
    let rebuilt = server.run(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stdout));
    let server = Server::start_in(&data, &settings).await;
    let lake = server.get("/api/v1/lake", &[]).await;
    assert!(lake["rows"].as_u64().unwrap() >= EVENTS, "{lake}");
    let gaps = json!({"query": "SELECT count(*) = max(position) AND count(DISTINCT position) = max(position) AS dense FROM events"});
    let answer = server.request(reqwest::Method::POST, "/api/v1/audit/sql").json(&gaps);
    let answer: serde_json::Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["rows"], json!([[true]]), "{answer}");
}

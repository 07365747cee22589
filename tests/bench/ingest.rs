//! Ingest over HTTP: batches, single events, filling, sizes on disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_domain::cloudevents::to_cloudevent;
use chancery_tests::{Server, TOKEN};
use futures::StreamExt;

use crate::append::{company, percentile};
use crate::report::Report;

pub(crate) const BATCH: usize = 1000;
/// Batches on their way at a time.
pub(crate) const IN_FLIGHT: usize = 4;
/// How long a batch is offered before the benchmark gives up.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bodies of batches, ready to send.
pub(crate) fn bodies(events: usize) -> impl Iterator<Item = String> {
    let mut events = company(events);
    std::iter::from_fn(move || {
        let batch: Vec<_> = events.by_ref().take(BATCH).map(|event| to_cloudevent(&event)).collect();
        (!batch.is_empty()).then(|| serde_json::to_string(&batch).expect("JSON"))
    })
}

/// Sends a batch until it is taken.
pub(crate) async fn send(http: &reqwest::Client, url: &str, body: String) {
    let begun = Instant::now();
    loop {
        let request = http.post(format!("{url}/api/v1/events?results=rejected")).bearer_auth(TOKEN).timeout(PATIENCE);
        let response =
            request.header("content-type", "application/cloudevents-batch+json").body(body.clone()).send().await;
        if response.as_ref().is_ok_and(|response| response.status().is_success()) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "a batch is not taken: {response:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Single events over 64 connections.
pub(crate) async fn single(report: &mut Report, server: &Server) {
    const EVENTS: usize = 40_000;
    let bodies: Arc<Vec<String>> = Arc::new(company(EVENTS).map(|event| to_cloudevent(&event).to_string()).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let connections: Vec<_> = (0..64)
        .map(|_| {
            let (bodies, next, url) = (bodies.clone(), next.clone(), format!("{}/api/v1/events", server.url));
            tokio::spawn(async move {
                let http = reqwest::Client::new();
                let mut latencies = Vec::new();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    let request =
                        http.post(&url).bearer_auth(TOKEN).header("content-type", "application/cloudevents+json");
                    let response = request.body(body.clone()).send().await.expect("an answer");
                    assert!(response.status().is_success(), "{}", response.status());
                    response.bytes().await.expect("a body");
                    latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for connection in connections {
        latencies.extend(connection.await.expect("a connection"));
    }
    let seconds = begun.elapsed().as_secs_f64();
    report.plain("ingest_http_single_events_per_s", EVENTS as f64 / seconds, "events/s", Some("≥ 5000"));
    report.plain("ingest_http_single_p99_ms", percentile(&mut latencies, 0.99), "ms", Some("≤ 50"));
}

/// Batches of a thousand, a few in flight, and the server's resident memory at its highest.
pub(crate) async fn batches(report: &mut Report, server: &Server, events: usize) {
    let ready: Vec<String> = bodies(events).collect();
    let http = reqwest::Client::new();
    let begun = Instant::now();
    futures::stream::iter(ready).for_each_concurrent(IN_FLIGHT, |body| send(&http, &server.url, body)).await;
    let seconds = begun.elapsed().as_secs_f64();
    report.plain("ingest_http_batch_events_per_s", events as f64 / seconds, "events/s", Some("≥ 50000"));
    report.plain("ingest_rss_mib", peak_resident(server.id()), "MiB", Some("≤ 300"));
}

/// The highest resident memory a process has had, MiB.
pub(crate) fn peak_resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
}

/// Fills a server with a company's year.
pub(crate) async fn fill(server: &Server, events: usize) {
    let http = reqwest::Client::new();
    futures::stream::iter(bodies(events)).for_each_concurrent(IN_FLIGHT, |body| send(&http, &server.url, body)).await;
}

/// Bytes of log and lake per event, once everything is archived.
pub(crate) async fn sizes(report: &mut Report, server: &mut Server, events: usize) {
    loop {
        let lake = server.get("/api/v1/lake", &[]).await;
        if lake["watermark"].as_u64() >= Some(events as u64) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Small files are merged within a few rounds of maintenance.
    tokio::time::sleep(Duration::from_secs(150)).await;
    let log = size(&server.directory.join("log/journal.db"));
    let lake = server.get("/api/v1/lake", &[]).await;
    report.plain("log_bytes_per_event", log / events as f64, "bytes", None);
    report.plain("lake_bytes_per_event", lake["bytes"].as_f64().unwrap_or(f64::NAN) / events as f64, "bytes", None);
}

fn size(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(f64::NAN, |file| file.len() as f64)
}

//! Durable appends in process: 256 tasks, one event at a time each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chancery_company::{Company, Options};
use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use chancery_log::{Log, LogOptions};
use tempfile::TempDir;

use crate::report::Report;

const EVENTS: usize = 300_000;
const IN_FLIGHT: usize = 256;

pub(crate) fn company(events: usize) -> impl Iterator<Item = chancery_domain::Event> {
    // A year; about 17 events a person and day.
    let users = (events / 5000).max(20);
    let start = "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time");
    Company::new(Options { users, days: 3650, start, seed: 7 }).take(events)
}

pub(crate) async fn measure(report: &mut Report) {
    let directory = TempDir::new_in("target").expect("a directory on the disk to be measured");
    let log = Log::open(directory.path(), LogOptions::default()).await.expect("a log");
    let events: Vec<Sealed> = company(EVENTS).map(|event| Sealed::new(&event).expect("a valid event")).collect();
    let events = Arc::new(events);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (log, events, next) = (log.clone(), events.clone(), next.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while let Some(event) = events.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    log.append(vec![event.clone()]).await.expect("an append");
                    latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a task"));
    }
    let seconds = begun.elapsed().as_secs_f64();
    report.plain("append_events_per_s", EVENTS as f64 / seconds, "events/s", Some("≥ 100000"));
    report.plain("append_p50_ms", percentile(&mut latencies, 0.5), "ms", Some("≤ 1"));
    report.plain("append_p99_ms", percentile(&mut latencies, 0.99), "ms", None);
    log.close().await;
}

/// The value below which a share of the values lies.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

//! A year of a company in the log, and the quota report of each of its months.

use std::path::Path;
use std::time::{Duration, Instant};

use chancery_company::{Company, Options};
use chancery_domain::{Event, Timestamp};
use chancery_evidence::Sealed;
use chancery_log::{Log, LogError, LogOptions};
use chancery_tests::Server;
use reqwest::Method;
use tempfile::TempDir;

use crate::append::percentile;
use crate::report::Report;

/// How large the company is, and for how long it is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) users: usize,
    pub(crate) days: u32,
}

const BATCH: usize = 2000;
const RUNS: usize = 5;
/// A consumer that is so close to the log's head has the company behind it.
const CLOSE: u64 = 20_000;

pub(crate) async fn measure(report: &mut Report, sizes: Sizes) {
    let directory = TempDir::new_in("target").expect("a directory on the disk to be measured");
    let events = fill(&directory.path().join("log"), sizes).await;
    let begun = Instant::now();
    let server = Server::start_in(directory.path(), &[]).await;
    caught_up(&server).await;
    let folded = events as f64 / begun.elapsed().as_secs_f64();
    report.plain("report_company_events", events as f64, "events", None);
    report.plain("report_fold_events_per_s", folded, "events/s", None);
    let mut slowest = 0.0_f64;
    for month in 1..=12.min(sizes.days.div_ceil(31)) {
        let month = format!("2026-{month:02}");
        for by in ["user", "group", "template", "organization"] {
            slowest = slowest.max(asked(&server, &month, by).await);
        }
    }
    // The slowest month, by whatever it is asked.
    report.plain("quota_report_month_ms", slowest, "ms", Some("≤ 300"));
}

/// The median of a few runs, after one to warm up.
async fn asked(server: &Server, month: &str, by: &str) -> f64 {
    let mut times = Vec::new();
    for run in 0..=RUNS {
        let query = [("period", month), ("by", by), ("price", "0.42"), ("currency", "EUR")];
        let begun = Instant::now();
        let response = server.request(Method::GET, "/api/v1/reports/quota-usage").query(&query).send().await;
        let response = response.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        let body = response.bytes().await.expect("a body");
        if run > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        assert!(body.len() > 1000, "the report of {month} by {by} says nothing");
    }
    percentile(&mut times, 0.5)
}

/// Appends the company's year straight to the log; how many events that are.
async fn fill(directory: &Path, sizes: Sizes) -> usize {
    let log = Log::open(directory, LogOptions::default()).await.expect("a log");
    let start = "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time");
    let company = Company::new(Options { users: sizes.users, days: sizes.days, start, seed: 7 });
    let (mut batch, mut events) = (Vec::with_capacity(BATCH), 0);
    for event in company.filter(is_of_interest) {
        batch.push(Sealed::new(&event).expect("a valid event"));
        events += 1;
        if batch.len() == BATCH {
            append(&log, std::mem::take(&mut batch)).await;
        }
    }
    append(&log, batch).await;
    log.close().await;
    events
}

/// People, groups, templates, workspaces, builds, quotas and sessions. Sign-ins, jobs and the steps in the middle of a
/// build are left out: no report of usage reads them.
fn is_of_interest(event: &Event) -> bool {
    let area = event.event_type.split('.').next().unwrap_or_default();
    let step = event.event_type.rsplit('.').next().unwrap_or_default();
    match area {
        "workspace" => !matches!(step, "queued" | "started" | "planned"),
        "session" => step != "authorized",
        "user" => !event.event_type.starts_with("user.login"),
        _ => matches!(area, "organization" | "group" | "template" | "quota"),
    }
}

async fn append(log: &Log, batch: Vec<Sealed>) {
    loop {
        match log.append(batch.clone()).await {
            Ok(_) => return,
            Err(LogError::Busy) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits until everything is folded and archived.
async fn caught_up(server: &Server) {
    loop {
        let consumers = server.get("/api/v1/consumers", &[]).await;
        let lags = consumers["items"].as_array().expect("consumers").iter().map(|it| it["lag"].as_u64());
        let lags: Vec<u64> = lags.map(|lag| lag.expect("a lag")).collect();
        if lags.len() > 1 && lags.iter().all(|lag| *lag < CLOSE) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

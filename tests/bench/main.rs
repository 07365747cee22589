//! `make bench`: one table of numbers, also as `target/bench/results.json`.
//!
//! `bench [--events N] [--cluster-events N] [--scim-users N] [--scim-groups N] [--scim-filled N] [--only PART]` asks
//! the nine audit questions of N events (5,000,000 without), gives each cluster N events (200,000 without), and pushes
//! N users and groups by SCIM (100,000 and 2,000 without) before one is looked up among N (1,000,000 without). Parts
//! are `embedded`, `cluster`, `scim` and `decisions`; the last takes `[--decision-users N] [--decision-workspaces N]
//! [--decision-rate N] [--decision-seconds N]` (100,000, 20,000, 300 a second and 60 seconds without). `runners`
//! takes `[--runners N] [--runner-jobs N] [--runner-job-seconds S]` (500, 10,000 and 5 without). Everything is measured on this machine in this run; the table names it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark stops where it cannot go on"
)]

mod append;
mod cluster;
mod decisions;
mod duckdb;
mod import;
mod ingest;
mod kafka;
mod postgres;
mod questions;
mod report;
mod reports;
mod runners;
mod scim;

use std::path::PathBuf;

use chancery_tests::Server;
use report::Report;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let number = |name: &str, without: usize| {
        option(name).map_or(without, |value| value.parse().unwrap_or_else(|_| panic!("{name} is followed by a number")))
    };
    let (events, cluster_events) = (number("--events", 5_000_000), number("--cluster-events", 200_000));
    let only = option("--only");
    let known = ["embedded", "cluster", "scim", "decisions", "reports", "runners"];
    assert!(
        only.as_deref().is_none_or(|only| known.contains(&only)),
        "--only is followed by one of {}",
        known.join(", ")
    );
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut report = Report::new();
    if wanted("embedded") {
        runtime.block_on(embedded(&mut report, events));
    }
    if wanted("cluster") {
        runtime.block_on(cluster::measure(&mut report, cluster_events));
    }
    if wanted("scim") {
        let sizes = scim::Sizes {
            users: number("--scim-users", 100_000),
            groups: number("--scim-groups", 2_000),
            filled: number("--scim-filled", 1_000_000),
        };
        runtime.block_on(scim::measure(&mut report, sizes));
    }
    if wanted("decisions") {
        let sizes = decisions::Sizes {
            users: number("--decision-users", 100_000),
            workspaces: number("--decision-workspaces", 20_000),
            rate: number("--decision-rate", 300),
            seconds: number("--decision-seconds", 60),
        };
        runtime.block_on(decisions::measure(&mut report, sizes));
    }
    if wanted("reports") {
        let days = u32::try_from(number("--report-days", 365)).unwrap_or(365);
        let sizes = reports::Sizes { users: number("--report-users", 2_000), days };
        runtime.block_on(reports::measure(&mut report, sizes));
    }
    if wanted("runners") {
        let seconds = option("--runner-job-seconds").map_or(5.0, |value| value.parse().expect("a number of seconds"));
        let sizes =
            runners::Sizes { runners: number("--runners", 500), jobs: number("--runner-jobs", 10_000), seconds };
        runtime.block_on(runners::measure(&mut report, sizes));
    }
    report.finish();
}

/// One binary with its own data directory, and the same questions to DuckDB and PostgreSQL.
async fn embedded(report: &mut Report, events: usize) {
    append::measure(report).await;
    let mut server = Server::start().await;
    ingest::single(report, &server).await;
    ingest::batches(report, &server, 400_000).await;
    drop(server);
    import::measure(report).await;
    server = Server::start().await;
    ingest::fill(&server, events).await;
    ingest::sizes(report, &mut server, events).await;
    let answers = questions::measure(&server).await;
    let exported = export(&server);
    let duckdb = duckdb::measure(&exported);
    let postgres = postgres::measure(&exported).await;
    std::fs::remove_file(exported).ok();
    questions::report(report, &answers, &[("duckdb", duckdb), ("postgres", postgres)]);
}

/// All events of a server in one Parquet file.
fn export(server: &Server) -> PathBuf {
    let file = PathBuf::from("target/bench/events.parquet");
    std::fs::create_dir_all("target/bench").expect("target/bench");
    let exported =
        server.run(&["audit", "export", "--format", "parquet", "--output-file", &file.display().to_string()]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    file
}

//! `make bench`: one table of numbers, also as `target/bench/results.json`.
//!
//! `bench [--events N]` asks the nine audit questions of N events (5,000,000 without). Everything is measured
//! on this machine in this run; the table names it.

#![expect(clippy::expect_used, clippy::cast_precision_loss, reason = "a benchmark stops where it cannot go on")]

mod append;
mod duckdb;
mod import;
mod ingest;
mod postgres;
mod questions;
mod report;

use std::path::PathBuf;

use chancery_tests::Server;
use report::Report;

fn main() {
    let events = std::env::args().skip_while(|argument| argument != "--events").nth(1);
    let events: usize = events.map_or(5_000_000, |number| number.parse().expect("--events is followed by a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut report = Report::new();
    runtime.block_on(async {
        append::measure(&mut report).await;
        let mut server = Server::start().await;
        ingest::single(&mut report, &server).await;
        ingest::batches(&mut report, &server, 400_000).await;
        drop(server);
        import::measure(&mut report).await;
        server = Server::start().await;
        ingest::fill(&server, events).await;
        ingest::sizes(&mut report, &mut server, events).await;
        let answers = questions::measure(&server).await;
        let exported = export(&server);
        let duckdb = duckdb::measure(&exported);
        let postgres = postgres::measure(&exported).await;
        std::fs::remove_file(exported).ok();
        questions::report(&mut report, &answers, &[("duckdb", duckdb), ("postgres", postgres)]);
    });
    report.finish();
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

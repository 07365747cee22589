//! `chancery import` of a file of CloudEvents, one a line.

use std::io::{BufWriter, Write};
use std::time::Instant;

use chancery_domain::cloudevents::to_cloudevent;
use chancery_tests::Server;
use tempfile::TempDir;

use crate::append::company;
use crate::report::Report;

const EVENTS: usize = 300_000;

pub(crate) async fn measure(report: &mut Report) {
    let directory = TempDir::new_in("target").expect("a directory");
    let file = directory.path().join("events.ndjson");
    let mut lines = BufWriter::new(std::fs::File::create(&file).expect("a file"));
    for event in company(EVENTS) {
        writeln!(lines, "{}", to_cloudevent(&event)).expect("a line");
    }
    lines.into_inner().expect("the file is written");
    let server = Server::start().await;
    let begun = Instant::now();
    let imported = server.run(&["import", "cloudevents", &file.display().to_string()]);
    let seconds = begun.elapsed().as_secs_f64();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    report.plain("import_events_per_s", EVENTS as f64 / seconds, "events/s", None);
}

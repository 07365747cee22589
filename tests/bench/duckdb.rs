//! The same questions on DuckDB over one Parquet file of the same events, sorted by time.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chancery_tests::python;

use crate::questions::DEEP;

const SCRIPT: &str = r#"
import sys, json, time, statistics, duckdb
path, deep = sys.argv[1], int(sys.argv[2])
db = duckdb.connect()
db.execute("SET enable_progress_bar = false")
db.execute("CREATE VIEW events AS SELECT * FROM read_parquet('%s')" % path)
deep = min(deep, db.execute("SELECT count(*) FROM events").fetchone()[0] // 2)
someone = db.execute("SELECT actor_name FROM events WHERE type = 'session.opened' ORDER BY position LIMIT 1").fetchone()[0]
at, position = db.execute("SELECT occurred_at, position FROM events ORDER BY occurred_at DESC, position DESC LIMIT 1 OFFSET %d" % deep).fetchone()
page = "SELECT * FROM events %s ORDER BY occurred_at DESC, position DESC LIMIT %d"
questions = {
  "query_newest_ms": page % ("", 50),
  "query_count_all_ms": "SELECT count(*) FROM events",
  "query_type_action_newest_ms": page % ("WHERE type = 'user.login.failed' AND action = 'login'", 50),
  "query_type_action_count_ms": "SELECT count(*) FROM events WHERE type = 'user.login.failed' AND action = 'login'",
  "query_user_month_ms": page % ("WHERE lower(actor_name) = '%s' AND occurred_at >= '2026-03-01' AND occurred_at < '2026-04-01'" % someone, 1000),
  "query_denials_by_ip_ms": "SELECT actor_ip, count(*) FROM events WHERE outcome = 'denied' GROUP BY 1 ORDER BY 2 DESC LIMIT 50",
  "query_daily_by_type_ms": "SELECT date_trunc('day', occurred_at), type, count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 10000",
  "query_substring_ms": page % ("WHERE lower(resource_name) LIKE '%%asil-4%%'", 50),
  "query_deep_page_ms": page % ("WHERE (occurred_at, position) < ('%s'::timestamptz, %d)" % (at, position), 50),
}
result = {}
for name, question in questions.items():
    db.execute(question).fetchall()
    times = []
    for _ in range(7):
        begun = time.perf_counter(); db.execute(question).fetchall(); times.append((time.perf_counter() - begun) * 1e3)
    result[name] = statistics.median(times)
print(json.dumps(result))
"#;

/// Milliseconds by question.
pub(crate) fn measure(events: &Path) -> BTreeMap<String, f64> {
    let output = Command::new(python()).args(["-c", SCRIPT]).arg(events).arg(DEEP.to_string()).output();
    let output = output.expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

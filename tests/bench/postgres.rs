//! The same questions on PostgreSQL, over the table and indexes of Coder's audit log.
//!
//! Columns and indexes as in coder/coder's `dump.sql`; resource type and action are text instead of enums, so that
//! the same events fit. Settings are those of a server tuned for this machine, not the defaults.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use chancery_tests::{Postgres, python};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::AsyncReadExt;

use crate::append::percentile;
use crate::questions::DEEP;

const RUNS: usize = 7;

const TABLES: &str = "
CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL, username text NOT NULL);
CREATE TABLE audit_logs (
    id uuid NOT NULL, \"time\" timestamptz NOT NULL, user_id uuid NOT NULL, organization_id uuid NOT NULL, ip inet,
    user_agent text, resource_type text NOT NULL, resource_id uuid NOT NULL, resource_target text NOT NULL,
    action text NOT NULL, diff jsonb NOT NULL, status_code integer NOT NULL, additional_fields jsonb NOT NULL,
    request_id uuid NOT NULL, resource_icon text NOT NULL);";

const INDEXES: &str = "
ALTER TABLE audit_logs ADD PRIMARY KEY (id);
CREATE INDEX idx_audit_log_organization_id ON audit_logs (organization_id);
CREATE INDEX idx_audit_log_resource_id ON audit_logs (resource_id);
CREATE INDEX idx_audit_log_user_id ON audit_logs (user_id);
CREATE INDEX idx_audit_logs_time_desc ON audit_logs (\"time\" DESC);
INSERT INTO users SELECT user_id, coalesce(min(additional_fields ->> 'email'), ''), min(additional_fields ->> 'name')
    FROM audit_logs WHERE additional_fields ->> 'name' IS NOT NULL GROUP BY user_id;
CREATE INDEX idx_users_username ON users (lower(username));
VACUUM (ANALYZE) audit_logs;
ANALYZE users;";

/// Rows of the exported Parquet file as Coder's columns.
const CONVERT: &str = r#"
import sys, duckdb
events, rows = sys.argv[1:]
duckdb.execute("SET enable_progress_bar = false")
duckdb.execute("SET memory_limit = '4GB'")
duckdb.execute("SET preserve_insertion_order = true")
duckdb.execute(f"""COPY (SELECT
  md5(source || id)::uuid, occurred_at, md5(actor_id)::uuid, md5(coalesce(organization, ''))::uuid, actor_ip,
  actor_user_agent, type, md5(resource_id)::uuid, coalesce(resource_name, ''), action,
  coalesce(event::json -> '$.changes', '[]'::json),
  CASE outcome WHEN 'success' THEN 200 WHEN 'denied' THEN 403 ELSE 401 END,
  json_object('name', actor_name, 'email', actor_email, 'details', event::json -> '$.data'),
  md5(coalesce(correlation, ''))::uuid, '' FROM read_parquet('{events}') ORDER BY position)
  TO '{rows}' (FORMAT csv, HEADER false)""")
"#;

/// Milliseconds by question.
pub(crate) async fn measure(events: &Path) -> BTreeMap<String, f64> {
    let server = Postgres::start(&[
        "shared_buffers=4GB",
        "effective_cache_size=12GB",
        "work_mem=64MB",
        "maintenance_work_mem=1GB",
        "max_wal_size=16GB",
        "random_page_cost=1.1",
    ]);
    let mut connection = PgConnection::connect(&server.database("coder")).await.expect("a connection");
    connection.execute(TABLES).await.expect("tables");
    let rows = events.with_extension("csv");
    let converted = Command::new(python()).args(["-c", CONVERT]).arg(events).arg(&rows).status();
    assert!(converted.expect("python runs").success());
    copy(&mut connection, &rows).await;
    std::fs::remove_file(&rows).ok();
    for statement in INDEXES.split_terminator(';') {
        connection.execute(AssertSqlSafe(statement)).await.expect(statement);
    }
    let mut answers = BTreeMap::new();
    for (name, question) in questions(&mut connection).await {
        let mut times = Vec::new();
        for run in 0..=RUNS {
            let begun = Instant::now();
            connection.fetch_all(AssertSqlSafe(question.as_str())).await.expect(&question);
            if run > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        answers.insert(name.to_owned(), percentile(&mut times, 0.5));
    }
    answers
}

async fn copy(connection: &mut PgConnection, rows: &Path) {
    let mut copy = connection.copy_in_raw("COPY audit_logs FROM STDIN (FORMAT csv)").await.expect("COPY");
    let mut file = tokio::fs::File::open(rows).await.expect("the rows");
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut piece).await.expect("the rows");
        if length == 0 {
            break;
        }
        copy.send(&piece[..length]).await.expect("rows are taken");
    }
    copy.finish().await.expect("rows are taken");
}

async fn questions(connection: &mut PgConnection) -> [(&'static str, String); 9] {
    let someone: String = sqlx::query_scalar(
        "SELECT username FROM audit_logs JOIN users ON users.id = user_id WHERE resource_type = 'session.opened' LIMIT 1",
    )
    .fetch_one(&mut *connection)
    .await
    .expect("someone who opened a session");
    let (depth, at, id): (i64, String, String) = sqlx::query_as(
        "WITH depth AS (SELECT least($1, count(*) / 2) AS rows FROM audit_logs)
         SELECT depth.rows, \"time\"::text, audit_logs.id::text FROM depth, audit_logs
         ORDER BY \"time\" DESC, audit_logs.id DESC LIMIT 1 OFFSET (SELECT rows FROM depth)",
    )
    .bind(i64::try_from(DEEP).expect("a number"))
    .fetch_one(&mut *connection)
    .await
    .expect("the row before the deep page");
    assert!(depth > 0);
    let page = |condition: &str, limit: u32| {
        format!(
            "SELECT audit_logs.*, username, email FROM audit_logs LEFT JOIN users ON users.id = user_id \
             WHERE {condition} ORDER BY \"time\" DESC, audit_logs.id DESC LIMIT {limit}"
        )
    };
    let failed = "resource_type = 'user.login.failed' AND action = 'login'";
    [
        ("query_newest_ms", page("true", 50)),
        ("query_count_all_ms", "SELECT count(*) FROM audit_logs".into()),
        ("query_type_action_newest_ms", page(failed, 50)),
        ("query_type_action_count_ms", format!("SELECT count(*) FROM audit_logs WHERE {failed}")),
        ("query_user_month_ms", page(&format!("user_id = (SELECT id FROM users WHERE lower(username) = '{someone}' LIMIT 1) AND \"time\" >= '2026-03-01' AND \"time\" < '2026-04-01'"), 1000)),
        ("query_denials_by_ip_ms", "SELECT ip, count(*) FROM audit_logs WHERE status_code = 403 GROUP BY 1 ORDER BY 2 DESC LIMIT 50".into()),
        ("query_daily_by_type_ms", "SELECT date_trunc('day', \"time\"), resource_type, count(*) FROM audit_logs GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 10000".into()),
        ("query_substring_ms", page("resource_target ILIKE '%asil-4%'", 50)),
        ("query_deep_page_ms", page(&format!("(\"time\", audit_logs.id) < ('{at}', '{id}')"), 50)),
    ]
}

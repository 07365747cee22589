//! Statements on hot paths go by an index.

use super::*;
use crate::directory::plans::HOT;

#[tokio::test]
async fn hot_statements_go_by_an_index() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    for (statement, index) in HOT {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.replace("$ids", "$2, $3")));
        let plan: Vec<String> = sqlx::query(explain)
            .fetch_all(&state.pool)
            .await
            .unwrap()
            .iter()
            .map(|row| sqlx::Row::get::<String, _>(row, 3))
            .collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}\n{plan:?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{statement}\n{plan:?}");
    }
    state.close().await;
}

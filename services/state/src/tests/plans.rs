//! Statements on hot paths go by an index.

use super::*;
use crate::directory::plans::HOT;

#[tokio::test]
async fn hot_statements_go_by_an_index() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    for (statement, index) in HOT {
        let plan = plan(&state, &statement.replace("$ids", "$2, $3")).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}\n{plan:?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{statement}\n{plan:?}");
    }
    state.close().await;
}

#[tokio::test]
async fn lists_of_an_organization_go_by_an_index_of_it() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    let only = BTreeSet::from(["eng".to_owned()]);
    for (kind, table) in [
        (ResourceKind::Users, "users"),
        (ResourceKind::Groups, "groups"),
        (ResourceKind::Templates, "templates"),
        (ResourceKind::Workspaces, "workspaces"),
        (ResourceKind::Sessions, "sessions"),
    ] {
        let plan = plan(&state, &kind.statement(Within::Only(&only), &Wanted::default()).0).await;
        let index = format!("{table}_of_organization (organization=? AND id>?)");
        assert!(plan.iter().any(|step| step.contains(&index)), "{plan:?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN") && !step.ends_with("FOR ORDER BY")), "{plan:?}");
    }
    let wanted = Wanted { organization: Some("eng".to_owned()), ..Wanted::default() };
    let plan = plan(&state, &ResourceKind::Users.statement(Within::All, &wanted).0).await;
    assert!(plan.iter().any(|step| step.contains("users_of_organization (organization=? AND id>?)")), "{plan:?}");
    state.close().await;
}

/// The steps of SQLite's plan for a statement.
async fn plan(state: &State, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(&state.pool).await.unwrap();
    rows.iter().map(|row| sqlx::Row::get::<String, _>(row, 3)).collect()
}

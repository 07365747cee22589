//! `scim2-tester` of `PyPI`: every check of it succeeds, none is skipped. `make conformance` prints them.

use std::process::Command;

use chancery_tests::{Postgres, Provider, Server, scim_tools};
use serde_json::{Value, json};
use tempfile::TempDir;

const TESTER: &str = include_str!("../../conformance/tester.py");

/// The lines that the tester prints: one for each check, and at last the checks that were not run.
fn check(base: &str, token: &str) -> (Vec<Value>, Value) {
    let output = Command::new(scim_tools()).args(["-c", TESTER, base, token]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let not_run = lines.pop().unwrap()["not_run"].clone();
    (lines, not_run)
}

async fn conforms(server: &Server, state: &str) {
    let provider = Provider::connect(server, json!({"deletion": "delete"})).await;
    let (base, token) = (provider.base.clone(), provider.token.clone());
    let (checks, not_run) = tokio::task::spawn_blocking(move || check(&base, &token)).await.unwrap();
    println!("scim2-tester, state in {state}:");
    for check in &checks {
        let of = check["resource_type"].as_str().unwrap_or("server");
        let text = |member: &str| check[member].as_str().unwrap_or_default().to_owned();
        println!("  {:<8} {of:<6} {:<40} {}", text("status"), text("check"), text("reason"));
    }
    let failed: Vec<&Value> = checks.iter().filter(|check| check["status"] != "SUCCESS").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(not_run, json!([]), "checks that were not run");
    println!("  {} checks: all succeeded, none skipped", checks.len());
    // A server with users, groups and the enterprise extension gets 135; a shorter list has lost some of them.
    assert!(checks.len() >= 135, "{} checks", checks.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_succeeds_with_the_state_in_sqlite() {
    conforms(&Server::start().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_succeeds_with_the_state_in_postgresql() {
    let (directory, postgres) = (TempDir::new().unwrap(), Postgres::start(&[]));
    let url = postgres.database("state");
    let server = Server::start_in(directory.path(), &[("CHANCERY_STATE_POSTGRES", &url)]).await;
    conforms(&server, "PostgreSQL").await;
}

/// Without it, "no check has failed" could mean that there was none.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_begin_is_noticed() {
    let server = Server::start().await;
    let base = format!("{}/scim/v2", server.url);
    let (checks, _) = tokio::task::spawn_blocking(move || check(&base, "chy_unknown_token")).await.unwrap();
    let failed = checks.iter().filter(|check| check["status"] != "SUCCESS").count();
    assert!(failed > 0, "{checks:#?}");
}

//! A server that keeps its state in PostgreSQL.

use chancery_tests::{Postgres, Server};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

fn user(number: usize) -> serde_json::Value {
    json!({
        "specversion": "1.0", "id": format!("user{number}"), "source": "/test", "type": "user.created",
        "subject": format!("user/{number}"),
        "data": {"actor": {"id": "idp", "kind": "idp"}, "details": {"username": format!("user{number}")}}
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_database_is_told_and_survived() {
    let (directory, mut postgres) = (TempDir::new().unwrap(), Postgres::start(&[]));
    let url = postgres.database("state");
    let mut server = Server::start_in(directory.path(), &[("CHANCERY_STATE_POSTGRES", &url)]).await;
    let (_, report) = server.ingest(&json!([user(1), user(2)])).await;
    assert_eq!(report["created"], 2, "{report}");
    let users = async || server.request(Method::GET, "/api/v1/users").send().await.unwrap();
    let settled = async |wanted: usize| {
        for _ in 0..300 {
            let response = users().await;
            let body: serde_json::Value = response.json().await.unwrap();
            if body["items"].as_array().is_some_and(|items| items.len() == wanted) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("there are not {wanted} users after half a minute");
    };
    settled(2).await;

    postgres.crash();
    let refused = users().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    // The log does not need the state.
    let (status, _) = server.ingest(&json!([user(3)])).await;
    assert!(status.is_success());
    let counted = server.get("/api/v1/audit/aggregate", &[("q", "type:user.created")]).await;
    assert_eq!(counted["rows"], json!([[3]]));

    postgres.restart();
    settled(3).await;
    assert!(server.stop());
    let rebuilt = server.command(&["state", "rebuild"]).env("CHANCERY_STATE_POSTGRES", &url).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    let printed = server.command(&["config", "print"]).env("CHANCERY_STATE_POSTGRES", &url).output().unwrap();
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.contains("state.postgres") && !printed.contains(&url), "{printed}");
}

#[tokio::test]
async fn a_state_of_another_log_and_wrong_credentials_are_refused_at_the_start() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let postgres = Postgres::start(&[]);
    let url = postgres.database("state");
    let mut server = Server::start_in(first.path(), &[("CHANCERY_STATE_POSTGRES", &url)]).await;
    server.ingest(&json!([user(1), user(2)])).await;
    server.get("/api/v1/tokens", &[]).await;
    assert!(server.stop());
    let serve = |url: &str| {
        let mut command = server.command(&["serve", "--address", "127.0.0.1:0"]);
        let output = command.env("CHANCERY_DATA_DIRECTORY", second.path()).env("CHANCERY_STATE_POSTGRES", url).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    assert!(serve(&url).contains("it is another log's"));
    let missing = serve(&url.replace("/state", "/missing"));
    assert!(missing.contains("opening the state") && missing.contains("\"missing\" does not exist"), "{missing}");
}

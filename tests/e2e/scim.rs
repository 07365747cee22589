//! SCIM 2.0 over HTTP, as identity providers use it: a conformance tester of others, the vendors' own sequences of
//! requests, and what went wrong in other servers.

mod bulk;
mod changes;
mod concurrency;
mod conformance;
mod connections;
mod consequences;
mod errors;
mod filters;
mod fixtures;
mod following;
mod groups;
mod matching;
mod paging;
mod patch;
mod protocol;
mod users;

use std::time::{Duration, Instant};

use chancery_tests::{Provider, Server};
use serde_json::{Value, json};

/// The profile that allows nothing beyond the RFCs.
const STRICT_VENDOR: &str = "strict";

/// A server and an identity provider with nothing but defaults.
async fn started() -> (Server, Provider) {
    started_with(json!({})).await
}

/// A server and an identity provider with these settings.
async fn started_with(settings: Value) -> (Server, Provider) {
    let server = Server::start().await;
    let provider = Provider::connect(&server, settings).await;
    (server, provider)
}

/// Position of the newest event.
async fn head(server: &Server) -> u64 {
    let newest = server.get("/api/v1/audit/events", &[("limit", "1"), ("fields", "position")]).await;
    newest["events"][0]["position"].as_u64().unwrap()
}

/// Texts of one member of many values, in their order.
fn texts(values: &[Value], member: &str) -> Vec<String> {
    values.iter().map(|value| value[member].as_str().unwrap_or_default().to_owned()).collect()
}

/// Asks again and again until something is so, for ten seconds at most.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: not so after ten seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

//! A client that keeps book of what it sent.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_tests::TOKEN;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// How long someone tries before the cluster is taken for broken: longer than any fault, and the time to recover.
const GIVE_UP: Duration = Duration::from_mins(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Ids of all events that were ever sent, and whether they were acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<HashMap<String, bool>>>);

/// A client of one address.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    ledger: Ledger,
}

impl Ledger {
    fn note(&self, events: &[Value], acknowledged: bool) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            *ids.entry(id).or_default() |= acknowledged;
        }
    }

    /// What is in it.
    pub(super) fn ids(&self) -> HashMap<String, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Client {
    /// A client that waits so long for an answer.
    pub(super) fn new(url: &str, patience: Duration, ledger: &Ledger) -> Self {
        // A connection that the other side is about to close for being idle is not used.
        let http = reqwest::Client::builder().timeout(patience).pool_idle_timeout(Duration::from_secs(5));
        Self { http: http.build().unwrap(), url: url.to_owned(), ledger: ledger.clone() }
    }

    /// Sends events once, and says why they are not acknowledged.
    pub(super) async fn send(&self, events: &[Value]) -> Result<(), String> {
        self.ledger.note(events, false);
        let (status, said) = self.ask(Method::POST, "/api/v1/events", Some(&json!(events))).await?;
        assert!(status.is_success(), "a good request is never called a bad one: {status}: {said}");
        let report: Value = serde_json::from_str(&said).unwrap();
        let taken = |result: &&Value| result["status"] == "created" || result["status"] == "duplicate";
        let taken = report["results"].as_array().unwrap().iter().filter(taken).count();
        assert_eq!(taken, events.len(), "{report}");
        self.ledger.note(events, true);
        Ok(())
    }

    /// Makes a token.
    pub(super) async fn make_token(&self) -> Result<String, String> {
        let wanted = json!({"name": "contended", "scopes": ["read"]});
        let (status, said) = self.ask(Method::POST, "/api/v1/tokens", Some(&wanted)).await?;
        assert_eq!(status, StatusCode::CREATED, "{said}");
        let token: Value = serde_json::from_str(&said).unwrap();
        Ok(token["id"].as_str().unwrap().to_owned())
    }

    /// Revokes a token: it is done, had been done, or there is none.
    pub(super) async fn revoke(&self, token: &str) -> Result<StatusCode, String> {
        let (status, said) = self.ask(Method::DELETE, &format!("/api/v1/tokens/{token}"), None).await?;
        let expected = [StatusCode::NO_CONTENT, StatusCode::CONFLICT, StatusCode::NOT_FOUND];
        assert!(expected.contains(&status), "{status}: {said}");
        Ok(status)
    }

    /// Status and body, unless it is to be tried again.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, String), String> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| reason(&error))?;
        let status = response.status();
        let said = response.text().await.map_err(|error| reason(&error))?;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(format!("{status}: {}", said.chars().take(200).collect::<String>()));
        }
        Ok((status, said))
    }
}

/// The innermost cause.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Tries until it works.
pub(super) async fn until_done<T, F>(mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(reason) => assert!(begun.elapsed() < GIVE_UP, "given up: {reason}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

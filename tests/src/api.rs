//! What tests ask of a server or of a balancer in front of several.

use std::process::{Command, Output};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::scim::Answer;
use crate::{TOKEN, binary};

/// The API at a URL, used with the admin token.
#[derive(Debug, Clone)]
pub struct Api {
    /// `http://address`.
    pub url: String,
    http: Client,
}

impl Api {
    /// The API at a URL.
    pub fn new(url: String) -> Self {
        Self { url, http: Client::new() }
    }

    /// A request with the admin token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(TOKEN)
    }

    /// A request without credentials.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Gets JSON and expects success.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let response = self.request(Method::GET, path).query(query).send().await.expect("an answer");
        let status = response.status();
        let body = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Sends JSON, or nothing when it is null.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method.clone(), path);
        let request = if body.is_null() { request } else { request.json(body) };
        Answer::of(format!("{method} {path} {body}"), request.send().await.expect("an answer")).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    /// Events that a filter finds, oldest first, a thousand at most.
    pub async fn events(&self, filter: &str) -> Vec<Value> {
        let found = self.get("/api/v1/audit/events", &[("q", filter), ("order", "asc"), ("limit", "1000")]).await;
        found["events"].as_array().cloned().unwrap_or_default()
    }

    /// Posts a batch of CloudEvents and gives back status and report.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn ingest(&self, batch: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, "/api/v1/events");
        let request = request.header("content-type", "application/cloudevents-batch+json").body(batch.to_string());
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    /// Waits until the state has seen every event of the log.
    #[expect(clippy::panic, reason = "tests")]
    pub async fn folded(&self) {
        for _ in 0..3_000 {
            let consumers = self.get("/api/v1/consumers", &[]).await;
            let mut folds = consumers["items"].as_array().into_iter().flatten();
            if folds.all(|consumer| consumer["name"] == "archiver" || consumer["lag"] == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the state did not follow the log within thirty seconds");
    }

    /// Whether a path is answered with success.
    pub async fn succeeds(&self, path: &str) -> bool {
        let answer = self.anonymous(Method::GET, path).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// A command of the binary against this API.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("CHANCERY_CONFIG", "/dev/null")
            .env("CHANCERY_CLIENT_SERVER", &self.url)
            .env("CHANCERY_CLIENT_TOKEN", TOKEN);
        command
    }

    /// Runs a command of the binary against this API.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }
}

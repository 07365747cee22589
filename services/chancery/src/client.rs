//! Talking to a server: retries what may be retried, explains what failed.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::session;

const ATTEMPTS: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A server and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Client {
    /// A client for the configured server, with the configured token, else with the session of a sign-in there.
    pub(crate) fn new(configuration: &Configuration) -> Result<Self, Failure> {
        let token = match &configuration.client_token {
            Some(token) => Some(token.clone()),
            None => session::find(&configuration.client_server)?,
        };
        Self::with_token(configuration, token)
    }

    /// A client for the configured server with this token, or with none.
    pub(crate) fn with_token(configuration: &Configuration, token: Option<String>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| Failure::failed(error.to_string()))?;
        let server = configuration.client_server.trim_end_matches('/').to_owned();
        Ok(Self { http, server, token })
    }

    /// The server's address, without a slash at its end.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Gets JSON.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let response = self.send(self.request(Method::GET, path).query(query)).await?;
        response.json().await.map_err(|error| Failure::unavailable(error.to_string()))
    }

    /// Posts JSON and gets JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let response = self.send(self.request(Method::POST, path).json(body)).await?;
        response.json().await.map_err(|error| Failure::unavailable(error.to_string()))
    }

    /// Sends a request that may be repeated, waiting as long as the server asks.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let mut pause = Duration::from_millis(250);
        for attempt in 1..=ATTEMPTS {
            let Some(again) = request.try_clone() else { break };
            match again.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) if attempt < ATTEMPTS && may_retry(response.status()) => {
                    let asked =
                        response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                    tokio::time::sleep(asked.map_or(pause, Duration::from_secs).min(LONGEST_PAUSE)).await;
                }
                Ok(response) => return Err(explain(response).await),
                Err(error) if attempt < 4 && error.is_connect() => tokio::time::sleep(pause).await,
                Err(error) => {
                    return Err(Failure::unavailable(format!(
                        "{} cannot be reached: {}",
                        self.server,
                        deepest(&error)
                    )));
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Failure::unavailable(format!("{} did not take the request", self.server)))
    }
}

fn may_retry(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A problem+json answer in words.
async fn explain(response: Response) -> Failure {
    let status = response.status();
    let problem: Value = response.json().await.unwrap_or(Value::Null);
    let member = |name: &str| problem.get(name).and_then(Value::as_str);
    let mut message = match (member("title"), member("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        _ => format!("the server answered {status}"),
    };
    if let Some(rendered) = member("rendered") {
        message.push('\n');
        message.push_str(rendered);
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::unauthorized(message),
        StatusCode::NOT_FOUND => Failure::not_found(message),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Failure::unavailable(message),
        _ => Failure::failed(message),
    }
}

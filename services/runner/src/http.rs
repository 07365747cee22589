//! The server over HTTPS: outbound requests only, repeated while that may help.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use reqwest::{Certificate, Client, Method, Proxy, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::identity::Identity;
use crate::logs::LogChunk;
use crate::server::{Acquire, Finished, Instruction, Job, Planned, Server, ServerError, Verdict};
use crate::wire::{WireAcquire, WireJob, WirePlan, WireStanding, WireVerdict};

/// How long the server may hold back its answer to a runner that asks for a job.
const LONG_POLL: Duration = Duration::from_secs(90);
/// How long it is asked to.
const WAIT: Duration = Duration::from_mins(1);
/// How many seconds the clocks of server and runner may differ.
const CLOCK_SKEW: i64 = 30;
/// How long any other answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest archive that is read.
const LARGEST_ARCHIVE: usize = 64 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How the server is reached.
#[derive(Clone, Default)]
pub struct Connection {
    /// Its address.
    pub server: String,
    /// What this runner presents, if it has no identity.
    pub key: String,
    /// Who it is: it signs every request.
    pub identity: Option<Arc<Identity>>,
    /// A file with certificates of authorities that are trusted besides the system's.
    pub authorities: Option<std::path::PathBuf>,
    /// The proxy to go through; that of the environment without.
    pub proxy: Option<String>,
    /// How long a report is tried to be delivered, when the server cannot be reached.
    pub persistence: Duration,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A server that is reached over HTTP.
#[derive(Clone)]
pub struct HttpServer {
    client: Client,
    connection: Connection,
    /// How many seconds the server's clock is ahead of this machine's, where that is too much.
    ahead: Arc<AtomicI64>,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpServer").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// One that is not talked to yet.
    ///
    /// # Errors
    /// When the certificates or the proxy make no sense.
    pub fn new(mut connection: Connection) -> Result<Self, String> {
        connection.server.truncate(connection.server.trim_end_matches('/').len());
        let mut client = Client::builder()
            .user_agent(concat!("chancery-runner/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A redirect could take the key elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(proxy) = &connection.proxy {
            let proxy = Proxy::all(proxy).map_err(|error| format!("the proxy cannot be used: {error}"))?;
            client = client.proxy(proxy);
        }
        if let Some(file) = &connection.authorities {
            client = client.tls_certs_merge(authorities(file)?);
        }
        let client = client.build().map_err(|error| error.to_string())?;
        Ok(Self { client, connection, ahead: Arc::default() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.connection.server));
        let request = request.timeout(PATIENCE);
        if self.connection.identity.is_some() { request } else { request.bearer_auth(&self.connection.key) }
    }

    fn post(&self, path: &str, body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// Repeats a request while the server cannot be reached, for so long.
    async fn persist(&self, request: &RequestBuilder, persistence: Duration) -> Result<Response, ServerError> {
        let until = tokio::time::Instant::now() + persistence;
        let mut pause = FIRST_PAUSE;
        loop {
            let again = request.try_clone().ok_or_else(|| ServerError::Refused("it cannot be repeated".to_owned()))?;
            let (error, asked) = match self.once(again).await {
                Err((error @ ServerError::Unreachable(_), asked)) => (error, asked),
                Err((error, _)) => return Err(error),
                Ok(response) => return Ok(response),
            };
            let wait = asked.unwrap_or(pause).min(LONGEST_PAUSE);
            if tokio::time::Instant::now() + wait > until {
                return Err(error);
            }
            tokio::time::sleep(wait + jitter(wait)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Posts JSON once, and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ServerError> {
        let response = self.once(self.post(path, body)).await.map_err(|(error, _)| error)?;
        read(response).await
    }

    /// Sends a request; with an error comes how long the server asks to wait.
    async fn once(&self, request: RequestBuilder) -> Result<Response, (ServerError, Option<Duration>)> {
        let mut request = request.build().map_err(|error| (ServerError::Refused(error.to_string()), None))?;
        if let Some(identity) = &self.connection.identity {
            let now = jiff::Timestamp::now().as_second().saturating_add(self.ahead.load(Ordering::Relaxed));
            identity.sign(&mut request, now).map_err(|error| (ServerError::Refused(error), None))?;
        }
        let sent = self.client.execute(request).await;
        let response = sent.map_err(|error| (ServerError::Unreachable(deepest(&error)), None))?;
        let off = self.compare_clocks(&response);
        match understood(response).await {
            // Signed again by the server's clock, it may be taken.
            Err((ServerError::Unauthorized(reason), _)) if off => {
                Err((ServerError::Unreachable(reason), Some(Duration::ZERO)))
            }
            answer => answer,
        }
    }

    /// Goes by the server's clock where this machine's is off; whether that is news.
    fn compare_clocks(&self, response: &Response) -> bool {
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        let Some(date) = date else { return false };
        let off = date.as_second().saturating_sub(jiff::Timestamp::now().as_second());
        let ahead = if off.abs() > CLOCK_SKEW { off } else { 0 };
        let before = self.ahead.swap(ahead, Ordering::Relaxed);
        let news = (ahead - before).abs() > CLOCK_SKEW;
        if news && ahead != 0 {
            tracing::warn!(
                seconds = ahead,
                "the clock of this machine differs from the server's, which counts for signatures"
            );
        }
        news
    }

    async fn say(&self, path: &str, body: &impl Serialize) -> Result<Response, ServerError> {
        self.persist(&self.post(path, body), self.connection.persistence).await
    }
}

/// Up to a quarter more, so that many runners do not come back at the same moment.
pub(crate) fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.0..0.25))
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, String> {
    let named = |error: &dyn fmt::Display| format!("the certificates in {}: {error}", file.display());
    let pem = fs::read(file).map_err(|error| named(&error))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| named(&error))?;
    if found.is_empty() { Err(named(&"there is none")) } else { Ok(found) }
}

/// The answer, if it is a success.
async fn understood(response: Response) -> Result<Response, (ServerError, Option<Duration>)> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let problem: Value = response.json().await.unwrap_or_default();
    let member = |name: &str| problem.get(name).and_then(Value::as_str);
    let reason = member("detail").or(member("title")).map_or_else(|| status.to_string(), str::to_owned);
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ServerError::Unreachable(reason),
        status if status.is_server_error() => ServerError::Unreachable(reason),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ServerError::Unauthorized(reason),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE => ServerError::Lost(reason),
        _ => ServerError::Refused(reason),
    };
    Err((error, asked.map(Duration::from_secs)))
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ServerError> {
    let bytes = response.bytes().await.map_err(|error| ServerError::Unreachable(deepest(&error)))?;
    serde_json::from_slice(&bytes).map_err(|error| ServerError::Refused(format!("its answer cannot be read: {error}")))
}

impl Server for HttpServer {
    async fn acquire(&self, request: &Acquire) -> Result<Option<Job>, ServerError> {
        let wire = WireAcquire { request, wait_seconds: WAIT.as_secs() };
        let asked = self.post("/api/v1/jobs/acquire", &wire).timeout(LONG_POLL);
        let response = self.once(asked).await.map_err(|(error, _)| error)?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        Ok(Some(read::<WireJob>(response).await?.at(&self.connection.server)))
    }

    async fn archive(&self, job: &Job) -> Result<Vec<u8>, ServerError> {
        let path = format!("/api/v1/templates/{}/versions/{}/files", job.template.id, job.template_version.id);
        let mut response = self.persist(&self.request(Method::GET, &path), self.connection.persistence).await?;
        let mut archive = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if archive.len() + chunk.len() > LARGEST_ARCHIVE => {
                    return Err(ServerError::Refused("the archive is too large".to_owned()));
                }
                Ok(Some(chunk)) => archive.extend_from_slice(&chunk),
                Ok(None) => return Ok(archive),
                Err(error) => return Err(ServerError::Unreachable(deepest(&error))),
            }
        }
    }

    async fn planned(&self, job: &str, plan: &Planned) -> Result<Verdict, ServerError> {
        let answer = self.say(&format!("/api/v1/jobs/{job}/planned"), &WirePlan::from(plan)).await?;
        Ok(read::<WireVerdict>(answer).await?.into())
    }

    async fn applying(&self, job: &str) -> Result<(), ServerError> {
        self.say(&format!("/api/v1/jobs/{job}/applying"), &serde_json::json!({})).await.map(drop)
    }

    async fn heartbeat(&self, job: &str) -> Result<Instruction, ServerError> {
        let asked = self.request(Method::GET, &format!("/api/v1/jobs/{job}"));
        let response = self.once(asked).await.map_err(|(error, _)| error)?;
        let standing: WireStanding = read(response).await?;
        Ok(if standing.cancel_requested { Instruction::Cancel } else { Instruction::Continue })
    }

    async fn log(&self, job: &str, chunk: &LogChunk) -> Result<(), ServerError> {
        self.say(&format!("/api/v1/jobs/{job}/log"), chunk).await.map(drop)
    }

    async fn finished(&self, job: &str, finished: &Finished) -> Result<(), ServerError> {
        self.say(&format!("/api/v1/jobs/{job}/finished"), finished).await.map(drop)
    }
}

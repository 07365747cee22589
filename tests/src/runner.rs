//! A runner that speaks the protocol itself, and builds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chancery_signatures::{CONTENT_DIGEST, KeyPair, Request, SIGNATURE, SIGNATURE_INPUT, possession, sign};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::api::Api;
use crate::scim::Answer;

/// A registered runner.
#[derive(Debug, Clone)]
pub struct SignedRunner {
    /// Its id.
    pub id: String,
    /// `http://address`.
    pub url: String,
    /// Its key pair.
    pub pair: Arc<KeyPair>,
    /// What it sends requests with.
    pub http: Client,
}

impl SignedRunner {
    /// Asks to be registered with a runner key, and a key pair of its own.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn try_register(api: &Api, key: &str, name: &str) -> (Answer, Arc<KeyPair>) {
        let pair = Arc::new(fresh_pair());
        let id = key.split('_').nth(1).unwrap_or_default();
        let public_key = pair.public_key();
        let proof = pair.sign_text(&possession(id, &public_key));
        let body = json!({"name": name, "public_key": public_key, "proof": proof, "hostname": "here", "version": "1"});
        let request = api.anonymous(Method::POST, "/api/v1/runners/register").bearer_auth(key).json(&body);
        (Answer::of(format!("register {body}"), request.send().await.expect("an answer")).await, pair)
    }

    /// Registers.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn register(api: &Api, key: &str, name: &str) -> Self {
        let (answer, pair) = Self::try_register(api, key, name).await;
        let id = answer.expect(StatusCode::CREATED)["id"].as_str().expect("an id").to_owned();
        Self { id, url: api.url.clone(), pair, http: Client::new() }
    }

    /// A signed request.
    pub fn request(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let nonce = format!("n{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.request_at(method, path, body, now(), &nonce)
    }

    /// A request that is signed at this second, with this nonce.
    pub fn request_at(&self, method: Method, path: &str, body: &Value, at: i64, nonce: &str) -> RequestBuilder {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let name = method.as_str().to_owned();
        let signed = sign(&self.pair, &self.id, &Request::new(&name, path, &body), at, nonce);
        let request = self.http.request(method, format!("{}{path}", self.url)).timeout(Duration::from_mins(2));
        let request =
            if body.is_empty() { request } else { request.header("content-type", "application/json").body(body) };
        request
            .header(CONTENT_DIGEST, signed.content_digest)
            .header(SIGNATURE_INPUT, signed.signature_input)
            .header(SIGNATURE, signed.signature)
    }

    /// Sends a signed request; again, if the server has only just started: what was signed before is not taken.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let mut patience = 100;
        loop {
            let request = self.request(method.clone(), path, body);
            let answer = Answer::of(format!("{method} {path} {body}"), request.send().await.expect("an answer")).await;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE || patience == 0 {
                return answer;
            }
            patience -= 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for a job, and waits for it.
    pub async fn acquire(&self, wait_seconds: u64) -> Answer {
        self.send(Method::POST, "/api/v1/jobs/acquire", &json!({"wait_seconds": wait_seconds})).await
    }

    /// The id of a job that waits for it.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn job(&self) -> Option<String> {
        let answer = self.acquire(0).await;
        (answer.status == StatusCode::OK).then(|| answer.body["id"].as_str().expect("an id").to_owned())
    }

    /// Reports on a job.
    pub async fn tell(&self, job: &str, what: &str, body: &Value) -> Answer {
        self.send(Method::POST, &format!("/api/v1/jobs/{job}/{what}"), body).await
    }

    /// Says that a job goes on.
    pub async fn beat(&self, job: &str) -> Answer {
        self.send(Method::GET, &format!("/api/v1/jobs/{job}"), &Value::Null).await
    }
}

/// Seconds since 1970.
#[expect(clippy::expect_used, reason = "tests")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_secs()).expect("a clock")
}

#[expect(clippy::expect_used, reason = "tests")]
fn fresh_pair() -> KeyPair {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).expect("randomness");
    KeyPair::from_seed(seed).expect("a key pair")
}

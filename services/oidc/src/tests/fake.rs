//! A server that answers what it is told to, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::form_urlencoded;

use super::signer::Signer;

/// A provider on loopback.
pub(super) struct FakeProvider {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (u16, String)>,
    requests: Vec<Request>,
    delay: Duration,
}

/// What it was asked.
#[derive(Clone)]
pub(super) struct Request {
    path: String,
    /// The request line and the header lines.
    pub(super) head: String,
    body: String,
}

impl Request {
    /// A field of the form.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(self.body.as_bytes());
        fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }
}

impl FakeProvider {
    /// A provider with a discovery document.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        tokio::spawn(serve(listener, Arc::clone(&state)));
        let fake = Self { url, state };
        fake.describe(&json!({}));
        fake
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// The discovery document, with changes; null removes a member.
    pub(super) fn describe(&self, changes: &Value) {
        let at = |path: &str| format!("{}{path}", self.url);
        let mut document = super::object(json!({
            "issuer": self.url, "jwks_uri": at("/keys"), "authorization_endpoint": at("/authorize?tenant=1"),
            "token_endpoint": at("/token"), "userinfo_endpoint": at("/userinfo"),
            "device_authorization_endpoint": at("/device"), "authorization_response_iss_parameter_supported": true,
        }));
        document.extend(super::object(changes.clone()));
        document.retain(|_, value| !value.is_null());
        self.answer("/.well-known/openid-configuration", 200, &Value::Object(document));
    }

    /// The key set.
    pub(super) fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.answer("/keys", 200, &json!({ "keys": keys }));
    }

    pub(super) fn answer(&self, path: &str, status: u16, document: &Value) {
        self.answer_text(path, status, document.to_string());
    }

    pub(super) fn answer_text(&self, path: &str, status: u16, text: String) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), (status, text));
    }

    /// Takes its time for every answer from now on.
    pub(super) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// The requests for a path, oldest first.
    pub(super) fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    pub(super) fn hits(&self, path: &str) -> usize {
        self.requests(path).len()
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&state)));
    }
}

async fn converse(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = read(&mut stream).await else { return };
    let (delay, answer) = {
        let mut state = state.lock().unwrap();
        let answer = state.answers.get(&request.path).cloned();
        state.requests.push(request);
        (state.delay, answer)
    };
    tokio::time::sleep(delay).await;
    let (status, body) = answer.unwrap_or((404, "not here".to_owned()));
    let head = format!("HTTP/1.1 {status} ok\r\nlocation: http://127.0.0.1:9/\r\nconnection: close\r\n");
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.ok();
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                let target = head.split(' ').nth(1)?;
                let path = target.split('?').next()?.to_owned();
                return Some(Request { path, head: head.to_owned(), body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

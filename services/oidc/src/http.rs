//! HTTP with providers: encrypted, in bounded time and memory, and only where it was meant to go.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use url::{Host, Url, form_urlencoded};

use crate::error::OidcError;
use crate::secret::Secret;

/// The longest answer that is read, in bytes. Key sets and the user information of somebody in thousands of groups
/// are far below.
const LONGEST_ANSWER: usize = 1 << 20;

/// A client for the endpoints of providers.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    url: String,
    body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(timeout: Duration) -> Result<Self, OidcError> {
        let client = Client::builder()
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(timeout)
            // A provider has no reason to redirect these requests, and one that is made to could send secrets and
            // tokens to another host.
            .redirect(Policy::none())
            .build()
            .map_err(|error| OidcError::Configuration(reason(error)))?;
        Ok(Self { client })
    }

    /// Gets a JSON document that must be there.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, OidcError> {
        self.send(url, self.client.get(url.clone())).await?.expect_json()
    }

    /// The same with an access token (RFC 6750 §2.1).
    pub(crate) async fn get_as<T: DeserializeOwned>(&self, url: &Url, token: &Secret) -> Result<T, OidcError> {
        self.send(url, self.client.get(url.clone()).bearer_auth(token.reveal())).await?.expect_json()
    }

    /// Posts a form; `basic` is a client's id and secret.
    pub(crate) async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &Secret)>,
    ) -> Result<Answer, OidcError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request =
            self.client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        if let Some((id, secret)) = basic {
            // RFC 6749 §2.3.1: both are encoded as in a form before they become Basic credentials.
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(id), Some(encoded(secret.reveal())));
        }
        self.send(url, request).await
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Answer, OidcError> {
        let shown = shown(url);
        let unreachable = |error| OidcError::Unreachable { url: shown.clone(), reason: reason(error) };
        let mut response = request.header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                let reason = format!("the answer is longer than {LONGEST_ANSWER} bytes");
                return Err(OidcError::Malformed { url: shown, reason });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), url: shown, body })
    }
}

impl Answer {
    /// The document of a success.
    pub(crate) fn expect_json<T: DeserializeOwned>(&self) -> Result<T, OidcError> {
        if !self.status.is_success() {
            return Err(self.failed());
        }
        self.json().ok_or_else(|| self.malformed("the answer is not the JSON that it should be"))
    }

    /// The document, whatever the status. What is wrong with it is not said: that would print parts of it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The error of a status that is none of success.
    pub(crate) fn failed(&self) -> OidcError {
        let reason = format!("the answer is {}", self.status);
        if self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS {
            return OidcError::Unreachable { url: self.url.clone(), reason };
        }
        self.malformed(&reason)
    }

    pub(crate) fn malformed(&self, reason: &str) -> OidcError {
        OidcError::Malformed { url: self.url.clone(), reason: reason.to_owned() }
    }
}

/// An address that may be asked: of https, or on this machine.
pub(crate) fn checked(text: &str) -> Result<Url, OidcError> {
    let wrong = |reason: &str| OidcError::Configuration(format!("`{}` {reason}", crate::error::for_log(text)));
    let url = Url::parse(text).map_err(|_| wrong("is not a URL"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(wrong("is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has credentials in it"));
    }
    Ok(url)
}

/// A URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// An error with its causes, without the URL, which may have a query.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

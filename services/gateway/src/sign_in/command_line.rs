//! The command line's part: a port of its machine gets a code, which buys a session for whoever began.

use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_domain::events::tokens::OwnerKind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::{Host, Url};
use utoipa::ToSchema;

use super::account::Person;
use super::failure::{Attempt, Denial};
use super::seal::Purpose;
use super::session::Session;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::tokens::new_token;

/// How long a code is good for, in microseconds: a minute.
const LIFETIME: i64 = 60_000_000;

/// A command line that waits (RFC 8252 §7.3).
#[derive(Serialize, Deserialize)]
pub(super) struct Listener {
    url: Url,
    challenge: String,
}

/// What a code says to those who can open it.
#[derive(Serialize, Deserialize)]
struct Code {
    provider: String,
    user: String,
    challenge: String,
    /// Id of the token it is exchanged for: there is one at most.
    token: String,
}

/// A code to be exchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeRequest {
    /// As the listener got it.
    code: String,
    /// What the challenge was made from.
    verifier: String,
}

impl Listener {
    pub(super) fn new(url: &str, challenge: String) -> Result<Self, ApiError> {
        let wrong = |what: &str| ApiError::bad_request(what.to_owned());
        let url = Url::parse(url).map_err(|_| wrong("`cli` is no URL"))?;
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || !is_loopback || !is_bare || !url.username().is_empty() || url.password().is_some()
        {
            return Err(wrong("`cli` must be `http://127.0.0.1:port/`"));
        }
        if URL_SAFE_NO_PAD.decode(&challenge).map(|hash| hash.len()) != Ok(32) {
            return Err(wrong("`challenge` must be a SHA-256 in base64url"));
        }
        Ok(Self { url, challenge })
    }

    /// Where the browser is sent with a code for a person.
    pub(super) fn given_code(&self, gateway: &Gateway, person: &Person, provider: &str) -> Result<String, ApiError> {
        let code = Code {
            provider: provider.to_owned(),
            user: person.id.clone(),
            challenge: self.challenge.clone(),
            token: new_token().id,
        };
        let until = gateway.now().saturating_add_micros(LIFETIME);
        Ok(self.with("code", &gateway.sign_in.seal.close(Purpose::Code, &code, until)?))
    }

    /// Where the browser is sent when nothing comes of it.
    pub(super) fn told_of(&self, error: &ApiError) -> String {
        self.with("error", &error.to_string())
    }

    fn with(&self, name: &str, value: &str) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair(name, value);
        url.into()
    }
}

/// Gives the session for a code, once, to whoever began the sign-in.
#[utoipa::path(post, path = "/api/v1/sign-in/exchange", tag = "sign-in", request_body = ExchangeRequest,
    responses((status = 200), (status = 400), (status = 403)))]
pub(crate) async fn exchange(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<ExchangeRequest>,
) -> Result<HttpResponse, ApiError> {
    let opened = gateway.sign_in.seal.open(Purpose::Code, &request.code, gateway.now());
    let code: Code = opened.ok_or_else(|| ApiError::bad_request("the code is not valid"))?;
    let session = Session::on_command_line(&gateway, code.token.clone());
    match begin(&gateway, &caller, &code, &request.verifier, &session).await {
        Ok(person) => Ok(HttpResponse::Ok().json(session.shown(&person))),
        Err(denial) => {
            let attempt = Attempt { gateway: &gateway, caller: &caller, provider: &code.provider };
            Err(attempt.failed(None, denial).await)
        }
    }
}

async fn begin(
    gateway: &Gateway,
    caller: &Caller,
    code: &Code,
    verifier: &str,
    session: &Session,
) -> Result<Person, Denial> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    if !bool::from(challenge.as_bytes().ct_eq(code.challenge.as_bytes())) {
        return Err(Denial::Code("is not exchanged by whom it was made for"));
    }
    gateway
        .decisions
        .decide(&[format!("user/{}", code.user), session.key()], async || {
            let user = gateway.state.user(&code.user).await?.ok_or(Denial::Unknown)?;
            let person = Person::admitted(&user)?;
            let tokens = gateway.state.tokens_of(OwnerKind::User, &user.id).await?;
            if tokens.iter().any(|token| token.id == code.token) {
                return Err(Denial::Code("was exchanged before"));
            }
            Ok((session.begin(gateway, caller, &code.provider, &person)?, person))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_to_the_own_machine_alone() {
        let challenge = URL_SAFE_NO_PAD.encode([7; 32]);
        let listener = |url: &str| Listener::new(url, challenge.clone()).ok();
        for good in ["http://127.0.0.1:8123/", "http://[::1]:8123/"] {
            assert_eq!(listener(good).unwrap().with("code", "a&b"), format!("{good}?code=a%26b"));
        }
        for bad in [
            "https://127.0.0.1:1/",
            "http://localhost:1/",
            "http://127.0.0.1.evil.example/",
            "http://ada@127.0.0.1:1/",
            "http://127.0.0.1:1/path",
            "http://127.0.0.1:1/?a=b",
            "http://10.0.0.1:1/",
            "nonsense",
        ] {
            assert!(listener(bad).is_none(), "{bad}");
        }
        assert!(Listener::new("http://127.0.0.1:1/", "short".to_owned()).is_err());
    }
}

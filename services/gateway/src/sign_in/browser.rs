//! Signing in with a browser, for the browser itself or for the command line.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use chancery_oidc::{Callback, OidcError, Pending, Provider};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::IntoParams;

use super::account::arrive;
use super::command_line::Listener;
use super::failure::Attempt;
use super::seal::Purpose;
use super::session::Session;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Cookie of a browser that has begun to sign in.
const BEGUN_COOKIE: &str = "chancery_sign_in";

/// What is to happen after a sign-in.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct StartQuery {
    /// Path of this service that the browser is sent to; `/` without.
    return_to: Option<String>,
    /// Instead: where the command line listens, `http://127.0.0.1:port/`.
    cli: Option<String>,
    /// Its PKCE challenge (RFC 7636, S256).
    challenge: Option<String>,
}

/// A sign-in that has begun: the browser keeps it.
#[derive(Serialize, Deserialize)]
struct Begun {
    pending: Pending,
    then: Then,
}

#[derive(Serialize, Deserialize)]
enum Then {
    ReturnTo(String),
    CommandLine(Listener),
}

/// The providers that one can sign in with.
#[utoipa::path(get, path = "/api/v1/sign-in/providers", tag = "sign-in", responses((status = 200)))]
pub(crate) async fn providers(gateway: web::Data<Gateway>) -> HttpResponse {
    let items: Vec<_> = gateway.sign_in.providers.iter().map(|provider| json!({ "name": provider.name })).collect();
    HttpResponse::Ok().json(json!({ "items": items }))
}

/// Sends a browser to a provider.
#[utoipa::path(get, path = "/auth/{provider}/start", tag = "sign-in", params(("provider" = String, Path, description = "Name of the provider"), StartQuery),
    responses((status = 302), (status = 400), (status = 404), (status = 503)))]
pub(crate) async fn start(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    name: web::Path<String>,
    query: web::Query<StartQuery>,
) -> Result<HttpResponse, ApiError> {
    let provider = gateway.sign_in.provider(&name)?;
    let then = then(&gateway, &request, query.into_inner())?;
    let address = gateway.address(&request);
    let redirect = Url::parse(&format!("{address}/auth/{}/callback", provider.name));
    let redirect = redirect.map_err(|error| ApiError::bad_request(format!("this service's address: {error}")))?;
    let (url, pending) = gateway.sign_in.party.begin(provider, &redirect).await.map_err(|error| {
        tracing::warn!(provider = provider.name, %error, "a sign-in cannot begin");
        ApiError::Unavailable(error.client_message().to_owned())
    })?;
    let lifetime = i64::try_from(Pending::LIFETIME.as_secs()).unwrap_or(i64::MAX);
    let until = gateway.now().saturating_add_micros(lifetime.saturating_mul(1_000_000));
    let begun = gateway.sign_in.seal.close(Purpose::Begun, &Begun { pending, then }, until)?;
    let cookie = cookie(begun, lifetime, address.starts_with("https:"));
    Ok(HttpResponse::Found().insert_header((LOCATION, url.as_str())).cookie(cookie).finish())
}

/// Takes a browser that a provider sends back: whoever it is gets a session, or a code for the command line.
#[utoipa::path(get, path = "/auth/{provider}/callback", tag = "sign-in", params(("provider" = String, Path, description = "Name of the provider")),
    responses((status = 303), (status = 400), (status = 403), (status = 404), (status = 503)))]
pub(crate) async fn callback(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: HttpRequest,
    name: web::Path<String>,
    answer: web::Query<Callback>,
) -> Result<HttpResponse, ApiError> {
    let provider = gateway.sign_in.provider(&name)?;
    let is_secure = gateway.address(&request).starts_with("https:");
    let kept = request.cookie(BEGUN_COOKIE);
    let begun = kept.and_then(|cookie| gateway.sign_in.seal.open(Purpose::Begun, cookie.value(), gateway.now()));
    let mut response = if let Some(Begun { pending, then }) = begun {
        match finish(&gateway, &caller, provider, &pending, &answer, &then).await {
            Ok((to, session)) => sent_to(to, session.map(|session| session.cookie(is_secure))),
            Err(error) => match then {
                Then::CommandLine(listener) => sent_to(listener.told_of(&error), None),
                Then::ReturnTo(_) => error.error_response(),
            },
        }
    } else {
        let attempt = Attempt { gateway: &gateway, caller: &caller, provider: &provider.name };
        let denial = OidcError::Callback("it did not begin in this browser, or too long ago").into();
        attempt.failed(None, denial).await.error_response()
    };
    // It is good for one attempt.
    response.add_cookie(&cookie(String::new(), 0, is_secure)).ok();
    Ok(response)
}

fn sent_to(url: String, cookie: Option<Cookie<'static>>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, url));
    if let Some(cookie) = cookie {
        response.cookie(cookie);
    }
    response.finish()
}

/// Who came back, where they go now, and the session that goes with them.
async fn finish(
    gateway: &Gateway,
    caller: &Caller,
    provider: &Provider,
    pending: &Pending,
    answer: &Callback,
    then: &Then,
) -> Result<(String, Option<Session>), ApiError> {
    let identity = match gateway.sign_in.party.finish(provider, pending, answer).await {
        Ok(identity) => identity,
        Err(error) => {
            let attempt = Attempt { gateway, caller, provider: &provider.name };
            return Err(attempt.failed(None, error.into()).await);
        }
    };
    match then {
        Then::ReturnTo(path) => {
            let session = Session::in_browser(gateway);
            arrive(gateway, caller, provider, &identity, Some(&session)).await?;
            Ok((path.clone(), Some(session)))
        }
        Then::CommandLine(listener) => {
            let person = arrive(gateway, caller, provider, &identity, None).await?;
            Ok((listener.given_code(gateway, &person, &provider.name)?, None))
        }
    }
}

fn then(gateway: &Gateway, request: &HttpRequest, query: StartQuery) -> Result<Then, ApiError> {
    match (query.cli, query.challenge) {
        (Some(url), Some(challenge)) => Ok(Then::CommandLine(Listener::new(&url, challenge)?)),
        (None, None) => {
            let path = query.return_to.as_deref().unwrap_or("/");
            let local = gateway.local(request, path).map(Then::ReturnTo);
            local.ok_or_else(|| ApiError::bad_request("`return_to` must be a path of this service"))
        }
        _ => Err(ApiError::bad_request("`cli` and `challenge` go together")),
    }
}

/// Comes along when the provider sends the browser back, which is another site.
fn cookie(value: String, seconds: i64, is_secure: bool) -> Cookie<'static> {
    Cookie::build(BEGUN_COOKIE, value)
        .path("/auth")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}

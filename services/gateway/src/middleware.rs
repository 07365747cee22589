//! What every request passes: id, authentication, authorisation by the route table, metrics, access log.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use chancery_domain::events::identity::TokenRefused;
use chancery_domain::tokens::{Scope, Token, TokenRefusal};
use chancery_domain::{Actor, ActorKind, Event, OWN_SOURCE, Resource};
use chancery_evidence::Sealed;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::routes::{self, Access};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks, and in which request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) request_id: String,
}

/// Wraps every request.
pub(crate) async fn around(
    gateway: web::Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let request_id = request_id(request.request());
    let method = request.method().clone();
    let pattern = request.match_pattern();
    let path = request.path().to_owned();
    let caller = admit(&gateway, request.request(), pattern.as_deref(), &request_id).await;
    let mut response = match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await?.map_into_left_body()
        }
        Err(error) => request.error_response(error).map_into_right_body(),
    };
    let status = response.status().as_u16();
    let elapsed = begun.elapsed();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    let route = pattern.unwrap_or_else(|| "none".to_owned());
    metrics::histogram!("chancery_http_request_seconds", "method" => method.to_string(), "route" => route, "status" => status.to_string())
        .record(elapsed.as_secs_f64());
    tracing::info!(request.id = request_id, %method, path, status, duration_ms = elapsed.as_secs_f64() * 1e3, "request");
    Ok(response)
}

/// The caller's id for the request, if it is a sane one, or a new one.
fn request_id(request: &HttpRequest) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given
        .filter(|id| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// Finds out who asks and whether they may.
async fn admit(
    gateway: &Gateway,
    request: &HttpRequest,
    pattern: Option<&str>,
    request_id: &str,
) -> Result<Caller, ApiError> {
    let route = pattern.and_then(|pattern| routes::find(request.method().as_str(), pattern));
    let anonymous = Caller { actor: actor(request, None), request_id: request_id.to_owned() };
    let Some(route) = route else { return Ok(anonymous) };
    if !gateway.settings.serves_api && !route.is_about_the_node() {
        return Err(ApiError::NotFound("this node does not serve the API; its roles have no `gateway`".to_owned()));
    }
    let Access::Token(scope) = route.access else { return Ok(anonymous) };
    match authorize(gateway, request, scope).await {
        Ok(token) => Ok(Caller { actor: actor(request, Some(&token)), request_id: request_id.to_owned() }),
        // Who asks is not known: nobody was refused.
        Err((error @ ApiError::Unavailable(_), _)) => Err(error),
        Err((error, presented)) => {
            record_refusal(gateway, request, &anonymous, scope, presented, &error).await;
            Err(error)
        }
    }
}

/// The token that allows the scope, or why there is none and the id that was presented.
async fn authorize(
    gateway: &Gateway,
    request: &HttpRequest,
    scope: Scope,
) -> Result<Token, (ApiError, Option<String>)> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(presented) = header.and_then(|value| value.strip_prefix("Bearer ")) else {
        return Err((ApiError::Unauthenticated("send `Authorization: Bearer chy_…`".to_owned()), None));
    };
    let invalid =
        |id: Option<&str>| (ApiError::Unauthenticated("the token is not valid".to_owned()), id.map(str::to_owned));
    let parts = presented.trim().strip_prefix("chy_").and_then(|rest| rest.split_once('_'));
    let (id, secret) = parts.ok_or_else(|| invalid(None))?;
    let token =
        gateway.state.token(id).await.map_err(|error| (error.into(), None))?.ok_or_else(|| invalid(Some(id)))?;
    let digest = format!("{:x}", Sha256::digest(secret.as_bytes()));
    if !bool::from(digest.as_bytes().ct_eq(token.secret_sha256.as_bytes())) {
        return Err(invalid(Some(id)));
    }
    match token.authorize(scope, gateway.now()) {
        Ok(()) => Ok(token),
        Err(TokenRefusal::Scope) => {
            let detail = format!("this needs a token with the scope `{}`", scope.as_str());
            Err((ApiError::Forbidden(detail), Some(id.to_owned())))
        }
        Err(refusal) => Err((ApiError::Unauthenticated(refusal.to_string()), Some(id.to_owned()))),
    }
}

/// The actor behind a request.
fn actor(request: &HttpRequest, token: Option<&Token>) -> Actor {
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    Actor {
        id: token.map_or_else(String::new, |token| token.id.clone()),
        name: token.map(|token| token.name.clone()),
        kind: ActorKind::Service,
        ip: request.peer_addr().map(|address| address.ip().to_canonical()),
        user_agent: user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(256).collect()),
        ..Actor::default()
    }
}

/// Puts a refusal on record. A flood is counted but does not fill the log.
async fn record_refusal(
    gateway: &Gateway,
    request: &HttpRequest,
    caller: &Caller,
    scope: Scope,
    presented: Option<String>,
    error: &ApiError,
) {
    metrics::counter!("chancery_refusals_total").increment(1);
    if !gateway.refusals.admit() {
        return;
    }
    let id: String = presented.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let resource = Resource::new("token", if id.is_empty() { "unknown" } else { id.as_str() });
    let mut event = gateway.event("token.refused", caller, resource);
    event.reason = Some(error.to_string());
    event.data = serde_json::json!(TokenRefused {
        method: request.method().to_string(),
        needed: Some(scope.as_str().to_owned()),
        path: request.path().chars().filter(|c| !c.is_control()).take(512).collect(),
    });
    let appended = match Sealed::new(&event) {
        Ok(sealed) => gateway.log.append(vec![sealed]).await.map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = appended {
        tracing::warn!(error, "a refusal could not be put on record");
    }
}

impl Gateway {
    /// An event of our own about what a caller did.
    pub(crate) fn event(&self, event_type: &str, caller: &Caller, resource: Resource) -> Event {
        let id = uuid::Uuid::now_v7().to_string();
        let mut event = Event::new(event_type, id, OWN_SOURCE, self.now(), caller.actor.clone(), resource);
        event.correlation = Some(caller.request_id.clone());
        event
    }
}

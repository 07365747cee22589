//! What every request passes: id, authentication, authorisation by the route table, metrics, access log.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use chancery_domain::decision::{self, EventIds};
use chancery_domain::events::identity::TokenRefused;
use chancery_domain::events::runners::RunnerRefused;
use chancery_domain::runners::RunnerRecord;
use chancery_domain::tokens::Token;
use chancery_domain::{Actor, ActorKind, Event, OWN_SOURCE, PolicyReference, Resource};
use chancery_evidence::Sealed;
use chancery_policy::{Context, Permission, Principal, Visible};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::authorization::{self, Rules};
use crate::building::credentials;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::routes::{self, Access};
use crate::runners::signature;
use crate::scim::{self, Failure};
use crate::sign_in::machine;

/// Cookie that carries a browser's session: a token, out of reach of scripts.
pub(crate) const SESSION_COOKIE: &str = "chancery_session";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks, and in which request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) request_id: String,
    /// What they presented.
    pub(crate) token: Option<Arc<Token>>,
    /// The runner that signed the request.
    pub(crate) runner: Option<Arc<RunnerRecord>>,
    /// The digest of the body that it signed.
    pub(crate) signed: Option<[u8; 32]>,
    /// Whom policies judge; nobody where no policy is asked.
    pub(crate) principal: Option<Principal>,
    /// Under which circumstances.
    pub(crate) circumstances: Context,
    /// The policies that let them.
    pub(crate) policies: Vec<PolicyReference>,
    /// Where they may do what they ask for.
    pub(crate) visible: Visible,
    /// What they are judged by.
    pub(crate) rules: Option<Arc<Rules>>,
}

impl Caller {
    fn anonymous(actor: Actor, request_id: &str) -> Self {
        Self {
            actor,
            request_id: request_id.to_owned(),
            token: None,
            runner: None,
            signed: None,
            principal: None,
            circumstances: Context::default(),
            policies: Vec::new(),
            visible: Visible::Only(BTreeSet::new()),
            rules: None,
        }
    }
}

/// Wraps every request.
pub(crate) async fn around(
    gateway: web::Data<Gateway>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let request_id = request_id(request.request());
    let method = request.method().clone();
    let pattern = request.match_pattern();
    let path = request.path().to_owned();
    let mut caller = admit(&gateway, request.request(), pattern.as_deref(), &request_id).await;
    if let Ok(Caller { signed: Some(signed), .. }) = caller
        && let Err(error) = signature::check_body(&gateway, &mut request, signed).await
    {
        if let (Ok(caller), ApiError::Unauthenticated(_)) = (&caller, &error) {
            let reason = error.to_string();
            record_refusal(&gateway, request.request(), caller, Permission::RunnersRun, None, reason).await;
        }
        caller = Err(error);
    }
    let mut response = match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let response = next.call(request).await?;
            record_stopped(&gateway, &response, caller, pattern.as_deref()).await;
            response.map_into_left_body()
        }
        Err(error) if path.starts_with("/scim/") => {
            request.into_response(Failure::from(error).response()).map_into_right_body()
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
    let anonymous = Caller::anonymous(client(gateway, request), request_id);
    let Some(route) = route else { return Ok(anonymous) };
    if !gateway.settings.serves_api && !route.is_about_the_node() {
        return Err(ApiError::NotFound("this node does not serve the API; its roles have no `gateway`".to_owned()));
    }
    let permission = match route.access {
        Access::Public => return Ok(anonymous),
        Access::Scim if scim::is_public(request.path()) => return Ok(anonymous),
        Access::Scim if scim::is_me(request.path()) => Permission::TokensRead,
        Access::Scim => Permission::ScimPush,
        // The handler knows the job.
        Access::Job(_) if credentials::are_presented(request) => return Ok(anonymous),
        Access::Permission(permission) | Access::Judged(permission) | Access::Job(permission) => permission,
        Access::Given(given) => match given.first() {
            Some(permission) => *permission,
            None => return Ok(anonymous),
        },
    };
    match authorize(gateway, request, &anonymous, permission, route.access).await {
        Ok(caller) => Ok(caller),
        // Who asks is not known: nobody was refused.
        Err(Refused { error: error @ (ApiError::Unavailable(_) | ApiError::Busy | ApiError::Internal(_)), .. }) => {
            Err(error)
        }
        Err(Refused { error, reason, token, caller }) => {
            let caller = caller.as_deref().unwrap_or(&anonymous);
            let reason = reason.unwrap_or_else(|| error.to_string());
            record_refusal(gateway, request, caller, permission, token, reason).await;
            Err(error)
        }
    }
}

/// A request that is turned away.
struct Refused {
    error: ApiError,
    /// Why, where whoever asks is not told all of it.
    reason: Option<String>,
    /// Id of the token that was presented.
    token: Option<String>,
    /// Who asked, once that is known, with the policies that forbid it.
    caller: Option<Box<Caller>>,
}

impl Refused {
    fn new(error: ApiError, token: Option<&str>) -> Self {
        Self { error, reason: None, token: token.map(str::to_owned), caller: None }
    }
}

/// Who asks, if the policies let them, or if the handler of such a route may find that they do.
async fn authorize(
    gateway: &Gateway,
    request: &HttpRequest,
    anonymous: &Caller,
    permission: Permission,
    access: Access,
) -> Result<Caller, Refused> {
    if signature::is_signed(request) {
        // Of what may be given to someone, a runner is given what it takes to run.
        let runs = matches!(access, Access::Given(given) if given.contains(&Permission::RunnersRun));
        let permission = if runs { Permission::RunnersRun } else { permission };
        return authorize_runner(gateway, request, anonymous, permission).await;
    }
    let token = authenticate(gateway, request).await?;
    let refused = |error: ApiError| Refused::new(error, Some(&token.id));
    let rules = gateway.authority.rules(&gateway.state).await.map_err(refused)?;
    let (principal, actor) =
        authorization::principal(&gateway.state, &token, &anonymous.actor).await.map_err(refused)?;
    let circumstances = authorization::circumstances(&token, &actor, gateway.now().as_micros());
    let permission = match (&principal, permission) {
        // A connection is told that it is nobody.
        (Principal::Connection(_), Permission::TokensRead) if scim::is_me(request.path()) => Permission::ScimPush,
        _ => permission,
    };
    let (decision, visible) = rules.judge(&principal, permission, &circumstances);
    let caller = Caller {
        actor,
        request_id: anonymous.request_id.clone(),
        policies: authorization::references(&decision),
        token: Some(token.clone()),
        runner: None,
        signed: None,
        principal: Some(principal),
        circumstances,
        visible,
        rules: Some(rules),
    };
    let judged_later = match access {
        Access::Judged(_) => caller.is_in_scope(),
        Access::Given(given) => caller.could(given),
        Access::Public | Access::Permission(_) | Access::Job(_) | Access::Scim => false,
    };
    if !decision.allowed && caller.visible.is_nothing() && !judged_later {
        let error = ApiError::Forbidden(format!("nothing permits you `{permission}`"));
        return Err(Refused { caller: Some(Box::new(caller)), ..refused(error) });
    }
    gateway.note_use(&token, &caller.actor, &anonymous.request_id);
    Ok(caller)
}

/// The runner that signed the request, if the policies let it.
async fn authorize_runner(
    gateway: &Gateway,
    request: &HttpRequest,
    anonymous: &Caller,
    permission: Permission,
) -> Result<Caller, Refused> {
    let named = |runner: &Arc<RunnerRecord>| {
        let (id, name) = (runner.id.clone(), Some(runner.name.clone()));
        let actor = Actor { id, kind: ActorKind::Runner, name, ..anonymous.actor.clone() };
        Caller { actor, runner: Some(runner.clone()), ..anonymous.clone() }
    };
    let refused =
        |error: ApiError, caller: Caller| Refused { caller: Some(Box::new(caller)), ..Refused::new(error, None) };
    let (runner, signed) = signature::signer(gateway, request).await.map_err(|stopped| {
        let caller = stopped.runner.as_ref().map_or_else(|| anonymous.clone(), named);
        refused(stopped.error, caller)
    })?;
    let caller = named(&runner);
    let rules = match gateway.authority.rules(&gateway.state).await {
        Ok(rules) => rules,
        Err(error) => return Err(refused(error, caller)),
    };
    let identity = chancery_policy::Runner { id: runner.id.clone(), organization: runner.organization.clone() };
    let principal = Principal::Runner(identity);
    let time = jiff::Timestamp::from_microsecond(gateway.now().as_micros()).ok();
    let circumstances = Context { scopes: None, address: caller.actor.ip, time, session: None };
    let (decision, visible) = rules.judge(&principal, permission, &circumstances);
    let policies = authorization::references(&decision);
    let rules = Some(rules);
    let caller =
        Caller { policies, principal: Some(principal), circumstances, visible, rules, signed: Some(signed), ..caller };
    if !decision.allowed && caller.visible.is_nothing() {
        let error = ApiError::Forbidden(format!("nothing permits you `{permission}`"));
        return Err(refused(error, caller));
    }
    gateway.beats.note(format!("runner/{}", runner.id), gateway.now());
    Ok(caller)
}

/// The token that was presented, or that a machine's own one stands for, if it works.
async fn authenticate(gateway: &Gateway, request: &HttpRequest) -> Result<Arc<Token>, Refused> {
    match bearer(request) {
        Some(presented) if gateway.sign_in.may_trust(presented) => {
            machine::token(gateway, presented).await.map_err(|error| {
                let reason = Some(error.to_string());
                Refused { reason, ..Refused::new(ApiError::from(&error), None) }
            })
        }
        Some(presented) => working(gateway, presented).await,
        None => {
            let session = session(gateway, request).map_err(|error| Refused::new(error, None))?;
            working(gateway, session.value()).await
        }
    }
}

/// The credentials in the header.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| rest.trim())
}

/// The cookie of a session. Browsers send it along whoever has them ask: what changes something must come from here.
fn session(gateway: &Gateway, request: &HttpRequest) -> Result<Cookie<'static>, ApiError> {
    let Some(cookie) = request.cookie(SESSION_COOKIE) else {
        return Err(ApiError::Unauthenticated("send `Authorization: Bearer chy_…`".to_owned()));
    };
    if request.method().is_safe() || gateway.is_from_own_page(request) {
        return Ok(cookie);
    }
    let detail = "with a cookie, changes are taken from pages of this service alone";
    Err(ApiError::Forbidden(detail.to_owned()))
}

/// A token of ours, if it works.
async fn working(gateway: &Gateway, presented: &str) -> Result<Arc<Token>, Refused> {
    let invalid = |id: Option<&str>| Refused::new(ApiError::Unauthenticated("the token is not valid".to_owned()), id);
    let parts = presented.strip_prefix("chy_").and_then(|rest| rest.split_once('_'));
    let (id, secret) = parts.ok_or_else(|| invalid(None))?;
    let found = gateway.state.token(id).await.map_err(|error| Refused::new(error.into(), None))?;
    let token = found.ok_or_else(|| invalid(Some(id)))?;
    let digest = format!("{:x}", Sha256::digest(secret.as_bytes()));
    if !bool::from(digest.as_bytes().ct_eq(token.secret_sha256.as_bytes())) {
        return Err(invalid(Some(id)));
    }
    if !token.works_at(gateway.now()) {
        let detail = if token.revoked_at.is_some() { "the token was revoked" } else { "the token has expired" };
        return Err(Refused::new(ApiError::Unauthenticated(detail.to_owned()), Some(id)));
    }
    Ok(Arc::new(token))
}

/// What is known of whoever sends a request before they say who they are.
fn client(gateway: &Gateway, request: &HttpRequest) -> Actor {
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    Actor {
        kind: ActorKind::Service,
        ip: client_address(request, &gateway.settings.trusted_proxies),
        user_agent: user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(256).collect()),
        ..Actor::default()
    }
}

/// Where a request comes from: the peer, or, as far as peers are trusted proxies, the last address that one of them has
/// added to `X-Forwarded-For`. What stands before that anyone could have written.
fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut address = request.peer_addr()?.ip().to_canonical();
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let forwarded: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in forwarded.into_iter().rev() {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        let Ok(next) = text.parse::<IpAddr>() else { break };
        address = next.to_canonical();
    }
    Some(address)
}

/// Puts on record whom a handler has stopped: they may use the operation, and not for what they wanted.
async fn record_stopped(
    gateway: &Gateway,
    response: &ServiceResponse<impl MessageBody>,
    caller: Caller,
    pattern: Option<&str>,
) {
    if response.status() != StatusCode::FORBIDDEN {
        return;
    }
    let request = response.request();
    let route = pattern.and_then(|pattern| routes::find(request.method().as_str(), pattern));
    let Some(
        Access::Permission(permission)
        | Access::Judged(permission)
        | Access::Job(permission)
        | Access::Given(&[permission, ..]),
    ) = route.map(|route| route.access)
    else {
        return;
    };
    let error = response.response().error();
    if error
        .and_then(|error| error.as_error::<ApiError>())
        .is_some_and(|error| matches!(error, ApiError::Denied { .. }))
    {
        return;
    }
    let reason = error.map_or_else(|| "it is not permitted".to_owned(), ToString::to_string);
    let token = caller.token.as_ref().map(|token| token.id.clone());
    // What let them in did not stop them.
    let caller = Caller { policies: Vec::new(), ..caller };
    record_refusal(gateway, request, &caller, permission, token, reason).await;
}

/// Puts a refusal on record. A flood is counted but does not fill the log.
pub(crate) async fn record_refusal(
    gateway: &Gateway,
    request: &HttpRequest,
    caller: &Caller,
    permission: Permission,
    presented: Option<String>,
    reason: String,
) {
    metrics::counter!("chancery_refusals_total").increment(1);
    if !gateway.refusals.admit() {
        return;
    }
    if let Some(runner) = &caller.runner {
        let path = request.path().chars().filter(|c| !c.is_control()).take(512).collect();
        let about = RunnerRefused { method: request.method().to_string(), path };
        record(gateway, &runner.refused(reason, &about, gateway.context(caller))).await;
        return;
    }
    let id: String = presented.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let resource = Resource::new("token", if id.is_empty() { "unknown" } else { id.as_str() });
    let mut event = gateway.event("token.refused", caller, resource);
    event.reason = Some(reason);
    event.data = serde_json::json!(TokenRefused {
        method: request.method().to_string(),
        needed: Some(permission.as_str().to_owned()),
        path: request.path().chars().filter(|c| !c.is_control()).take(512).collect(),
    });
    record(gateway, &event).await;
}

async fn record(gateway: &Gateway, event: &Event) {
    let appended = match Sealed::new(event) {
        Ok(sealed) => gateway.log.append(vec![sealed]).await.map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = appended {
        tracing::warn!(error, "a refusal could not be put on record");
    }
}

impl Gateway {
    /// Puts on record that a runner was stopped that has asked for what is another's.
    pub(crate) async fn record_foreign(&self, request: &HttpRequest, caller: &Caller, reason: &str) {
        record_refusal(self, request, caller, Permission::RunnersRun, None, reason.to_owned()).await;
    }

    /// An event of our own about what a caller did.
    pub(crate) fn event(&self, event_type: &str, caller: &Caller, resource: Resource) -> Event {
        let id = uuid::Uuid::now_v7().to_string();
        let mut event = Event::new(event_type, id, OWN_SOURCE, self.now(), caller.actor.clone(), resource);
        event.correlation = Some(caller.request_id.clone());
        event.policies.clone_from(&caller.policies);
        event
    }

    /// Puts events on record, before anything else is done.
    pub(crate) async fn record(&self, events: &[Event]) -> Result<(), ApiError> {
        let sealed: Result<Vec<Sealed>, _> = events.iter().map(Sealed::new).collect();
        let sealed = sealed.map_err(|error| ApiError::Internal(error.to_string()))?;
        self.log.append(sealed).await?;
        Ok(())
    }

    /// What a decision may know of a caller's request.
    pub(crate) fn context(&self, caller: &Caller) -> decision::Context {
        decision::Context {
            now: self.now(),
            ids: EventIds::starting_with(uuid::Uuid::now_v7()),
            source: OWN_SOURCE.to_owned(),
            actor: caller.actor.clone(),
            correlation: Some(caller.request_id.clone()),
            policies: caller.policies.clone(),
        }
    }

    /// Has it put on record, now and then, that a token is in use. Nobody waits for it.
    fn note_use(&self, token: &Arc<Token>, actor: &Actor, request_id: &str) {
        if !self.uses.is_due(&token.id, token.last_used_at, self.now()) {
            return;
        }
        let caller = Caller::anonymous(actor.clone(), request_id);
        let events = token.used(self.context(&caller));
        let sealed: Vec<Sealed> = events.iter().filter_map(|event| Sealed::new(event).ok()).collect();
        let log = self.log.clone();
        tokio::spawn(async move {
            if let Err(error) = log.append(sealed).await {
                tracing::warn!(%error, "the use of a token could not be put on record");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_of_an_address_is_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.7/32".parse().unwrap()];
        let from = |peer: &str, forwarded: &str, trusted: &[IpNet]| {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap());
            let request = request.insert_header(("x-forwarded-for", forwarded)).to_http_request();
            client_address(&request, trusted).unwrap().to_string()
        };
        assert_eq!(from("10.0.0.1:9", "203.0.113.9", &trusted), "203.0.113.9");
        assert_eq!(from("10.0.0.1:9", "6.6.6.6, 203.0.113.9, 192.0.2.7", &trusted), "203.0.113.9");
        assert_eq!(from("198.51.100.1:9", "203.0.113.9", &trusted), "198.51.100.1");
        assert_eq!(from("10.0.0.1:9", "nonsense", &trusted), "10.0.0.1");
        assert_eq!(from("10.0.0.1:9", "203.0.113.9", &[]), "10.0.0.1");
    }
}

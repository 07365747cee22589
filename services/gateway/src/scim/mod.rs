//! SCIM 2.0 below `/scim/v2` (RFC 7644): the protocol is [`chancery_scim`]'s, what becomes of it the domain's decisions.
//!
//! The bearer token says which connection pushes. It sees and changes what it made, and nothing else. [`serve`] finds the
//! endpoint; [`users`], [`groups`] and [`custom`] plan changes, [`change`] takes them as decisions and puts on record
//! what was refused or changed nothing; [`list`] answers questions, [`show`] renders.

mod answer;
mod bulk;
mod change;
mod cursor;
mod custom;
mod discovery;
mod dry_run;
mod failure;
mod following;
mod groups;
mod list;
mod members;
mod push;
mod show;
mod stored;
mod users;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use chancery_scim::{ListQuery, ScimError, ScimType};
use futures::StreamExt;
use serde_json::Value;

pub(crate) use dry_run::{DryRun, dry_run};
pub(crate) use failure::Failure;
pub(crate) use following::follow_all;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use answer::{Answer, not_allowed};
use change::{Change, Wish};
use push::Push;

/// Everything below `/scim/`.
pub(crate) const PATTERN: &str = "/scim/{path:.*}";

/// What can be asked without a token: what the service can do (RFC 7644, 4).
pub(crate) fn is_public(path: &str) -> bool {
    let mut segments = path.trim_start_matches("/scim/").split('/').filter(|segment| !segment.is_empty());
    let version = segments.next();
    let endpoint = segments.next().unwrap_or_default();
    version == Some("v2")
        && ["ServiceProviderConfig", "ResourceTypes", "Schemas"].iter().any(|name| name.eq_ignore_ascii_case(endpoint))
}

/// Whether it is about the one who asks, a person with a token of their own.
pub(crate) fn is_me(path: &str) -> bool {
    path.trim_end_matches('/').eq_ignore_ascii_case("/scim/v2/Me")
}

/// Answers a request of an identity provider.
pub(crate) async fn serve(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let gateway = gateway.into_inner();
    let caller = caller.into_inner();
    let answered = match route(&request) {
        Ok(route) => answer(gateway, caller, &request, payload, route).await,
        Err(error) => Err(error),
    };
    answered.map_or_else(|failure| failure.response(), Answer::response)
}

/// What a method and a path ask for.
enum Route {
    Discovery(Vec<String>),
    Me,
    Bulk,
    Root,
    RootSearch,
    Resources { endpoint: String },
    Search { endpoint: String },
    Resource { endpoint: String, id: String },
}

/// Finds the endpoint, before anything of a body is read.
fn route(request: &HttpRequest) -> Result<Route, Failure> {
    let path = request.match_info().get("path").unwrap_or_default();
    let segments: Result<Vec<String>, _> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8().map(std::borrow::Cow::into_owned))
        .collect();
    let segments = segments.map_err(|_| ScimError::not_found("the path is not UTF-8"))?;
    let (version, rest) = segments.split_first().ok_or_else(|| ScimError::not_found("nothing is served here"))?;
    if version != "v2" {
        let unknown = ScimError::of(ScimType::InvalidVers, format!("`{version}` is not served; v2 is"));
        return Err(unknown.into());
    }
    let is = |name: &str| rest.first().is_some_and(|first| first.eq_ignore_ascii_case(name));
    let (route, allowed): (Route, &'static [Method]) = match rest {
        [] => (Route::Root, &[Method::GET]),
        [search] if search == ".search" => (Route::RootSearch, &[Method::POST]),
        _ if is("ServiceProviderConfig") || is("ResourceTypes") || is("Schemas") => {
            (Route::Discovery(rest.to_vec()), &[Method::GET])
        }
        [_] if is("Me") => (Route::Me, &[Method::GET]),
        [_] if is("Bulk") => (Route::Bulk, &[Method::POST]),
        [endpoint] => (Route::Resources { endpoint: format!("/{endpoint}") }, &[Method::GET, Method::POST]),
        [endpoint, search] if search == ".search" => {
            (Route::Search { endpoint: format!("/{endpoint}") }, &[Method::POST])
        }
        [endpoint, id] => (
            Route::Resource { endpoint: format!("/{endpoint}"), id: id.clone() },
            &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
        ),
        _ => return Err(ScimError::not_found("nothing is served here").into()),
    };
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if allowed.contains(method) { Ok(route) } else { Err(not_allowed(allowed)) }
}

async fn answer(
    gateway: std::sync::Arc<Gateway>,
    caller: Caller,
    request: &HttpRequest,
    payload: web::Payload,
    route: Route,
) -> Result<Answer, Failure> {
    let base = push::base(&gateway, request);
    if let Route::Discovery(path) = &route {
        return discovery::answer(&gateway, &base, path, request.query_string());
    }
    if matches!(route, Route::Me) {
        return show::me(gateway, caller, base, &query(request)?).await;
    }
    let push = Push::begin(gateway, caller, base).await?;
    if let Route::Resources { endpoint } | Route::Search { endpoint } | Route::Resource { endpoint, .. } = &route {
        push.resource_type(endpoint)?;
    }
    if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        check_media_type(request)?;
    }
    let preconditions = answer::Preconditions::of(request);
    match (route, request.method().clone()) {
        (Route::Root, _) => list::answer(&push, None, query(request)?).await,
        (Route::RootSearch, _) => {
            list::answer(&push, None, ListQuery::from_search_request(body(&push, payload).await?)?).await
        }
        (Route::Search { endpoint }, _) => {
            let asked = ListQuery::from_search_request(body(&push, payload).await?)?;
            list::answer(&push, Some(push.resource_type(&endpoint)?), asked).await
        }
        (Route::Bulk, _) => bulk::answer(&push, body(&push, payload).await?).await,
        (Route::Resources { endpoint }, Method::POST) => {
            let asked = query(request)?;
            let wish = Wish {
                resource_type: push.resource_type(&endpoint)?,
                id: change::new_id(),
                change: Change::Create(body(&push, payload).await?),
                preconditions,
            };
            change::perform(&push, wish, &asked).await
        }
        (Route::Resources { endpoint }, _) => {
            list::answer(&push, Some(push.resource_type(&endpoint)?), query(request)?).await
        }
        (Route::Resource { endpoint, id }, method) => {
            let asked = query(request)?;
            let resource_type = push.resource_type(&endpoint)?;
            let change = match method {
                Method::PUT => Change::Replace(body(&push, payload).await?),
                Method::PATCH => Change::Patch(body(&push, payload).await?),
                Method::DELETE => Change::Delete,
                _ => return show::one(&push, resource_type, &id, &asked, &preconditions).await,
            };
            change::perform(&push, Wish { resource_type, id, change, preconditions }, &asked).await
        }
        (Route::Discovery(_) | Route::Me, _) => Err(ScimError::not_found("nothing is served here").into()),
    }
}

fn query(request: &HttpRequest) -> Result<ListQuery, ScimError> {
    ListQuery::from_parameters(url::form_urlencoded::parse(request.query_string().as_bytes()))
}

/// Refuses a body that is said to be something else than JSON. Some clients do not say.
fn check_media_type(request: &HttpRequest) -> Result<(), ScimError> {
    let given = request.headers().get(actix_web::http::header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let essence = given.split(';').next().unwrap_or_default().trim();
    match essence {
        "" | "application/scim+json" | "application/json" | "text/json" => Ok(()),
        other => Err(ScimError::new(415, format!("a body is application/scim+json, not {other}"))),
    }
}

/// Reads a JSON body.
async fn body(push: &Push, mut payload: web::Payload) -> Result<Value, Failure> {
    let most = push.gateway.settings.max_scim_body_bytes;
    let mut bytes = bytes::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
        if bytes.len() + chunk.len() > most {
            return Err(ScimError::too_large(format!("the body is larger than {most} bytes")).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let syntax = |error| ScimError::of(ScimType::InvalidSyntax, format!("the body is not JSON: {error}"));
    serde_json::from_slice(&bytes).map_err(|error: serde_json::Error| syntax(error).into())
}

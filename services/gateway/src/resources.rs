//! Current state, as far as the caller sees it: users, groups, templates, workspaces, sessions; consumers and what they parked.

use actix_web::{HttpResponse, web};
use chancery_domain::directory::UserStatus;
use chancery_log::Frontier;
use chancery_policy::Visible;
use chancery_state::{ResourceKind, Wanted, Within};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

const MOST: usize = 1000;
/// Longest text that is looked for, in characters.
const LONGEST: usize = 256;

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Page {
    /// Id of the last row of the page before.
    after: Option<String>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// Which users, and which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct UserPage {
    /// Id of the last row of the page before.
    after: Option<String>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
    /// Text in the login name, the full name or the main e-mail address, whatever its case.
    q: Option<String>,
    /// `active`, `suspended` or `deleted`.
    status: Option<String>,
    /// Home organization.
    organization: Option<String>,
}

/// A page of what the caller may see.
async fn page(gateway: &Gateway, caller: &Caller, kind: ResourceKind, page: &Page) -> Result<HttpResponse, ApiError> {
    let limit = limit(page.limit)?;
    let rows = gateway.state.list(kind, within(caller), page.after.as_deref(), limit).await?;
    Ok(shown(gateway, &rows, limit))
}

/// How many rows.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(100);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")))
}

fn within(caller: &Caller) -> Within<'_> {
    match &caller.visible {
        Visible::All => Within::All,
        Visible::Only(shown) => Within::Only(shown),
        Visible::AllBut(hidden) => Within::AllBut(hidden),
    }
}

fn shown(gateway: &Gateway, rows: &[Value], limit: usize) -> HttpResponse {
    let next = rows.last().filter(|_| rows.len() == limit).and_then(|row| row.get("id").cloned());
    HttpResponse::Ok().json(json!({ "items": rows, "next": next, "position": gateway.state.applied().to_string() }))
}

/// Users.
#[utoipa::path(get, path = "/api/v1/users", tag = "state", params(UserPage), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn users(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<UserPage>,
) -> Result<HttpResponse, ApiError> {
    let UserPage { after, limit: asked, q, status, organization } = query.into_inner();
    let unknown = || ApiError::bad_request("`status` is `active`, `suspended` or `deleted`");
    let status = status.map(|name| UserStatus::from_name(&name).ok_or_else(unknown)).transpose()?;
    for (name, text) in [("q", &q), ("organization", &organization)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
            return Err(ApiError::bad_request(format!("`{name}` must have at most {LONGEST} characters")));
        }
    }
    let wanted = Wanted { text: q, status, organization };
    let limit = limit(asked)?;
    let rows = gateway.state.list_users(within(&caller), &wanted, after.as_deref(), limit).await?;
    Ok(shown(&gateway, &rows, limit))
}

/// Groups.
#[utoipa::path(get, path = "/api/v1/groups", tag = "state", params(Page), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn groups(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    page(&gateway, &caller, ResourceKind::Groups, &query).await
}

/// Templates.
#[utoipa::path(get, path = "/api/v1/templates", tag = "state", params(Page), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn templates(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    page(&gateway, &caller, ResourceKind::Templates, &query).await
}

/// A page of the workspaces in the organizations that the caller sees.
pub(crate) async fn workspaces(
    gateway: &Gateway,
    caller: &Caller,
    after: Option<&str>,
    limit: usize,
) -> Result<HttpResponse, ApiError> {
    let rows = gateway.state.list(ResourceKind::Workspaces, within(caller), after, limit).await?;
    Ok(shown(gateway, rows, limit))
}

/// Sessions.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "state", params(Page), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn sessions(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    page(&gateway, &caller, ResourceKind::Sessions, &query).await
}

/// How far the lake is.
#[utoipa::path(get, path = "/api/v1/lake", tag = "operations", responses((status = 200), (status = 401)))]
pub(crate) async fn lake(gateway: web::Data<Gateway>) -> HttpResponse {
    HttpResponse::Ok().json(gateway.lake.status())
}

/// How far each consumer is.
#[utoipa::path(get, path = "/api/v1/consumers", tag = "operations", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn consumers(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let heads = gateway.log.heads();
    let row = |name: &str, reached: &Frontier, dead_letters: u64| {
        json!({
            "name": name, "position": reached.total(), "lag": heads.ahead_of(reached), "dead_letters": dead_letters,
        })
    };
    let consumers = gateway.state.consumers().await?;
    let mut rows: Vec<_> =
        consumers.iter().map(|consumer| row(&consumer.name, &consumer.reached, consumer.dead_letters)).collect();
    rows.push(row("archiver", &gateway.lake.watermark(), 0));
    Ok(HttpResponse::Ok().json(json!({ "head": heads.total(), "items": rows })))
}

/// Which part of the dead letters.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct DeadLetterPage {
    /// Position of the last one of the page before.
    after: Option<u64>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// Events that a consumer could not take, with the reason.
#[utoipa::path(get, path = "/api/v1/dead-letters", tag = "operations", params(DeadLetterPage), responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn dead_letters(
    gateway: web::Data<Gateway>,
    query: web::Query<DeadLetterPage>,
) -> Result<HttpResponse, ApiError> {
    let letters =
        gateway.state.dead_letters(query.after.unwrap_or(0), query.limit.unwrap_or(100).clamp(1, MOST)).await?;
    let items: Vec<_> = letters
        .into_iter()
        .map(|letter| {
            json!({
                "consumer": letter.consumer,
                "position": letter.position,
                "reason": letter.reason,
                "event": letter.event,
                "parked_at": letter.parked_at,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

//! Current state, as far as the caller sees it: users, groups, workspaces, sessions; consumers and what they parked.

use actix_web::{HttpResponse, web};
use chancery_log::Frontier;
use chancery_policy::Visible;
use chancery_state::{ResourceKind, Within};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

const MOST: usize = 1000;

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Page {
    /// Id of the last row of the page before.
    after: Option<String>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// A page of what the caller may see.
async fn page(gateway: &Gateway, caller: &Caller, kind: ResourceKind, page: &Page) -> Result<HttpResponse, ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")));
    }
    let within = match &caller.visible {
        Visible::All => Within::All,
        Visible::Only(shown) => Within::Only(shown),
        Visible::AllBut(hidden) => Within::AllBut(hidden),
    };
    let rows = gateway.state.list(kind, within, page.after.as_deref(), limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit).and_then(|row| row.get("id").cloned());
    Ok(HttpResponse::Ok().json(json!({ "items": rows, "next": next, "position": gateway.state.applied().to_string() })))
}

/// Users.
#[utoipa::path(get, path = "/api/v1/users", tag = "state", params(Page), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn users(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    page(&gateway, &caller, ResourceKind::Users, &query).await
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

/// Workspaces.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "state", params(Page), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn workspaces(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    page(&gateway, &caller, ResourceKind::Workspaces, &query).await
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

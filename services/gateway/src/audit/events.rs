//! `GET /api/v1/audit/events` and `…/{id}`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_lake::{Hit, SearchRequest};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::{filter, with_position};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::Reading;

const MOST: usize = 1000;

/// What to search for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct SearchQuery {
    /// Filter, as in GRAMMAR.md; every event without.
    q: Option<String>,
    /// Most events of a page, 1 to 1000; 100 without.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `desc` (newest first, the default) or `asc`.
    order: Option<String>,
    /// Whether to count all matching events.
    total: Option<bool>,
    /// Members to return, comma-separated dotted paths such as `id,actor.name,data.kind`; all without.
    fields: Option<String>,
}

/// Searches the audit trail. Pages of one walk neither repeat nor skip events while new ones arrive.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "audit", params(SearchQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 422), (status = 503)))]
pub(crate) async fn search(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<SearchQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let limit = query.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")));
    }
    let request = SearchRequest {
        filter: filter(&gateway, &caller, query.q.as_deref())?,
        ascending: ascending(query.order.as_deref())?,
        after: query.cursor.as_deref().map(str::parse).transpose()?,
        limit,
        total: query.total.unwrap_or(false),
    };
    let reading = Reading::begin(&gateway, &caller, "events", query.q.as_deref().unwrap_or_default());
    let page = gateway.lake.search(&caller.visibility(), request).await?;
    reading.record(page.hits.len() as u64).await?;
    let mut body = String::from("{\"events\":[");
    for (index, hit) in page.hits.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&rendered(hit, query.fields.as_deref()));
    }
    let next = page.next.map(|cursor| cursor.to_string());
    body.push_str("],\"next\":");
    body.push_str(&serde_json::json!(next).to_string());
    if let Some(total) = page.total {
        body.push_str(",\"total\":");
        body.push_str(&total.to_string());
    }
    body.push('}');
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// One event by its id. One that the caller may not see is not there.
#[utoipa::path(get, path = "/api/v1/audit/events/{id}", tag = "audit", params(("id" = String, Path, description = "Event id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let reading = Reading::begin(&gateway, &caller, "event", &id);
    let hit = gateway.lake.event(&caller.visibility(), &id).await?;
    reading.record(u64::from(hit.is_some())).await?;
    let hit = hit.ok_or_else(|| ApiError::NotFound("there is no event with this id".to_owned()))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(with_position(hit.position, &hit.event)))
}

/// Reads `order`.
pub(super) fn ascending(order: Option<&str>) -> Result<bool, ApiError> {
    match order {
        None | Some("desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(other) => Err(ApiError::bad_request(format!("`order` is `asc` or `desc`, not `{other}`"))),
    }
}

fn rendered(hit: &Hit, fields: Option<&str>) -> String {
    let whole = with_position(hit.position, &hit.event);
    let Some(fields) = fields else { return whole };
    let Ok(event) = serde_json::from_str::<Value>(&whole) else { return whole };
    let mut selected = Map::new();
    for field in fields.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let value = field.split('.').try_fold(&event, |value, member| value.get(member));
        selected.insert(field.to_owned(), value.cloned().unwrap_or(Value::Null));
    }
    Value::Object(selected).to_string()
}

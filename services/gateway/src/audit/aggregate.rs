//! `GET /api/v1/audit/aggregate`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_lake::AggregateRequest;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::filter;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::Reading;

const MOST: usize = 10_000;

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AggregateQuery {
    /// Filter, as in GRAMMAR.md.
    q: Option<String>,
    /// Comma-separated fields or `data.…` paths.
    group_by: Option<String>,
    /// `minute`, `hour`, `day`, `week` or `month` of UTC.
    bucket: Option<String>,
    /// A field whose different values are counted, too.
    distinct: Option<String>,
    /// Most rows, 1 to 10000; 100 without.
    limit: Option<usize>,
}

/// Counts events by fields and spans of time.
#[utoipa::path(get, path = "/api/v1/audit/aggregate", tag = "audit", params(AggregateQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 422), (status = 503)))]
pub(crate) async fn aggregate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<AggregateQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let limit = query.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")));
    }
    let group_by = query.group_by.as_deref().unwrap_or_default();
    let request = AggregateRequest {
        filter: filter(&gateway, &caller, query.q.as_deref())?,
        group_by: group_by.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        bucket: query.bucket.as_deref().map(str::parse).transpose()?,
        distinct: query.distinct.clone(),
        limit,
    };
    let asked = format!("{} | {}", query.q.as_deref().unwrap_or_default(), group_by);
    let reading = Reading::begin(&gateway, &caller, "aggregate", &asked);
    let result = gateway.lake.aggregate(&caller.visibility(), request).await?;
    reading.record(result.rows.len() as u64).await?;
    Ok(HttpResponse::Ok().json(json!({ "columns": result.columns, "rows": result.rows })))
}

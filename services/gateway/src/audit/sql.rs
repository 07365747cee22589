//! `POST /api/v1/audit/sql`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use arrow::array::RecordBatch;
use chancery_lake::{LakeError, SqlLimits};
use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::Reading;

/// A SQL question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlRequest {
    /// One `SELECT` over the table `events`.
    query: String,
    /// Most rows.
    limit: Option<usize>,
}

/// Answers one read-only SQL query over `events`, bounded in time, memory and rows.
#[utoipa::path(post, path = "/api/v1/audit/sql", tag = "audit", request_body = SqlRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 422), (status = 503)))]
pub(crate) async fn sql(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<SqlRequest>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let max_rows = request.limit.unwrap_or(gateway.settings.max_rows).min(gateway.settings.max_rows);
    let limits = SqlLimits { timeout: gateway.settings.query_timeout, max_rows };
    let reading = Reading::begin(&gateway, &caller, "sql", &request.query);
    let answer = async {
        let stream = gateway.lake.sql(&caller.visibility(), &request.query, limits).await?;
        let columns: Vec<String> = stream.schema().fields().iter().map(|field| field.name().clone()).collect();
        let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(LakeError::from)?;
        Ok::<_, LakeError>((columns, batches))
    };
    let timed_out = LakeError::TimedOut(limits.timeout.as_secs());
    let (columns, batches) = tokio::time::timeout(limits.timeout, answer).await.map_err(|_| timed_out)??;
    let mut rows = chancery_lake::rows(&batches, &columns)?;
    let truncated = rows.len() > max_rows;
    rows.truncate(max_rows);
    reading.record(rows.len() as u64).await?;
    Ok(HttpResponse::Ok().json(json!({ "columns": columns, "rows": rows, "truncated": truncated })))
}

//! `GET /api/v1/audit/export`: every matching event, streamed in constant memory.

use std::sync::Arc;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use chancery_lake::{COLUMNS, ExportRequest, SqlStream};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::events::ascending;
use super::filter;
use super::formats::{Encoder, Format};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::{Reading, Streaming};

/// What to export, and as what.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ExportQuery {
    /// `ndjson` (canonical events, the default), `csv`, `parquet` or `arrow`.
    format: Option<String>,
    /// Filter, as in GRAMMAR.md.
    q: Option<String>,
    /// Columns of the table `events`, comma-separated; all without.
    fields: Option<String>,
    /// `asc` (oldest first, the default) or `desc`.
    order: Option<String>,
}

/// Exports events. The export is put on record when it ends, complete or not.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", params(ExportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 503)))]
pub(crate) async fn export(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let format: Format = query.format.as_deref().unwrap_or("ndjson").parse()?;
    let request = ExportRequest {
        filter: filter(&gateway, &caller, query.q.as_deref())?,
        fields: Some(fields(format, query.fields.as_deref())),
        ascending: ascending(query.order.as_deref().or(Some("asc")))?,
    };
    let reading = Reading::begin(&gateway, &caller, "export", query.q.as_deref().unwrap_or_default());
    let batches = gateway.lake.export(&caller.visibility(), request).await?;
    let encoder = Encoder::new(format, &batches.schema()).map_err(|error| ApiError::Internal(error.to_string()))?;
    let name = format!("attachment; filename=\"events.{}\"", format.as_str());
    let reading = reading.exporting(format.as_str()).streaming();
    Ok(HttpResponse::Ok()
        .content_type(format.media_type())
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(chunks(batches, encoder, reading)))
}

/// Without a choice NDJSON has the canonical events, the others every column.
fn fields(format: Format, asked: Option<&str>) -> Vec<String> {
    match (asked, format) {
        (Some(fields), _) => fields.split(',').map(|field| field.trim().to_owned()).collect(),
        (None, Format::Ndjson) => vec!["event".to_owned()],
        (None, _) => COLUMNS.iter().map(|&name| name.to_owned()).collect(),
    }
}

struct Exporting {
    batches: SqlStream,
    encoder: Option<Encoder>,
    reading: Streaming,
}

fn chunks(
    batches: SqlStream,
    encoder: Encoder,
    reading: Streaming,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let exporting = Exporting { batches, encoder: Some(encoder), reading };
    stream::unfold(exporting, |mut exporting| async move {
        let chunk = exporting.next().await?;
        Some((chunk, exporting))
    })
}

impl Exporting {
    async fn next(&mut self) -> Option<Result<Bytes, actix_web::Error>> {
        loop {
            let encoder = self.encoder.as_mut()?;
            let bytes = match self.batches.next().await {
                Some(Ok(batch)) => {
                    let bytes = encoder.encode(&batch);
                    self.reading.sent(batch.num_rows());
                    bytes
                }
                Some(Err(error)) => {
                    // The client sees a broken transfer, not a short file that looks complete.
                    tracing::error!(%error, "an export failed half-way");
                    self.encoder = None;
                    return Some(Err(actix_web::error::ErrorInternalServerError("the export failed")));
                }
                None => {
                    let finished = self.encoder.take()?.finish();
                    self.reading.complete();
                    return Some(finished.map_err(actix_web::error::ErrorInternalServerError));
                }
            };
            match bytes {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(Ok(bytes)),
                Err(error) => {
                    self.encoder = None;
                    return Some(Err(actix_web::error::ErrorInternalServerError(error)));
                }
            }
        }
    }
}

//! `GET /api/v1/reports` and `…/{name}`: who used what, who may do what, what is left over, what went wrong.
//!
//! A report is computed at a position of the log and names it; asked again with that position it is the same, byte by
//! byte, also after more events and after the state was rebuilt. It shows what its caller may see, and is on record.

pub(crate) mod access;
pub(crate) mod activity;
mod asked;
pub(crate) mod dormant;
pub(crate) mod list;
pub(crate) mod orphans;
mod people;
mod query;
mod review;
pub(crate) mod sign_ins;
pub(crate) mod usage;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use chancery_reports::{Document, Format, FormatError};

use crate::error::ApiError;

/// Header with the position that a report is computed at.
const POSITION: &str = "chancery-position";

/// A report as an answer, written on a thread of its own.
async fn answer(document: Document, format: Format, name: &'static str) -> Result<HttpResponse, ApiError> {
    let position = document.position.clone();
    let written = aside(move || format.write(&document)).await?;
    let bytes = written.map_err(|error| match error {
        FormatError::Internal(error) => ApiError::Internal(error),
        other => ApiError::Unprocessable(other.to_string()),
    })?;
    let mut answer = HttpResponse::Ok();
    answer.content_type(format.media_type()).insert_header((POSITION, position));
    if format != Format::Json {
        let file = format!("attachment; filename=\"{name}.{}\"", format.as_str());
        answer.insert_header((CONTENT_DISPOSITION, file));
    }
    Ok(answer.body(bytes))
}

/// Does what takes a while without holding up others.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::Internal(format!("a report ended early: {error}")))
}

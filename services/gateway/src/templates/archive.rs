//! Reading what is pushed.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use chancery_domain::events::templates::TemplateContents;
use chancery_terraform::{ArchiveError, Limits, Mistake, Packing};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// How many archives are read at a time; each may take some hundred MiB.
static READERS: Semaphore = Semaphore::const_new(2);

/// An archive that was read: its one form, and what it declares.
pub(super) struct Read {
    pub(super) archive: Bytes,
    pub(super) contents: TemplateContents,
}

/// How the body of a request is packed.
pub(super) fn packing(request: &HttpRequest) -> Result<Packing, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-tar" | "application/tar" => Ok(Packing::Tar),
        "application/gzip" | "application/x-gzip" | "application/x-gtar" => Ok(Packing::Gzip),
        _ => Err(ApiError::UnsupportedMediaType("send application/x-tar or application/gzip".to_owned())),
    }
}

/// Reads an archive, without holding up others.
pub(super) async fn read(body: Bytes, packing: Packing) -> Result<Read, ApiError> {
    let ended = |error: &dyn std::fmt::Display| ApiError::Internal(format!("reading an archive ended early: {error}"));
    let _turn = READERS.acquire().await.map_err(|error| ended(&error))?;
    let work = move || {
        let files = chancery_terraform::read(&body, packing, &Limits::default()).map_err(|error| refused(&error))?;
        let contents = chancery_terraform::describe(&files).map_err(|mistakes| wrong(&mistakes))?;
        let archive = files.pack().map_err(|error| refused(&error))?;
        Ok(Read { archive: archive.into(), contents })
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ended(&error))?
}

fn refused(error: &ArchiveError) -> ApiError {
    let detail = format!("the archive cannot be taken: {error}");
    match error {
        ArchiveError::TooLarge(_) | ArchiveError::TooMany(_) => ApiError::TooLarge(detail),
        _ => ApiError::bad_request(detail),
    }
}

/// Everything that is wrong with the files.
fn wrong(mistakes: &[Mistake]) -> ApiError {
    let told = |mistake: &Mistake| json!({"file": mistake.file, "line": mistake.line, "column": mistake.column, "reason": mistake.reason});
    let rendered: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let members = json!({
        "mistakes": mistakes.iter().map(told).collect::<Vec<Value>>(),
        "rendered": rendered.join("\n"),
    });
    let number = match mistakes.len() {
        1 => "a mistake".to_owned(),
        number => format!("{number} mistakes"),
    };
    ApiError::BadRequest {
        detail: format!("the files have {number}"),
        members: members.as_object().cloned().unwrap_or_default(),
    }
}

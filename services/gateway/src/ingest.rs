//! `POST /api/v1/events`: CloudEvents over HTTP, structured, batched and binary.

use actix_web::dev::Decompress;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::cloudevents::CloudEvent;
use chancery_domain::validate::Violation;
use chancery_domain::{Event, Resource, Timestamp};
use chancery_evidence::Sealed;
use chancery_intake::Arrival;
use chancery_log::{Appended, Position};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// What became of the events of a request.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct IngestReport {
    /// Events that are in the log now.
    created: usize,
    /// Events that were there already.
    duplicate: usize,
    /// Events that were refused.
    rejected: usize,
    /// One entry per event, or per event that was not created if so asked.
    results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
struct EventResult {
    /// Its place in the request, from 0.
    index: usize,
    /// Its id, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// `created`, `duplicate` or `rejected`.
    status: &'static str,
    /// Where it stands in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    /// JSON pointer (RFC 6901) to what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How much to report.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(crate) struct IngestQuery {
    /// `rejected` leaves created events out of `results`.
    results: Option<String>,
}

/// Takes events. The answer says of each whether it was created, is a duplicate, or why it was refused.
#[utoipa::path(post, path = "/api/v1/events", tag = "ingest", params(IngestQuery),
    request_body(content = String, content_type = "application/cloudevents-batch+json"),
    responses((status = 200, body = IngestReport), (status = 201, body = IngestReport), (status = 400), (status = 413), (status = 415), (status = 429), (status = 503)))]
pub(crate) async fn post_events(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<IngestQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let body = read_body(&request, payload, gateway.settings.max_body_bytes).await?;
    let now = gateway.now();
    let arrivals = arrivals(&request, &body, now, gateway.settings.max_batch_events)?;
    let single = arrivals.len() == 1;
    let everything = query.results.as_deref() != Some("rejected");
    let report = append(&gateway, &caller, arrivals, everything).await?;
    let status = if single && report.created == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(report))
}

/// Reads the body, decompressed, up to the limit.
pub(crate) async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<web::Bytes, ApiError> {
    let mut chunks = Decompress::from_headers(payload.into_inner(), request.headers());
    let mut body = web::BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::TooLarge(format!("a request body may have {limit} bytes; send smaller batches")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The events of a request, in whichever mode it is.
fn arrivals(request: &HttpRequest, body: &[u8], now: Timestamp, limit: usize) -> Result<Vec<Arrival>, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if request.headers().contains_key("ce-specversion") {
        return Ok(vec![binary(request, &media_type, body, now)?]);
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        ApiError::bad_request(format!("the body is not UTF-8: invalid byte at offset {}", error.valid_up_to()))
    })?;
    let bounded = |count: usize| {
        if count > limit {
            return Err(ApiError::TooLarge(format!("a batch may have {limit} events, this one has {count}")));
        }
        Ok(())
    };
    match media_type.as_str() {
        "application/x-ndjson" | "application/jsonl" => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            bounded(lines.len())?;
            Ok(lines.into_iter().map(|line| Arrival::structured(line, now)).collect())
        }
        "application/cloudevents-batch+json" | "application/json" if text.trim_start().starts_with('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
            bounded(items.len())?;
            Ok(items.into_iter().map(|item| Arrival::structured(item.get(), now)).collect())
        }
        "application/cloudevents+json" | "application/json" => only_readable(vec![Arrival::structured(text, now)]),
        "application/cloudevents-batch+json" => Err(ApiError::bad_request("a batch is a JSON array of events")),
        _ => Err(ApiError::UnsupportedMediaType(
            "send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson, or ce-* headers"
                .to_owned(),
        )),
    }
}

/// A single event that is no JSON at all is an unreadable request.
fn only_readable(arrivals: Vec<Arrival>) -> Result<Vec<Arrival>, ApiError> {
    match arrivals.first() {
        Some(Arrival { id: None, sealed: Err(violation) }) => Err(ApiError::bad_request(violation.reason.clone())),
        _ => Ok(arrivals),
    }
}

fn unreadable(error: &serde_json::Error) -> ApiError {
    ApiError::bad_request(format!("the body is not valid JSON: {error}"))
}

/// Binary mode: attributes in `ce-` headers, percent-encoded; the body is the data.
fn binary(request: &HttpRequest, media_type: &str, body: &[u8], now: Timestamp) -> Result<Arrival, ApiError> {
    let mut event = CloudEvent::default();
    for (name, value) in request.headers() {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let value = value.to_str().map_err(|_| ApiError::bad_request(format!("header `{name}` is not ASCII")))?;
        event.set(attribute, percent_decoded(value)?);
    }
    for (attribute, value) in [("id", &event.id), ("source", &event.source), ("type", &event.event_type)] {
        if value.is_empty() {
            return Err(ApiError::bad_request(format!("header `ce-{attribute}` is missing")));
        }
    }
    if media_type == "application/json" || media_type.ends_with("+json") {
        let text = std::str::from_utf8(body).map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
        event.data = Some(serde_json::from_str(text).map_err(|error| unreadable(&error))?);
    } else if !body.is_empty() {
        return Err(ApiError::UnsupportedMediaType("in binary mode the body is application/json".to_owned()));
    }
    Ok(Arrival::of(event, now))
}

fn percent_decoded(value: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())).flatten();
        if let Some(decoded) = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(decoded);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::bad_request("a ce-* header is not percent-encoded UTF-8"))
}

/// Appends what is acceptable, in one append, and says what became of each.
async fn append(
    gateway: &Gateway,
    caller: &Caller,
    arrivals: Vec<Arrival>,
    everything: bool,
) -> Result<IngestReport, ApiError> {
    let mut sealed = Vec::with_capacity(arrivals.len());
    let mut pending = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        match arrival.sealed {
            Ok((ready, event)) => {
                sealed.push(ready);
                pending.push((arrival.id, Ok(event)));
            }
            Err(violation) => pending.push((arrival.id, Err(violation))),
        }
    }
    let mut outcomes = gateway.log.append(sealed).await?.into_iter();
    let mut report = IngestReport::default();
    let mut conflicts = Vec::new();
    for (index, (id, event)) in pending.into_iter().enumerate() {
        let result = match event {
            Err(violation) => rejected(index, id, None, violation),
            Ok(event) => match outcomes.next() {
                Some(Appended::Created { position, .. }) => {
                    report.created += 1;
                    if !everything {
                        continue;
                    }
                    EventResult { index, id, status: "created", position: Some(position), pointer: None, reason: None }
                }
                Some(Appended::Duplicate { position }) => EventResult {
                    index,
                    id,
                    status: "duplicate",
                    position: Some(position),
                    pointer: None,
                    reason: None,
                },
                Some(Appended::Conflict { position }) => {
                    let record = gateway.event("audit.event.rejected", caller, Resource::new("event", &event.id));
                    conflicts.push(chancery_log::rejection(record, &event, position));
                    let reason = "another event has this source and id";
                    rejected(index, id, Some(position), Violation::new("/id", reason))
                }
                None => {
                    return Err(ApiError::Internal("the log answered for fewer events than it was given".to_owned()));
                }
            },
        };
        match result.status {
            "duplicate" => report.duplicate += 1,
            "rejected" => report.rejected += 1,
            _ => {}
        }
        report.results.push(result);
    }
    record_conflicts(gateway, conflicts).await?;
    metrics::counter!("chancery_ingested_events_total", "result" => "created").increment(report.created as u64);
    metrics::counter!("chancery_ingested_events_total", "result" => "duplicate").increment(report.duplicate as u64);
    metrics::counter!("chancery_ingested_events_total", "result" => "rejected").increment(report.rejected as u64);
    Ok(report)
}

fn rejected(index: usize, id: Option<String>, position: Option<Position>, violation: Violation) -> EventResult {
    EventResult {
        index,
        id,
        status: "rejected",
        position,
        pointer: Some(violation.pointer),
        reason: Some(violation.reason),
    }
}

async fn record_conflicts(gateway: &Gateway, conflicts: Vec<Event>) -> Result<(), ApiError> {
    let sealed: Vec<Sealed> = conflicts.iter().filter_map(|event| Sealed::new(event).ok()).collect();
    gateway.log.append(sealed).await?;
    Ok(())
}

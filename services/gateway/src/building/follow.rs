//! Logs of builds as people read them: all of it, or line by line as it is written. Who sees the workspace sees them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chancery_domain::decision::Refusal;
use chancery_domain::events::builds::BuildLog;
use chancery_domain::workspaces::builds::BuildRecord;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::logs::{Line, Part, closed_lines, open_lines};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::workspaces::find;

/// How often it is looked for new lines.
const LOOK: Duration = Duration::from_millis(300);
/// How long nothing is said before a comment keeps the connection alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long after a build's end its log may be closed, in microseconds: without one there is none.
const CLOSING: i64 = 60_000_000;
/// Most lines of one answer.
const MOST_LINES: usize = 10_000;

/// Where to begin, and how it is written.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct LogQuery {
    /// `next` of the page before, or the id of a message. `Last-Event-ID` goes before it.
    after: Option<String>,
    /// `json`, `ndjson` or `events`; what `Accept` says without.
    format: Option<String>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Lines,
    Events,
}

/// A place in a log: when a line arrived, and its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    arrived_at: i64,
    sequence: u64,
}

impl Place {
    fn read(text: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::bad_request("`after` and `Last-Event-ID` are what an answer of this log has said");
        let (arrived_at, sequence) = text.split_once('-').ok_or_else(wrong)?;
        let (arrived_at, sequence) = (arrived_at.parse(), sequence.parse());
        Ok(Self { arrived_at: arrived_at.map_err(|_| wrong())?, sequence: sequence.map_err(|_| wrong())? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.arrived_at, self.sequence)
    }
}

/// The log of a build: as JSON, as a line of JSON each, or, with `Accept: text/event-stream`, live until it is closed.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/builds/{number}/logs", tag = "workspaces",
    params(("id" = String, Path, description = "Workspace id"), ("number" = String, Path, description = "Build number"), LogQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn logs(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    query: web::Query<LogQuery>,
    stopping: web::Data<CancellationToken>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let (id, number) = path.into_inner();
    find(&gateway, &caller, &id).await?;
    let unknown = || ApiError::from(Refusal::Unknown("build"));
    let number: u32 = number.parse().map_err(|_| unknown())?;
    gateway.state.build(&id, number).await?.ok_or_else(unknown)?;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let format = format(query.format.as_deref(), header(ACCEPT.as_str()))?;
    let after = header("last-event-id").or(query.after.as_deref()).map(Place::read).transpose()?.unwrap_or_default();
    let mut reader = Reader { gateway, caller: caller.into_inner(), workspace: id, number, after };
    if format == Format::Events {
        let follower = Follower {
            reader,
            ready: VecDeque::new(),
            ended: false,
            stopping: stopping.get_ref().clone(),
            quiet: tokio::time::Instant::now(),
        };
        return Ok(HttpResponse::Ok()
            .content_type("text/event-stream")
            .insert_header(("x-accel-buffering", "no"))
            .streaming(messages(follower)));
    }
    let (mut lines, build, log) = reader.read().await?;
    let more = lines.len() > MOST_LINES;
    lines.truncate(MOST_LINES);
    let next = lines.last().filter(|_| more || !build.status.is_last() || log.is_none()).map(|(place, _, _)| *place);
    if format == Format::Lines {
        let lines: Vec<String> = lines.iter().map(|(_, attempt, line)| view(attempt, line).to_string()).collect();
        let text = if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" };
        return Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(text));
    }
    let items: Vec<Value> = lines.iter().map(|(_, attempt, line)| view(attempt, line)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "items": items, "log": log, "next": next.map(|place| place.to_string()), "status": build.status.as_str(),
    })))
}

fn format(asked: Option<&str>, accepted: Option<&str>) -> Result<Format, ApiError> {
    let accepts = |kind: &str| accepted.is_some_and(|accepted| accepted.contains(kind));
    match asked {
        Some("json") => Ok(Format::Json),
        Some("ndjson") => Ok(Format::Lines),
        Some("events") => Ok(Format::Events),
        Some(_) => Err(ApiError::bad_request("`format` is `json`, `ndjson` or `events`")),
        None if accepts("text/event-stream") => Ok(Format::Events),
        None if accepts("application/x-ndjson") => Ok(Format::Lines),
        None => Ok(Format::Json),
    }
}

/// A line as it is shown.
fn view(attempt: &str, line: &Line) -> Value {
    let Line { sequence, at, stage, level, text } = line;
    json!({
        "sequence": sequence, "at": at, "stage": stage, "level": level, "text": text, "runner_id": attempt,
    })
}

/// Reads a log from a place on.
struct Reader {
    gateway: Arc<Gateway>,
    caller: Caller,
    workspace: String,
    number: u32,
    after: Place,
}

type Found = (Vec<(Place, String, Line)>, BuildRecord, Option<BuildLog>);

impl Reader {
    /// What there is after the place, which goes on to the end of that. Judged anew each time: who may no longer see the
    /// workspace reads no further.
    async fn read(&mut self) -> Result<Found, ApiError> {
        find(&self.gateway, &self.caller, &self.workspace).await?;
        let build = self.gateway.state.build(&self.workspace, self.number).await?;
        let build = build.ok_or(Refusal::Unknown("build"))?;
        // First: lines are a blob before they are forgotten.
        let log = self.gateway.state.build_report(&self.workspace, self.number).await?.log;
        let job = build.job_id.clone().unwrap_or_default();
        let all = match &log {
            Some(log) => closed_lines(&self.gateway, &job, log).await?,
            None => open_lines(&self.gateway, &job, self.after.arrived_at).await?,
        };
        let lines = after(all, self.after);
        if let Some((last, _, _)) = lines.last() {
            self.after = *last;
        }
        Ok((lines, build, log))
    }
}

fn after(all: Vec<Part>, place: Place) -> Vec<(Place, String, Line)> {
    let placed = all.into_iter().flat_map(|Part { attempt, arrived_at, lines, .. }| {
        let at = move |line: Line| (Place { arrived_at, sequence: line.sequence }, attempt.clone(), line);
        lines.into_iter().map(at)
    });
    placed.filter(|(at, _, _)| *at > place).collect()
}

struct Follower {
    reader: Reader,
    ready: VecDeque<String>,
    ended: bool,
    stopping: CancellationToken,
    quiet: tokio::time::Instant,
}

fn messages(follower: Follower) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let greeting = stream::once(async { Ok(Bytes::from_static(b"retry: 1000\n\n")) });
    greeting.chain(stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((Ok(Bytes::from(message)), follower))
    }))
}

impl Follower {
    /// The next message; none after the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                self.quiet = tokio::time::Instant::now();
                return Some(message);
            }
            if self.ended {
                return None;
            }
            match self.reader.read().await {
                Ok((lines, build, log)) => self.take(lines, &build, log.as_ref()),
                Err(ApiError::Unavailable(_) | ApiError::Busy) => {}
                Err(error) => {
                    tracing::debug!(%error, "a log is no longer followed");
                    return None;
                }
            }
            if self.ready.is_empty() {
                if self.quiet.elapsed() > HEARTBEAT {
                    self.quiet = tokio::time::Instant::now();
                    return Some(":\n\n".to_owned());
                }
                tokio::select! {
                    () = self.stopping.cancelled() => return None,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    fn take(&mut self, lines: Vec<(Place, String, Line)>, build: &BuildRecord, log: Option<&BuildLog>) {
        for (place, attempt, line) in lines {
            self.ready.push_back(format!("id: {place}\ndata: {}\n\n", view(&attempt, &line)));
        }
        let now = self.reader.gateway.now();
        let over = |at: chancery_domain::Timestamp| at.saturating_add_micros(CLOSING) < now;
        let without = build.status.is_last() && (build.runner_id.is_none() || build.finished_at.is_some_and(over));
        if log.is_some() || (without && self.ready.is_empty()) {
            let end = json!({ "status": build.status.as_str(), "log": log, "error": build.error });
            self.ready.push_back(format!("event: end\ndata: {end}\n\n"));
            self.ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_domain::Timestamp;

    use super::*;

    #[test]
    fn a_log_is_read_on_from_where_one_was() {
        let line = |sequence| Line {
            sequence,
            at: Timestamp::EPOCH,
            stage: "plan".to_owned(),
            level: "info".to_owned(),
            text: String::new(),
        };
        let part = |attempt: &str, arrived_at, sequences: &[u64]| Part {
            attempt: attempt.to_owned(),
            arrived_at,
            gap: false,
            hash: String::new(),
            lines: sequences.iter().copied().map(line).collect(),
        };
        let all = vec![part("a", 5, &[1, 2]), part("a", 7, &[3]), part("b", 9, &[1, 2])];
        let read = |place: &str| -> Vec<String> {
            let lines = after(all.clone(), Place::read(place).unwrap());
            lines.iter().map(|(place, attempt, _)| format!("{attempt} {place}")).collect()
        };
        assert_eq!(read("0-0"), ["a 5-1", "a 5-2", "a 7-3", "b 9-1", "b 9-2"]);
        assert_eq!(read("5-1"), ["a 5-2", "a 7-3", "b 9-1", "b 9-2"]);
        assert_eq!(read("7-3"), ["b 9-1", "b 9-2"]);
        assert!(read("9-2").is_empty() && Place::read("9").is_err() && Place::read("a-b").is_err());
    }

    #[test]
    fn how_a_log_is_written_is_asked_for() {
        assert_eq!(format(None, Some("text/html, text/event-stream")).unwrap(), Format::Events);
        assert_eq!(format(None, Some("application/x-ndjson")).unwrap(), Format::Lines);
        assert_eq!(format(Some("json"), Some("text/event-stream")).unwrap(), Format::Json);
        assert!(format(None, None).is_ok() && format(Some("xml"), None).is_err());
    }
}

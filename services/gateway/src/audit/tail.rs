//! `GET /api/v1/audit/tail`: events as they are recorded, as server-sent events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chancery_domain::Event;
use chancery_filter::Filter;
use chancery_lake::Visibility;
use chancery_log::{Frontier, LogError, Recorded, partition, place};
use futures::{Stream, stream};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::{filter, with_position};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::{Reading, Streaming};

const HEARTBEAT: Duration = Duration::from_secs(15);
const PAGE: usize = 256;

/// Where to begin, and what to show.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct TailQuery {
    /// Filter, as in GRAMMAR.md.
    q: Option<String>,
    /// The id of the message after which to begin, or 0 for the log's beginning; its end without. `Last-Event-ID` goes
    /// before it.
    from: Option<String>,
}

/// Follows the log. Each message's id says how far along every partition the client is then: one that reconnects with
/// `Last-Event-ID` misses nothing.
#[utoipa::path(get, path = "/api/v1/audit/tail", tag = "audit", params(TailQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn tail(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<TailQuery>,
    stopping: web::Data<CancellationToken>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let filter = filter(&gateway, &caller, query.q.as_deref())?;
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let frontier = match last.or(query.from.as_deref()) {
        Some(text) => beginning(text, gateway.log.partitions())?,
        None => gateway.log.barrier().await?,
    };
    let reading = Reading::begin(&gateway, &caller, "tail", query.q.as_deref().unwrap_or_default()).streaming();
    let follower = Follower {
        gateway,
        visibility: caller.visibility(),
        filter,
        frontier,
        page: VecDeque::new(),
        reading,
        stopping: stopping.get_ref().clone(),
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("x-accel-buffering", "no"))
        .streaming(messages(follower)))
}

/// A place in the log, as ids of messages say it.
fn beginning(text: &str, partitions: u16) -> Result<Frontier, ApiError> {
    if text == "0" {
        return Ok(Frontier::start(partitions));
    }
    let frontier: Option<Frontier> = text.parse().ok();
    frontier.filter(|frontier| frontier.partitions() == partitions).ok_or_else(|| {
        ApiError::bad_request("`from` and `Last-Event-ID` must be the id of a message of this log's tail, or 0")
    })
}

struct Follower {
    gateway: Arc<Gateway>,
    visibility: Visibility,
    filter: Option<Filter>,
    frontier: Frontier,
    page: VecDeque<Recorded>,
    reading: Streaming,
    stopping: CancellationToken,
}

fn messages(follower: Follower) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let greeting = stream::once(async { Ok(Bytes::from_static(b"retry: 1000\n\n")) });
    futures::StreamExt::chain(
        greeting,
        stream::unfold(follower, |mut follower| async move {
            let message = follower.next().await?;
            Some((Ok(Bytes::from(message)), follower))
        }),
    )
}

impl Follower {
    /// The next message, or a comment that keeps the connection alive; none when the server stops.
    async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(recorded) = self.page.pop_front() {
                self.frontier.advance(recorded.position);
                if shows(&self.visibility, self.filter.as_ref(), &recorded) {
                    self.reading.sent(1);
                    let data = with_position(recorded.position, &recorded.bytes);
                    return Some(format!("id: {}\ndata: {data}\n\n", self.frontier));
                }
            }
            // A reader who leaves is no failure: a tail has no other end.
            self.reading.complete();
            let heads = tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = tokio::time::sleep(HEARTBEAT) => return Some(":\n\n".to_owned()),
                heads = self.gateway.log.wait_past(&self.frontier) => heads,
            };
            if let Err(error) = self.turn_pages(&heads).await {
                tracing::warn!(%error, "a tail ends because the log cannot be read");
                return None;
            }
        }
    }

    /// Reads on in every partition that has gone on.
    async fn turn_pages(&mut self, heads: &Frontier) -> Result<(), LogError> {
        for head in heads.positions() {
            if place(head) == 0 || self.frontier.includes(head) {
                continue;
            }
            let page = self.gateway.log.read(self.frontier.of(partition(head)), PAGE).await?;
            if page.events.is_empty() {
                self.frontier.advance(page.reached);
            }
            self.page.extend(page.events);
        }
        Ok(())
    }
}

/// Whether an event is visible and matches.
fn shows(visibility: &Visibility, filter: Option<&Filter>, recorded: &Recorded) -> bool {
    if *visibility == Visibility::All && filter.is_none() {
        return true;
    }
    serde_json::from_str::<Event>(&recorded.bytes).is_ok_and(|event| {
        visibility.includes(event.organization.as_deref())
            && filter.is_none_or(|filter| filter.matches(&event, recorded.position))
    })
}

#[cfg(test)]
mod tests {
    use chancery_domain::{Actor, Resource, Timestamp};
    use chancery_filter::Context;

    use super::*;

    #[test]
    fn a_message_is_of_a_visible_event_that_matches() {
        let recorded = |organization: Option<&str>| {
            let resource = Resource::new("user", "1");
            let mut event = Event::new("user.logout", "e-1", "/test", Timestamp::EPOCH, Actor::default(), resource);
            event.organization = organization.map(str::to_owned);
            Recorded { position: 1, bytes: serde_json::to_string(&event).unwrap().into() }
        };
        let acme = Visibility::Organizations(["acme".to_owned()].into());
        let filter = |text: &str| Filter::parse(text, &Context::new(Timestamp::EPOCH)).unwrap();
        let (all, other) = (filter("type:user.logout"), filter("type:user.created"));
        for organization in [None, Some("acme"), Some("Acme"), Some("globex")] {
            let event = recorded(organization);
            assert!(shows(&Visibility::All, None, &event) && shows(&Visibility::All, Some(&all), &event));
            assert_eq!(shows(&acme, None, &event), organization == Some("acme"));
            assert_eq!(shows(&acme, Some(&all), &event), organization == Some("acme"));
            assert!(!shows(&acme, Some(&other), &event));
        }
        assert!(!shows(&acme, None, &Recorded { position: 1, bytes: "{}".into() }));
    }
}

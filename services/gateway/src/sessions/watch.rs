//! `GET /api/v1/workspaces/{id}/sessions/watch`: what becomes of a workspace's sessions, as server-sent events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use chancery_domain::Event;
use chancery_domain::decision::Refusal;
use chancery_evidence::event_type;
use chancery_log::{Frontier, LogError, partition, place};
use chancery_policy::Permission;
use chancery_state::Whose;
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::workspaces;

/// How often a comment keeps the connection alive.
const QUIET: Duration = Duration::from_secs(15);
const PAGE: usize = 256;

/// Tells what becomes of a workspace's sessions: first `sessions`, those that are open; then `session.authorized`,
/// `session.opened`, `session.closed` and `session.revoked` as they happen. What is closed is to be cut.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/sessions/watch", tag = "sessions",
    params(("id" = String, Path, description = "Workspace id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn watch(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    stopping: web::Data<CancellationToken>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let workspace = gateway.state.workspace(&id).await?;
    let seen = workspace.filter(|workspace| caller.may_at(Permission::SessionsRead, &workspaces::place(workspace)));
    let workspace = seen.ok_or(Refusal::Unknown("workspace"))?;
    // What happens from here on is told; the list is of this moment or later.
    let frontier = gateway.log.barrier().await?;
    gateway.decisions.settle(&frontier).await?;
    let live = gateway.state.live_sessions(&Whose::Workspace(workspace.id.clone()), gateway.now()).await?;
    let open: Vec<_> = live
        .iter()
        .filter(|session| session.open)
        .map(|session| json!({ "id": session.id, "kind": session.kind, "user_id": session.user_id }))
        .collect();
    let first = format!("event: sessions\ndata: {}\n\n", json!({ "items": open }));
    let follower = Follower {
        gateway,
        workspace: workspace.id,
        frontier,
        messages: VecDeque::from([first]),
        stopping: stopping.get_ref().clone(),
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("x-accel-buffering", "no"))
        .streaming(messages(follower)))
}

fn messages(follower: Follower) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((message, follower))
    })
    .map(|message| Ok(Bytes::from(message)))
}

struct Follower {
    gateway: Arc<Gateway>,
    workspace: String,
    frontier: Frontier,
    messages: VecDeque<String>,
    stopping: CancellationToken,
}

impl Follower {
    /// The next message; none when the server stops.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Some(message);
            }
            let heads = tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = tokio::time::sleep(QUIET) => return Some(":\n\n".to_owned()),
                heads = self.gateway.log.wait_past(&self.frontier) => heads,
            };
            if let Err(error) = self.read_on(&heads).await {
                tracing::warn!(%error, "a watch of sessions ends because the log cannot be read");
                return None;
            }
        }
    }

    async fn read_on(&mut self, heads: &Frontier) -> Result<(), LogError> {
        for head in heads.positions() {
            if place(head) == 0 || self.frontier.includes(head) {
                continue;
            }
            let page = self.gateway.log.read(self.frontier.of(partition(head)), PAGE).await?;
            for recorded in &page.events {
                let concerns = event_type(&recorded.bytes).is_some_and(|name| name.starts_with("session."));
                if concerns && let Ok(event) = serde_json::from_str::<Event>(&recorded.bytes) {
                    self.messages.extend(message(&event, &self.workspace));
                }
            }
            self.frontier.advance(page.reached);
        }
        Ok(())
    }
}

/// An event as a message, if it is about a session of the workspace.
fn message(event: &Event, workspace: &str) -> Option<String> {
    let member = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
    if member("workspace_id") != Some(workspace) {
        return None;
    }
    let data = json!({
        "id": event.resource.id, "kind": member("kind"), "reason": event.reason, "at": event.occurred_at,
    });
    Some(format!("event: {}\ndata: {data}\n\n", event.event_type))
}

//! What agents and gateways report of sessions: they begin, go on, end.

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::sessions::{BeginSession, FinishSession};
use chancery_policy::Permission;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{find, organization, sees};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A session has begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    /// The ticket that the person brought.
    ticket: String,
    /// Host it runs on.
    host: Option<String>,
}

/// A session is over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseRequest {
    /// Bytes received from the client.
    bytes_in: Option<u64>,
    /// Bytes sent to the client.
    bytes_out: Option<u64>,
    /// Exit code of the command it ran.
    exit_code: Option<i32>,
    /// Why, in words.
    reason: Option<String>,
}

/// An agent reports that a session has begun, with the ticket that the person brought. It must be open before anything is
/// let through.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/open", tag = "sessions", request_body = OpenRequest,
    params(("id" = String, Path, description = "Session id")),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn open(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let grant = gateway.state.session_grant(&id).await?;
    let seen = grant.filter(|grant| sees(&caller, Permission::SessionsWrite, grant.organization.as_deref()));
    let grant = seen.ok_or(Refusal::Unknown("session"))?;
    let request: OpenRequest =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    gateway.check_ticket(&request.ticket, &grant).await?;
    gateway
        .decisions
        .decide(&[key(&id), format!("user/{}", grant.user_id)], async || {
            let grant = gateway.state.session_grant(&id).await?.ok_or(Refusal::Unknown("session"))?;
            let status = gateway.state.session_status(&id).await?;
            let command = BeginSession { host: request.host.clone() };
            Ok::<_, ApiError>((command.decide(&grant, status, gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.state.note_beat(&id, gateway.now()).await?;
    Ok(HttpResponse::Ok().json(json!({
        "id": *id, "status": "open", "heartbeat_seconds": gateway.settings.sessions.heartbeat.as_secs(),
    })))
}

/// An agent reports that a session goes on, and learns whether it may: what is not `open` is to be cut.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/heartbeat", tag = "sessions",
    params(("id" = String, Path, description = "Session id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn heartbeat(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (_, shown) = find(&gateway, &caller, &id).await?;
    if !sees(&caller, Permission::SessionsWrite, organization(&shown)) {
        return Err(Refusal::Unknown("session").into());
    }
    let status = shown.get("status").cloned().unwrap_or_default();
    if status == "open" {
        gateway.state.note_beat(&id, gateway.now()).await?;
    }
    let revoked = shown.get("revoked_at").is_some_and(|at| !at.is_null());
    Ok(HttpResponse::Ok().json(json!({
        "id": *id, "status": status, "reason": shown.get("reason"), "cut": status == "closed" || revoked,
    })))
}

/// Ends a session: an agent's report, an administrator's will, or one's own. Agents cut what is closed.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/close", tag = "sessions", request_body = CloseRequest,
    params(("id" = String, Path, description = "Session id")),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn close(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (own, shown) = find(&gateway, &caller, &id).await?;
    if !own && !sees(&caller, Permission::SessionsWrite, organization(&shown)) {
        return Err(Refusal::Unknown("session").into());
    }
    let request: CloseRequest = if body.is_empty() {
        CloseRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))?
    };
    let CloseRequest { bytes_in, bytes_out, exit_code, reason } = request;
    let command = FinishSession { bytes_in, bytes_out, exit_code, reason };
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let Some(session) = gateway.state.live_session(&id, gateway.now()).await? else {
                return Ok((Vec::new(), ()));
            };
            Ok::<_, ApiError>((command.clone().decide(&session, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(find(&gateway, &caller, &id).await?.1))
}

/// The key of decisions about a session.
pub(super) fn key(id: &str) -> String {
    format!("session/{id}")
}

//! Sessions: who may connect to a workspace and how ([`authorize`]), what agents report of it ([`agents`]), the keys that
//! tickets and certificates are signed with ([`keys`]), what sshd needs ([`ssh`]), and the end of what may not go on
//! ([`guard`]).
//!
//! Whoever asks to connect is judged afresh, by the policies in force ([`judge`]). Both answers are events: refusals name
//! the policies that refuse.

pub(crate) mod agents;
pub(crate) mod authorize;
pub(crate) mod guard;
pub(crate) mod judge;
pub(crate) mod keys;
pub(crate) mod ssh;
pub(crate) mod ticket;
pub(crate) mod watch;

use std::time::Duration;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_policy::{Permission, Resource};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

pub use guard::guard;

/// How sessions are allowed and kept.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// The secret that keys follow from; no session is allowed without.
    pub secret: Option<Vec<u8>>,
    /// How long a ticket is good.
    pub ticket: Duration,
    /// How long a certificate is good.
    pub certificate: Duration,
    /// How often agents report; a session that was not heard of for three times as long is lost.
    pub heartbeat: Duration,
    /// What runs in a session over SSH that is no file transfer, whatever the client asks for.
    pub force_command: Option<String>,
    /// Whether certificates are good from the client's address alone.
    pub bind_address: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            secret: None,
            ticket: Duration::from_mins(2),
            certificate: Duration::from_mins(5),
            heartbeat: Duration::from_secs(30),
            force_command: None,
            bind_address: true,
        }
    }
}

/// A session: open, closed or denied; or allowed, and none yet.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "Session id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (own, shown) = find(&gateway, &caller, &id).await?;
    if !own && !sees(&caller, Permission::SessionsRead, organization(&shown)) {
        return Err(Refusal::Unknown("session").into());
    }
    Ok(HttpResponse::Ok().json(shown))
}

/// A session as it is shown, and whether it is the caller's own.
async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(bool, Value), ApiError> {
    let session = gateway.state.session(id).await?;
    let grant = gateway.state.session_grant(id).await?;
    let mut shown = match (session, &grant) {
        (Some(session), _) => session,
        (None, Some(grant)) => json!({
            "id": grant.id, "kind": grant.kind, "status": "authorized", "user_id": grant.user_id, "client": grant.client,
            "user_name": grant.user_name, "ip": grant.address, "workspace_id": grant.workspace_id,
            "workspace_name": grant.workspace_name, "organization": grant.organization,
        }),
        (None, None) => return Err(Refusal::Unknown("session").into()),
    };
    if let (Some(grant), Some(members)) = (&grant, shown.as_object_mut()) {
        members.insert("authorized_at".to_owned(), json!(grant.authorized_at));
        members.insert("expires_at".to_owned(), json!(grant.expires_at));
        members.insert("revoked_at".to_owned(), json!(grant.revoked_at));
    }
    let own = caller.principal.as_ref().is_some_and(|principal| {
        grant.is_some_and(|grant| grant.user_id == principal.id())
            || shown.get("user_id").and_then(Value::as_str) == Some(principal.id())
    });
    Ok((own, shown))
}

fn organization(session: &Value) -> Option<&str> {
    session.get("organization").and_then(Value::as_str)
}

/// Whether a caller has a permission for what is in an organization, or in none.
fn sees(caller: &Caller, permission: Permission, organization: Option<&str>) -> bool {
    caller.may_at(permission, &organization.map_or(Resource::Deployment, Resource::organization))
}

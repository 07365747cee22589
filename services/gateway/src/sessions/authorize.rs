//! `POST /api/v1/workspaces/{id}/sessions`: someone wants to connect.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::directory::UserStatus;
use chancery_domain::events::sessions::{KeyPurpose, SessionCertificate, SessionKind};
use chancery_domain::sessions::AuthorizeSession;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::{Actor, PolicyReference, Timestamp};
use chancery_policy::{Context, Permission, Principal};
use chancery_ssh::{PublicKey, UserCertificate};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::judge::Attempt;
use super::keys::Signer;
use super::ticket::{self, Claims};
use crate::authorization;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::workspaces::place;

/// Seconds that clocks may differ.
const SKEW: u64 = 60;

/// A session that someone wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionOrder {
    /// How: `ssh`, `terminal`, `web_ide`, `desktop_ide`, `jupyter`, `rdp`, `vnc`, `port_forward` or `file_transfer`.
    kind: String,
    /// Client software, as it calls itself.
    client: Option<String>,
    #[schema(value_type = Option<String>)]
    /// Where from. It is believed from those who may close sessions of others; else the request's address counts.
    address: Option<IpAddr>,
    /// For what goes over SSH: the public key that a certificate is wanted for, as OpenSSH writes it.
    public_key: Option<String>,
}

/// What a certificate will say beside what every one does.
struct Wanted {
    key: PublicKey,
    signer: Signer,
    serial: u64,
    nonce: [u8; 32],
}

/// What came of it.
struct Told {
    refusal: Option<String>,
    /// The policies by which it was refused; none where it was not they that did.
    judged: Option<Vec<PolicyReference>>,
    certificate: Option<String>,
}

/// Decides whether the caller may connect to a workspace, given by its id or, if it is theirs, by its name: a ticket for
/// the workspace's agent and, with a public key, an SSH certificate; or a refusal that names the policies. Both are on
/// record.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/sessions", tag = "sessions", request_body = SessionOrder,
    params(("id" = String, Path, description = "Workspace id, or the name of an own one")),
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 503)))]
pub(crate) async fn authorize(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let principal = caller.principal.clone().ok_or_else(|| ApiError::Forbidden("nobody may connect".to_owned()))?;
    let found = find_workspace(&gateway, &principal, &id).await?;
    let (order, kind, wanted) = match read(&gateway, &body).await {
        // Who may not know of the workspace is not told what is wrong either.
        Err(ApiError::BadRequest { .. }) if !knows(&caller, &found) => return Err(Refusal::Unknown("workspace").into()),
        order => order?,
    };
    let tickets = gateway.signer(KeyPurpose::Ticket).await?;
    let session = uuid::Uuid::now_v7().to_string();
    let mut believed = Caller::clone(&caller);
    if let Some(address) = order.address.filter(|_| caller.may_at(Permission::SessionsWrite, &place(&found))) {
        believed.actor.ip = Some(address.to_canonical());
    }
    let now = gateway.now();
    let good = if wanted.is_some() { gateway.settings.sessions.certificate } else { gateway.settings.sessions.ticket };
    let expires_at = now.saturating_add_micros(i64::try_from(good.as_micros()).unwrap_or(i64::MAX));
    let facts = wanted.as_ref().map(|wanted| facts(&gateway, wanted, kind, &found, &believed.actor));
    let asked = Asked { session, kind, client: order.client, caller: believed, now, expires_at, wanted, facts };
    let told = asked.decide(&gateway, &principal, &found.id).await?;
    metrics::counter!("chancery_session_decisions_total", "allowed" => told.refusal.is_none().to_string()).increment(1);
    if let Some(refusal) = told.refusal {
        return Err(refused(&caller, &found, refusal, told.judged));
    }
    Ok(HttpResponse::build(StatusCode::CREATED).json(json!({
        "id": asked.session,
        "kind": kind,
        "workspace": { "id": found.id, "name": found.name },
        "ticket": ticket::sign(&tickets, &asked.claims(&gateway, &found.id))?,
        "expires_at": expires_at,
        "heartbeat_seconds": gateway.settings.sessions.heartbeat.as_secs(),
        "certificate": told.certificate,
        "principals": asked.facts.map(|facts| facts.principals),
        "host_key_alias": principal_of(&found.id),
    })))
}

/// What a request asks for.
async fn read(gateway: &Gateway, body: &[u8]) -> Result<(SessionOrder, SessionKind, Option<Wanted>), ApiError> {
    let order: SessionOrder = serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let kind = SessionKind::from_name(&order.kind)
        .ok_or_else(|| ApiError::bad_request(format!("`{}` is no kind of session", order.kind)))?;
    let wanted = wanted(gateway, kind, order.public_key.as_deref()).await?;
    Ok((order, kind, wanted))
}

/// What was asked for, as far as it does not depend on the state.
struct Asked {
    session: String,
    kind: SessionKind,
    client: Option<String>,
    /// Who asks, with the address that is believed.
    caller: Caller,
    now: Timestamp,
    expires_at: Timestamp,
    wanted: Option<Wanted>,
    facts: Option<SessionCertificate>,
}

impl Asked {
    /// Judges by what is in force, and puts the answer on record.
    async fn decide(&self, gateway: &Gateway, principal: &Principal, workspace: &str) -> Result<Told, ApiError> {
        let Self { kind, client, caller, .. } = self;
        let circumstances = Context { address: caller.actor.ip, ..caller.circumstances.clone() };
        let keys = [format!("user/{}", principal.id()), format!("workspace/{workspace}")];
        gateway
            .decisions
            .decide(&keys, async || {
                let workspace = gateway.state.workspace(workspace).await?.ok_or(Refusal::Unknown("workspace"))?;
                let principal = &renewed(gateway, principal).await?;
                let rules = gateway.authority.rules(&gateway.state).await?;
                let attempt =
                    Attempt { principal, circumstances: &circumstances, kind: *kind, client: client.as_deref() };
                let verdict = gateway.judge_attempt(rules.bench(), attempt, &workspace).await?;
                let command = AuthorizeSession {
                    id: self.session.clone(),
                    kind: *kind,
                    client: client.clone(),
                    certificate: self.facts.clone(),
                    expires_at: self.expires_at,
                    refusal: verdict.refusal.clone(),
                };
                let judged = Caller { policies: verdict.policies.clone(), ..caller.clone() };
                let (event, refusal) = command.decide(&workspace, gateway.context(&judged))?;
                let certificate = if refusal.is_none() { self.certify()? } else { None };
                let judged = verdict.refusal.is_some().then_some(verdict.policies);
                Ok((vec![event], Told { refusal, judged, certificate }))
            })
            .await
    }

    fn claims(&self, gateway: &Gateway, workspace: &str) -> Claims {
        let actor = &self.caller.actor;
        Claims {
            iss: gateway.settings.public_url.clone().unwrap_or_else(|| "/chancery".to_owned()),
            aud: ticket::audience(workspace),
            sub: actor.id.clone(),
            jti: self.session.clone(),
            iat: self.now.as_micros() / 1_000_000,
            exp: self.expires_at.as_micros() / 1_000_000,
            kind: self.kind.as_str().to_owned(),
            name: actor.name.clone(),
            address: actor.ip.map(|ip| ip.to_string()),
            client: self.client.clone(),
        }
    }

    /// The certificate, if one is wanted. What its kind does not need it does not permit.
    fn certify(&self) -> Result<Option<String>, ApiError> {
        let (Some(wanted), Some(facts)) = (&self.wanted, &self.facts) else { return Ok(None) };
        let extensions: &[&str] = match self.kind {
            SessionKind::Ssh => &["permit-pty"],
            SessionKind::DesktopIde => &["permit-port-forwarding", "permit-pty"],
            SessionKind::PortForward => &["permit-port-forwarding"],
            _ => &[],
        };
        let actor = &self.caller.actor;
        let name = actor.name.as_deref().unwrap_or(&actor.id);
        let name: String = name.chars().filter(|c| !c.is_control()).take(256).collect();
        let seconds = |moment: Timestamp| u64::try_from(moment.as_micros() / 1_000_000).unwrap_or_default();
        let certificate = UserCertificate {
            key_id: &format!("chancery/{}/{name}", self.session),
            serial: wanted.serial,
            principals: &facts.principals,
            valid_after: seconds(self.now).saturating_sub(SKEW),
            valid_before: seconds(self.expires_at),
            source_address: facts.source_address.as_deref(),
            force_command: facts.force_command.as_deref(),
            extensions,
        };
        Ok(Some(wanted.signer.authority()?.certify_user(&wanted.key, &certificate, wanted.nonce)?))
    }
}

/// A workspace by its id, or one of the caller's own by its name.
async fn find_workspace(gateway: &Gateway, principal: &Principal, id: &str) -> Result<WorkspaceRecord, ApiError> {
    if let Some(workspace) = gateway.state.workspace(id).await? {
        return Ok(workspace);
    }
    let named = gateway.state.workspaces_by_name(principal.id(), id).await?;
    named.into_iter().next().ok_or_else(|| Refusal::Unknown("workspace").into())
}

/// Who asks, with what they have now.
async fn renewed(gateway: &Gateway, principal: &Principal) -> Result<Principal, ApiError> {
    let Principal::User(user) = principal else { return Ok(principal.clone()) };
    let found = gateway.state.user(&user.id).await?.filter(|user| user.status == UserStatus::Active);
    let gone = || ApiError::Unauthenticated("the token is not valid: its owner has no access".to_owned());
    Ok(Principal::User(authorization::user(&gateway.state, &found.ok_or_else(gone)?).await?))
}

/// What a refused caller is told. One who may not know of the workspace learns nothing of it; that they tried is on
/// record. Who may connect and finds it closed is told that, which is no denial.
fn refused(
    caller: &Caller,
    workspace: &WorkspaceRecord,
    detail: String,
    judged: Option<Vec<PolicyReference>>,
) -> ApiError {
    if !knows(caller, workspace) {
        return Refusal::Unknown("workspace").into();
    }
    match judged {
        Some(policies) => ApiError::Denied { detail, policies },
        None => ApiError::Conflict(detail),
    }
}

/// Whether someone may know of a workspace: it is theirs, or they see or enter others' there.
fn knows(caller: &Caller, workspace: &WorkspaceRecord) -> bool {
    let own = workspace.owner_id.as_deref() == caller.principal.as_ref().map(Principal::id);
    let resource = place(workspace);
    let sees = |permission| caller.may_at(permission, &resource);
    own || sees(Permission::WorkspacesRead) || sees(Permission::SessionsConnect)
}

/// What a certificate is made with, if one is wanted.
async fn wanted(gateway: &Gateway, kind: SessionKind, key: Option<&str>) -> Result<Option<Wanted>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    if !kind.is_ssh() {
        let detail = format!("a `{}` session goes without a certificate: leave `public_key` away", kind.as_str());
        return Err(ApiError::bad_request(detail));
    }
    let (key, signer) = (PublicKey::read(key)?, gateway.signer(KeyPurpose::SshUser).await?);
    Ok(Some(Wanted { key, signer, serial: (rand::random::<u64>() >> 1) | 1, nonce: rand::random() }))
}

/// The name that opens a workspace.
pub(super) fn principal_of(workspace: &str) -> String {
    format!("workspace-{workspace}")
}

fn facts(
    gateway: &Gateway,
    wanted: &Wanted,
    kind: SessionKind,
    workspace: &WorkspaceRecord,
    actor: &Actor,
) -> SessionCertificate {
    let settings = &gateway.settings.sessions;
    let force_command = match kind {
        SessionKind::FileTransfer => Some("internal-sftp".to_owned()),
        _ => settings.force_command.clone(),
    };
    SessionCertificate {
        authority: wanted.signer.key.id.clone(),
        fingerprint: wanted.key.fingerprint(),
        force_command,
        principals: vec![principal_of(&workspace.id)],
        serial: wanted.serial.to_string(),
        source_address: actor.ip.filter(|_| settings.bind_address).map(|ip| ip.to_string()),
    }
}

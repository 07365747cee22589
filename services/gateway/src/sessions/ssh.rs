//! What sshd and ssh need: whom to believe, what was taken back, certificates for hosts.

use actix_web::{HttpResponse, web};
use chancery_domain::Resource;
use chancery_domain::decision::Refusal;
use chancery_domain::events::sessions::{HostCertified, KeyPurpose};
use chancery_domain::session_keys::certified;
use chancery_policy::{Permission, Resource as Place};
use chancery_ssh::{HostCertificate, PublicKey, RevocationList};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::authorize::principal_of;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::workspaces;

/// How long a host certificate is good, in seconds: 90 days, and at most a year.
const HOST_SECONDS: u64 = 90 * 86_400;
const MOST_HOST_SECONDS: u64 = 366 * 86_400;
/// Most names of a host.
const MOST_NAMES: usize = 16;
/// How long an expired certificate stays on the list, for clocks that are behind: an hour.
const LAG: i64 = 3_600_000_000;

/// Whose certificates.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AuthorityQuery {
    /// `users`: lines for sshd's `TrustedUserCAKeys`, as without. `hosts`: lines for ssh's `known_hosts`.
    of: Option<String>,
}

/// A certificate that a host wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostOrder {
    /// The host's public key, as OpenSSH writes it.
    public_key: String,
    /// The workspace that it is, by id.
    workspace: Option<String>,
    /// More names that it answers to.
    #[serde(default)]
    names: Vec<String>,
    /// How long it is to be good; 90 days without.
    seconds: Option<u64>,
}

/// The keys of the authority, one a line.
#[utoipa::path(get, path = "/api/v1/ssh/authority", tag = "ssh", params(AuthorityQuery),
    responses((status = 200), (status = 400), (status = 503)))]
pub(crate) async fn authority(
    gateway: web::Data<Gateway>,
    query: web::Query<AuthorityQuery>,
) -> Result<HttpResponse, ApiError> {
    let (purpose, before) = match query.of.as_deref() {
        None | Some("users") => (KeyPurpose::SshUser, ""),
        Some("hosts") => (KeyPurpose::SshHost, "@cert-authority * "),
        Some(_) => return Err(ApiError::bad_request("`of` must be `users` or `hosts`")),
    };
    let keys = gateway.trusted_keys(purpose).await?;
    let lines: Vec<String> = keys.iter().map(|key| format!("{before}{}\n", key.public_key)).collect();
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(lines.concat()))
}

/// The certificates that were taken back, as a list for sshd's `RevokedKeys`.
#[utoipa::path(get, path = "/api/v1/ssh/revocations", tag = "ssh", responses((status = 200), (status = 503)))]
pub(crate) async fn revocations(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let now = gateway.now();
    let mut list = RevocationList::default();
    for (authority, serial) in gateway.state.revoked_certificates(now.saturating_add_micros(-LAG)).await? {
        let key = PublicKey::read(&authority).map_err(|error| ApiError::Internal(error.to_string()))?;
        list.revoke(&key, serial)?;
    }
    let version = gateway.state.applied().total();
    let generated = u64::try_from(now.as_micros() / 1_000_000).unwrap_or_default();
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(list.encode(version, generated)))
}

/// Makes a certificate for a host. Runners may for any; who may change a workspace, for that one and no other name.
#[utoipa::path(post, path = "/api/v1/ssh/host-certificates", tag = "ssh", request_body = HostOrder,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub(crate) async fn certify_host(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let order: Result<HostOrder, ApiError> =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()));
    // Who may make none at all learns nothing of how they are made.
    let order = match order {
        Err(_) if !caller.may(Permission::RunnersRun) => {
            return Err(ApiError::Forbidden(format!("nothing permits you `{}`", Permission::RunnersRun)));
        }
        order => order?,
    };
    let (caller, host, organization, mut principals) = host(&gateway, &caller, &order).await?;
    principals.extend(order.names);
    if principals.is_empty() || principals.len() > MOST_NAMES || principals.iter().any(|name| !is_host_name(name)) {
        let detail = format!("a host has 1 to {MOST_NAMES} names of letters, digits, `.`, `-`, `_` and `:`");
        return Err(ApiError::bad_request(detail));
    }
    let seconds = order.seconds.unwrap_or(HOST_SECONDS);
    if !(60..=MOST_HOST_SECONDS).contains(&seconds) {
        return Err(ApiError::bad_request(format!("`seconds` must be 60 to {MOST_HOST_SECONDS}")));
    }
    let (key, signer) = (PublicKey::read(&order.public_key)?, gateway.signer(KeyPurpose::SshHost).await?);
    let now = gateway.now();
    let expires_at = now.saturating_add_micros(i64::try_from(seconds * 1_000_000).unwrap_or(i64::MAX));
    let begin = u64::try_from(now.as_micros() / 1_000_000).unwrap_or_default();
    let serial = (rand::random::<u64>() >> 1) | 1;
    let certificate = HostCertificate {
        key_id: &format!("chancery/{}/{}", host.kind, host.id),
        serial,
        principals: &principals,
        valid_after: begin.saturating_sub(60),
        valid_before: begin + seconds,
    };
    let text = signer.authority()?.certify_host(&key, &certificate, rand::random())?;
    let facts = HostCertified {
        authority: signer.key.id.clone(),
        expires_at,
        fingerprint: key.fingerprint(),
        principals: principals.clone(),
        serial: serial.to_string(),
    };
    gateway
        .decisions
        .decide(&[host.stream()], async || {
            let events = certified(host.clone(), organization.clone(), &facts, gateway.context(&caller));
            Ok::<_, ApiError>((events, ()))
        })
        .await?;
    Ok(HttpResponse::Created().json(json!({ "certificate": text, "principals": principals, "expires_at": expires_at })))
}

/// Which host it is, with the caller as judged for it: the workspace of that id, or one by its names.
async fn host(
    gateway: &Gateway,
    caller: &Caller,
    order: &HostOrder,
) -> Result<(Caller, Resource, Option<String>, Vec<String>), ApiError> {
    let Some(id) = &order.workspace else {
        let caller = caller.judged_at(Permission::RunnersRun, &Place::Deployment)?;
        let name = order.names.first().cloned().unwrap_or_default();
        return Ok((caller, Resource::new("host", &name).named(name), None, Vec::new()));
    };
    let workspace = gateway.state.workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
    let place = workspaces::place(&workspace);
    let judged = match caller.judged_at(Permission::RunnersRun, &place) {
        Ok(judged) => judged,
        Err(_) if order.names.is_empty() => {
            caller.judged_at(Permission::WorkspacesWrite, &place).map_err(|_| Refusal::Unknown("workspace"))?
        }
        Err(error) if caller.may_at(Permission::WorkspacesRead, &place) => return Err(error),
        Err(_) => return Err(Refusal::Unknown("workspace").into()),
    };
    let names = vec![principal_of(&workspace.id)];
    Ok((judged, workspace.resource(), workspace.organization, names))
}

fn is_host_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    (1..=253).contains(&name.len()) && name.bytes().all(plain)
}

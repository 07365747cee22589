//! Runners: listed, shown, revoked; their keys, how they register and sign, and the queue of what they take.

pub(crate) mod attend;
pub(crate) mod keys;
pub(crate) mod queue;
pub(crate) mod register;
pub(crate) mod signature;

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::decision::Refusal;
use chancery_domain::runners::{RunnerRecord, RunnerStatus};
use chancery_domain::workspaces::builds::Leases;
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Longest reason, in characters.
const MOST_REASON: usize = 1000;

/// How runners and their jobs are waited for.
#[derive(Debug, Clone, Copy)]
pub struct RunnerSettings {
    /// Leases of jobs.
    pub leases: Leases,
    /// After which silence a runner is lost.
    pub lost: Duration,
}

impl Default for RunnerSettings {
    fn default() -> Self {
        Self { leases: Leases::default(), lost: Duration::from_secs(150) }
    }
}

/// A runner as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct RunnerView {
    id: String,
    name: String,
    organization: String,
    /// The user whose workspaces alone it builds.
    owner_id: Option<String>,
    tags: BTreeMap<String, String>,
    status: &'static str,
    public_key: String,
    key_id: Option<String>,
    hostname: Option<String>,
    version: Option<String>,
    registered_at: Timestamp,
    expires_at: Option<Timestamp>,
    connected_at: Option<Timestamp>,
    last_seen_at: Option<Timestamp>,
    lost_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl RunnerView {
    fn of(runner: RunnerRecord, seen: Option<Timestamp>) -> Self {
        let status = if runner.revoked_at.is_some() { "revoked" } else { runner.status.as_str() };
        Self {
            id: runner.id,
            name: runner.name,
            organization: runner.organization,
            owner_id: runner.owner_id,
            tags: runner.tags,
            status,
            public_key: runner.public_key,
            key_id: runner.key_id,
            hostname: runner.hostname,
            version: runner.version,
            registered_at: runner.registered_at,
            expires_at: runner.expires_at,
            connected_at: runner.connected_at,
            last_seen_at: seen.max(runner.connected_at),
            lost_at: runner.lost_at,
            revoked_at: runner.revoked_at,
        }
    }
}

/// Why something is withdrawn.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// For auditors.
    reason: Option<String>,
}

impl Why {
    fn bounded(self) -> Result<Option<String>, ApiError> {
        match self.reason {
            Some(reason) if reason.chars().count() > MOST_REASON => {
                Err(ApiError::bad_request(format!("`reason` must have at most {MOST_REASON} characters")))
            }
            reason => Ok(reason),
        }
    }
}

/// Every runner of the organizations one sees.
#[utoipa::path(get, path = "/api/v1/runners", tag = "runners", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let beats = gateway.heard().await?;
    let runners = gateway.state.all_runners().await?.into_iter();
    let seen = runners.filter(|runner| caller.visible.includes(Some(&runner.organization)));
    let views = seen.map(|runner| {
        let at = beats.get(&format!("runner/{}", runner.id)).copied();
        RunnerView::of(runner, at)
    });
    Ok(HttpResponse::Ok().json(json!({ "items": views.collect::<Vec<_>>() })))
}

/// One runner.
#[utoipa::path(get, path = "/api/v1/runners/{id}", tag = "runners", params(("id" = String, Path, description = "Runner id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let runner = find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, runner).await?))
}

/// Revokes a runner: it is cut off at once, and never comes back. What it has in hands goes to others when its lease ends.
#[utoipa::path(delete, path = "/api/v1/runners/{id}", tag = "runners", params(("id" = String, Path, description = "Runner id"), Why),
    responses((status = 200), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    why: web::Query<Why>,
) -> Result<HttpResponse, ApiError> {
    let reason = why.into_inner().bounded()?;
    let runner = find(&gateway, &caller, &id).await?;
    let caller = caller.judged_at(Permission::RunnersWrite, &Resource::organization(&runner.organization))?;
    gateway.revoke_runner(&id, reason, None, &caller).await?;
    gateway.decisions.disbelieved().await;
    let runner = find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, runner).await?))
}

/// A new key pair of a runner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityRequest {
    /// Its public half: 32 bytes of Ed25519 in base64.
    public_key: String,
    /// Signature with its private half, in base64, of `chancery runner <runner id> has the key pair <public key>`.
    proof: String,
}

/// Lets a runner sign with another key pair from now on; the request is signed with the one it had.
#[utoipa::path(post, path = "/api/v1/runners/{id}/rotate", tag = "runners", params(("id" = String, Path, description = "Runner id")),
    request_body = IdentityRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn rotate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<IdentityRequest>,
) -> Result<HttpResponse, ApiError> {
    let own = caller.runner.as_ref().filter(|runner| runner.id == *id).ok_or(Refusal::Unknown("runner"))?;
    let caller = caller.judged_at(Permission::RunnersRun, &Resource::organization(&own.organization))?;
    let IdentityRequest { public_key, proof } = request.into_inner();
    register::prove(&id, &public_key, &proof)?;
    gateway
        .decisions
        .decide(&[key(&id), register::pair_key(&public_key)], async || {
            if gateway.state.runner_of_public_key(&public_key).await?.is_some_and(|other| other.id != *id) {
                return Err(Refusal::Conflict("a runner has this key pair already".to_owned()).into());
            }
            let runner = gateway.state.stored_runner(&id).await?.ok_or(Refusal::Unknown("runner"))?;
            Ok::<_, ApiError>((runner.rotate(&public_key, gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.decisions.disbelieved().await;
    let runner = gateway.state.stored_runner(&id).await?.ok_or(Refusal::Unknown("runner"))?;
    Ok(HttpResponse::Ok().json(shown(&gateway, runner).await?))
}

async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<RunnerRecord, ApiError> {
    let found = gateway.state.stored_runner(id).await?;
    let seen = found.filter(|runner| caller.visible.includes(Some(&runner.organization)));
    Ok(seen.ok_or(Refusal::Unknown("runner"))?)
}

async fn shown(gateway: &Gateway, runner: RunnerRecord) -> Result<RunnerView, ApiError> {
    let at = gateway.heard().await?.get(&format!("runner/{}", runner.id)).copied();
    Ok(RunnerView::of(runner, at))
}

/// The key of decisions about a runner.
fn key(id: &str) -> String {
    format!("runner/{id}")
}

impl Gateway {
    /// Revokes a runner, or one whose key was revoked, by `cause`.
    async fn revoke_runner(
        &self,
        id: &str,
        reason: Option<String>,
        cause: Option<&str>,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        self.decisions
            .decide(&[key(id)], async || {
                let runner = self.state.stored_runner(id).await?.ok_or(Refusal::Unknown("runner"))?;
                // That of its key counts as its own, which is still to be on record.
                let revoked_at = runner.revoked_at.filter(|_| runner.status == RunnerStatus::Revoked);
                let runner = RunnerRecord { revoked_at, ..runner };
                Ok::<_, ApiError>((runner.revoke(reason.clone(), cause, self.context(caller))?, ()))
            })
            .await
    }

    /// Puts on record that a runner is there, if it was not.
    pub(crate) async fn runner_is_there(&self, caller: &Caller) -> Result<(), ApiError> {
        let Some(runner) = &caller.runner else { return Ok(()) };
        let agent = caller.actor.user_agent.as_deref().and_then(|agent| agent.strip_prefix("chancery-runner/"));
        let version = agent.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
        if runner.connect(version.clone(), self.context(caller)).is_empty() {
            return Ok(());
        }
        self.decisions
            .decide(&[key(&runner.id)], async || {
                let present = self.state.stored_runner(&runner.id).await?.ok_or(Refusal::Unknown("runner"))?;
                Ok::<_, ApiError>((present.connect(version.clone(), self.context(caller)), ()))
            })
            .await
    }
}

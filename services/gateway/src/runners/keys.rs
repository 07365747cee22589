//! Runner keys: issued, listed, rotated, withdrawn.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::decision::Refusal;
use chancery_domain::runners::{CreateRunnerKey, RotateRunnerKey, RunnerKeyRecord, RunnerStatus};
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Why;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::tokens::{NewToken, new_token};

/// A runner key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What it is for.
    name: String,
    /// The organization whose builds its runners take.
    organization: String,
    /// Id of the user whose workspaces alone its runners build; anyone's without.
    owner: Option<String>,
    /// Tags of its runners.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// It registers one runner only.
    #[serde(default)]
    one_time: bool,
    /// When it stops working, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How long each of its runners is accepted, seconds; until it is revoked without.
    runner_seconds: Option<u64>,
}

/// A successor to be made for a runner key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// How long the old one goes on working, seconds; an hour without.
    overlap_seconds: Option<u32>,
    /// When the new one stops working, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A runner key as it is shown.
#[derive(Debug, Serialize)]
struct KeyView {
    id: String,
    name: String,
    organization: String,
    owner_id: Option<String>,
    tags: BTreeMap<String, String>,
    one_time: bool,
    runner_seconds: Option<u64>,
    /// Why it registers no runner any more.
    unusable: Option<&'static str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    replaced_by: Option<String>,
    used_at: Option<Timestamp>,
    /// The key itself, only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyView {
    fn of(key: RunnerKeyRecord, now: Timestamp) -> Self {
        Self {
            unusable: key.refusal(now),
            id: key.id,
            name: key.name,
            organization: key.organization,
            owner_id: key.owner_id,
            tags: key.tags,
            one_time: key.one_time,
            runner_seconds: key.runner_seconds,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            replaced_by: key.replaced_by,
            used_at: key.used_at,
            key: None,
        }
    }
}

/// Every runner key of the organizations one sees, without its secret.
#[utoipa::path(get, path = "/api/v1/runner-keys", tag = "runners", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let now = gateway.now();
    let keys = gateway.state.runner_keys().await?.into_iter();
    let seen = keys.filter(|key| caller.visible.includes(Some(&key.organization)));
    Ok(HttpResponse::Ok().json(json!({ "items": seen.map(|key| KeyView::of(key, now)).collect::<Vec<_>>() })))
}

/// One runner key, without its secret.
#[utoipa::path(get, path = "/api/v1/runner-keys/{id}", tag = "runners", params(("id" = String, Path, description = "Runner key id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let key = find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(KeyView::of(key, gateway.now())))
}

/// Issues a runner key. Its secret is in the answer, and nowhere else.
#[utoipa::path(post, path = "/api/v1/runner-keys", tag = "runners", request_body = KeyRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<KeyRequest>,
) -> Result<HttpResponse, ApiError> {
    let KeyRequest { name, organization, owner, tags, one_time, expires_at, runner_seconds } = request.into_inner();
    let known = caller.rules.as_ref().is_some_and(|rules| rules.organizations.contains(&organization));
    if !known || !caller.visible.includes(Some(&organization)) {
        return Err(Refusal::Unknown("organization").into());
    }
    let caller = caller.judged_at(Permission::RunnersWrite, &Resource::organization(&organization))?;
    if let Some(owner) = &owner
        && gateway.state.user(owner).await?.is_none()
    {
        return Err(ApiError::bad_request("`owner` is no user"));
    }
    let drawn = new_token();
    let command = CreateRunnerKey {
        id: drawn.id.clone(),
        name,
        organization,
        owner_id: owner,
        tags,
        one_time,
        runner_seconds,
        secret_sha256: drawn.secret_sha256.clone(),
        expires_at,
    };
    gateway
        .decisions
        .decide(&[key(&drawn.id)], async || Ok::<_, ApiError>((command.clone().decide(gateway.context(&caller))?, ())))
        .await?;
    shown(&gateway, &drawn).await
}

/// Makes a successor for a runner key; both work until the overlap is over. Runners of the old one stay.
#[utoipa::path(post, path = "/api/v1/runner-keys/{id}/rotate", tag = "runners", params(("id" = String, Path, description = "Runner key id")),
    request_body = RotateRequest, responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn rotate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<RotateRequest>,
) -> Result<HttpResponse, ApiError> {
    let old = find(&gateway, &caller, &id).await?;
    let caller = caller.judged_at(Permission::RunnersWrite, &Resource::organization(&old.organization))?;
    let drawn = new_token();
    let command = RotateRunnerKey {
        id: drawn.id.clone(),
        secret_sha256: drawn.secret_sha256.clone(),
        expires_at: request.expires_at,
        overlap: i64::from(request.overlap_seconds.unwrap_or(3600)) * 1_000_000,
    };
    gateway
        .decisions
        .decide(&[key(&id), key(&drawn.id)], async || {
            let old = gateway.state.runner_key(&id).await?.ok_or(Refusal::Unknown("runner key"))?;
            Ok::<_, ApiError>((command.clone().decide(&old, gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &drawn).await
}

/// Withdraws a runner key, and with it every runner that it has registered: they are cut off at once. Asked again, it goes on
/// with runners that are left.
#[utoipa::path(delete, path = "/api/v1/runner-keys/{id}", tag = "runners", params(("id" = String, Path, description = "Runner key id"), Why),
    responses((status = 200), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    why: web::Query<Why>,
) -> Result<HttpResponse, ApiError> {
    let reason = why.into_inner().bounded()?;
    let present = find(&gateway, &caller, &id).await?;
    let caller = caller.judged_at(Permission::RunnersWrite, &Resource::organization(&present.organization))?;
    let left = async || -> Result<Vec<String>, ApiError> {
        let runners = gateway.state.runners_of_key(&id).await?.into_iter();
        Ok(runners.filter(|runner| runner.status != RunnerStatus::Revoked).map(|runner| runner.id).collect())
    };
    let cause = if present.revoked_at.is_none() || left().await?.is_empty() {
        let keys = [key(&id)];
        let revoked = gateway.decisions.decide(&keys, async || {
            let present = gateway.state.runner_key(&id).await?.ok_or(Refusal::Unknown("runner key"))?;
            let events = present.revoke(reason.clone(), gateway.context(&caller))?;
            let cause = events.first().map(|event| event.id.clone());
            Ok::<_, ApiError>((events, cause))
        });
        revoked.await?
    } else {
        None
    };
    let of_key = Some("its runner key was revoked".to_owned());
    for runner in left().await? {
        // Someone else may have revoked it meanwhile.
        match gateway.revoke_runner(&runner, of_key.clone(), cause.as_deref(), &caller).await {
            Ok(()) | Err(ApiError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    gateway.decisions.disbelieved().await;
    let revoked = find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(KeyView::of(revoked, gateway.now())))
}

async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<RunnerKeyRecord, ApiError> {
    let found = gateway.state.runner_key(id).await?;
    let seen = found.filter(|key| caller.visible.includes(Some(&key.organization)));
    Ok(seen.ok_or(Refusal::Unknown("runner key"))?)
}

async fn shown(gateway: &Gateway, drawn: &NewToken) -> Result<HttpResponse, ApiError> {
    let made = gateway.state.runner_key(&drawn.id).await?;
    let made = made.ok_or_else(|| ApiError::Internal("a new runner key is not there".to_owned()))?;
    let text = drawn.text.replacen("chy_", "chr_", 1);
    Ok(HttpResponse::Created().json(KeyView { key: Some(text), ..KeyView::of(made, gateway.now()) }))
}

/// The key of decisions about a runner key.
pub(super) fn key(id: &str) -> String {
    format!("runner-key/{id}")
}

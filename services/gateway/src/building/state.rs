//! Terraform's state of a workspace, by the protocol of its HTTP backend: for the job that builds the workspace, with
//! its own credentials, and for nobody else.
//!
//! What is written is kept, encrypted, before it is on record; what is read is on record before it is given out.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chancery_domain::decision::Refusal;
use chancery_domain::states::{KeptState, LockRecord, LockState, StateHead, StateVersion, UnlockState, WriteState};
use chancery_lake::LakeError;
use chancery_policy::Permission;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::credentials::{self, JobCaller};
use super::sealing::{self, SealingError};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::ingest::read_body;
use crate::middleware::{Caller, record_refusal};

/// Most bytes of a state.
const LARGEST_STATE: usize = 32 << 20;
/// Most bytes of what Terraform says of a lock.
const LARGEST_LOCK: usize = 64 << 10;

/// Under which lock a state is written.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct LockQuery {
    /// Terraform's id of the lock.
    #[serde(rename = "ID")]
    #[param(rename = "ID")]
    id: Option<String>,
}

/// What Terraform says of a lock.
#[derive(Debug, Default, Deserialize)]
struct LockInfo {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Operation", default)]
    operation: String,
    #[serde(rename = "Who", default)]
    who: String,
}

impl From<SealingError> for ApiError {
    fn from(error: SealingError) -> Self {
        match error {
            SealingError::NoKey | SealingError::UnknownKey(_) => Self::Unavailable(error.to_string()),
            SealingError::Broken | SealingError::Cipher => Self::Internal(error.to_string()),
        }
    }
}

/// The job that a request comes from. What is not good is on record.
async fn job(
    gateway: &Gateway,
    caller: &Caller,
    request: &HttpRequest,
    workspace: &str,
) -> Result<JobCaller, ApiError> {
    let found = credentials::job(gateway, caller, request, workspace).await;
    if let Err(error @ ApiError::Unauthenticated(_)) = &found {
        record_refusal(gateway, request, caller, Permission::RunnersRun, None, error.to_string()).await;
    }
    found
}

/// The last version of the state, for the job that builds the workspace; nothing where there is none.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/state", tag = "states", params(("id" = String, Path, description = "Workspace id")),
    responses((status = 200), (status = 204, description = "There is none"), (status = 401), (status = 403), (status = 503)))]
pub(crate) async fn read(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let job = job(&gateway, &caller, &request, &id).await?;
    let name = job.build.job_id.clone().unwrap_or_default();
    match gateway.decisions.read_state(&name, job.permit(&gateway)).await? {
        Some(version) => {
            let state = opened(&gateway, &id, &version).await?;
            Ok(HttpResponse::Ok().content_type("application/json").body(state))
        }
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Takes the next version of the state, under the lock of the job that builds the workspace.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/state", tag = "states",
    params(("id" = String, Path, description = "Workspace id"), LockQuery), request_body(content = String, content_type = "application/json"),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 409), (status = 413), (status = 503)))]
pub(crate) async fn write(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<LockQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let job = job(&gateway, &caller, &request, &id).await?;
    let state = read_body(&request, payload, LARGEST_STATE).await?;
    keep(&gateway, &job, &id, state, query.into_inner().id).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Empties the state: a version without resources. Those before are kept.
#[utoipa::path(delete, path = "/api/v1/workspaces/{id}/state", tag = "states", params(("id" = String, Path, description = "Workspace id"), LockQuery),
    responses((status = 200), (status = 401), (status = 403), (status = 409), (status = 503)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<LockQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let job = job(&gateway, &caller, &request, &id).await?;
    let Some(last) = gateway.state.last_state(&id).await? else { return Ok(HttpResponse::Ok().finish()) };
    let lock = query.into_inner().id;
    // Terraform does not name the lock here.
    let held = gateway.state.state_lock(&id).await?.filter(|held| held.job_id == job.build.job_id);
    let empty = json!({
        "version": 4, "serial": last.serial.saturating_add(1), "lineage": last.lineage,
        "terraform_version": last.terraform_version, "outputs": {}, "resources": [],
    });
    keep(&gateway, &job, &id, empty.to_string().into(), lock.or(held.map(|held| held.id))).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Locks the state (`LOCK`): with the lock of someone else as the answer where it is locked.
pub(crate) async fn lock(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let job = job(&gateway, &caller, &request, &id).await?;
    let LockInfo { id: lock, operation, who } = info(&read_body(&request, payload, LARGEST_LOCK).await?)?;
    let name = job.build.job_id.clone().unwrap_or_default();
    let command = LockState { id: lock, operation: Some(operation), who: Some(who) };
    let held = gateway.decisions.lock_state(&name, &command, job.permit(&gateway)).await?;
    Ok(held
        .map_or_else(|| HttpResponse::Ok().finish(), |held| HttpResponse::build(StatusCode::LOCKED).json(told(&held))))
}

/// Unlocks the state (`UNLOCK`).
pub(crate) async fn unlock(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<LockQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let job = job(&gateway, &caller, &request, &id).await?;
    let body = read_body(&request, payload, LARGEST_LOCK).await?;
    let said = if body.is_empty() { LockInfo::default() } else { info(&body)? };
    let lock = query.into_inner().id.or(Some(said.id)).filter(|id| !id.is_empty());
    let name = job.build.job_id.clone().unwrap_or_default();
    gateway.decisions.unlock_state(&name, &UnlockState { id: lock }, job.permit(&gateway)).await?;
    Ok(HttpResponse::Ok().finish())
}

fn info(body: &[u8]) -> Result<LockInfo, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// A lock as Terraform tells it.
fn told(lock: &LockRecord) -> serde_json::Value {
    json!({
        "ID": lock.id, "Operation": lock.operation.clone().unwrap_or_default(), "Info": "",
        "Who": lock.who.clone().unwrap_or_default(), "Version": "", "Created": lock.locked_at, "Path": "",
    })
}

/// Keeps a state for a job, and puts it on record.
async fn keep(
    gateway: &Gateway,
    job: &JobCaller,
    workspace: &str,
    state: Bytes,
    lock: Option<String>,
) -> Result<(), ApiError> {
    let name = job.build.job_id.clone().unwrap_or_default();
    // A job that may not write does not fill the store.
    let held = gateway.state.state_lock(workspace).await?;
    if held.is_none_or(|held| held.job_id != job.build.job_id || lock.as_ref() != Some(&held.id)) {
        // Perhaps this node has not seen the lock yet: the decision knows.
        gateway.decisions.read_lock(&name, lock.as_deref(), job.permit(gateway)).await?;
    }
    let state = sealed(gateway, workspace, state).await?;
    gateway.decisions.write_state(&name, &WriteState { state, lock }, job.permit(gateway)).await
}

/// Encrypts a state and keeps it. Nothing is on record yet.
pub(super) async fn sealed(gateway: &Gateway, workspace: &str, state: Bytes) -> Result<KeptState, ApiError> {
    let head = StateHead::read(&state)?;
    let (settings, owner, size) = (gateway.settings.states.clone(), workspace.to_owned(), state.len() as u64);
    let sealed = blocking(move || sealing::seal(&settings, &owner, &state)).await??;
    let blob = gateway.blobs.put(sealed.bytes.into()).await?;
    Ok(KeptState { head, sha256: sealed.sha256, size, blob, key_id: sealed.key_id })
}

/// A version of a state, decrypted, if it is what was written.
pub(super) async fn opened(gateway: &Gateway, workspace: &str, version: &StateVersion) -> Result<Vec<u8>, ApiError> {
    let number = version.version;
    let lost = || ApiError::Internal(format!("version {number} of the state of {workspace} is not in the store"));
    let kept = gateway.blobs.get(&version.blob).await.map_err(|error| match error {
        LakeError::Storage(_) => ApiError::Internal(format!("version {number} of the state of {workspace}: {error}")),
        error => error.into(),
    })?;
    let kept = kept.ok_or_else(lost)?;
    let (settings, owner, sha256) = (gateway.settings.states.clone(), workspace.to_owned(), version.sha256.clone());
    Ok(blocking(move || sealing::open(&settings, &owner, &sha256, &kept)).await??)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.to_string()))
}

/// What no request in good order runs into.
pub(super) fn unknown_version() -> ApiError {
    Refusal::Unknown("version").into()
}

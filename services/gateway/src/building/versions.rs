//! Versions of Terraform states, for those who look after them: listed, read, restored; and locks that are broken. A state
//! holds secrets: it takes a permission of its own, and a reason.

use actix_web::http::header::{CONTENT_DISPOSITION, ETAG};
use actix_web::{HttpResponse, web};
use chancery_domain::states::{BreakLock, LockRecord, MOST_REASON, RestoreState, StateVersion};
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_policy::Permission;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::state::{opened, sealed, unknown_version};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::resources;
use crate::workspaces::{find, place};

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct VersionPage {
    /// Number of the last version of the page before.
    before: Option<u64>,
    /// Most versions, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// Why a state is read.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct WhyQuery {
    /// For auditors.
    reason: Option<String>,
}

/// Why a state is restored, or a lock is broken.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyRequest {
    /// For auditors.
    #[serde(default)]
    reason: String,
}

/// Versions of a workspace's state, the last one first, and its lock.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/state/versions", tag = "states",
    params(("id" = String, Path, description = "Workspace id"), VersionPage),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<VersionPage>,
) -> Result<HttpResponse, ApiError> {
    looked_after(&gateway, &caller, &id).await?;
    let limit = resources::limit(query.limit)?;
    let versions = gateway.state.state_versions(&id, query.before, limit).await?;
    let next = versions.last().filter(|_| versions.len() == limit).map(|version| version.version);
    let lock = gateway.state.state_lock(&id).await?;
    let items: Vec<Value> = versions.iter().map(view).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "lock": lock.as_ref().map(lock_view), "next": next })))
}

/// A version of a workspace's state itself. It holds secrets: that it was read, and why, is on record.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/state/versions/{version}", tag = "states",
    params(("id" = String, Path, description = "Workspace id"), ("version" = String, Path, description = "Its number, or `last`"), WhyQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    query: web::Query<WhyQuery>,
) -> Result<HttpResponse, ApiError> {
    let (id, wanted) = path.into_inner();
    let (workspace, caller) = looked_after(&gateway, &caller, &id).await?;
    let reason = given(query.reason.as_deref().unwrap_or_default())?;
    let version = version(&gateway, &id, &wanted).await?;
    let state = opened(&gateway, &id, &version).await?;
    let events = chancery_domain::states::read(&workspace, &version, None, Some(reason), gateway.context(&caller));
    gateway.record(&events).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((ETAG, format!("\"{}\"", version.sha256)))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.tfstate\"", version.version)))
        .body(state))
}

/// Puts a version of a workspace's state in the place of the last one, as a new version.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/state/versions/{version}/restore", tag = "states",
    params(("id" = String, Path, description = "Workspace id"), ("version" = String, Path, description = "Its number")),
    request_body = WhyRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 503)))]
pub(crate) async fn restore(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, wanted) = path.into_inner();
    looked_after(&gateway, &caller, &id).await?;
    let reason = given(&said(&body)?)?;
    let version = version(&gateway, &id, &wanted).await?;
    let last = gateway.state.last_state(&id).await?.ok_or_else(unknown_version)?;
    let state = opened(&gateway, &id, &version).await?;
    let mut state: Value = serde_json::from_slice(&state)
        .map_err(|error| ApiError::Internal(format!("a state that was taken cannot be read: {error}")))?;
    if let Some(members) = state.as_object_mut() {
        members.insert("serial".to_owned(), json!(last.serial.saturating_add(1)));
        members.insert("lineage".to_owned(), json!(last.lineage));
    }
    let state = sealed(&gateway, &id, state.to_string().into()).await?;
    let command = RestoreState { state, version: version.version, reason };
    gateway.decisions.restore_state(&id, &command, permit(&gateway, &caller)).await?;
    let now = gateway.state.last_state(&id).await?.ok_or_else(unknown_version)?;
    Ok(HttpResponse::Ok().json(view(&now)))
}

/// Breaks the lock of a workspace's state. Whoever has it can write no more.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/state/unlock", tag = "states", params(("id" = String, Path, description = "Workspace id")),
    request_body = WhyRequest,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn unlock(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    looked_after(&gateway, &caller, &id).await?;
    let command = BreakLock::Asked(given(&said(&body)?)?);
    gateway.decisions.break_state_lock(&id, &command, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn said(body: &[u8]) -> Result<String, ApiError> {
    if body.is_empty() {
        return Ok(String::new());
    }
    let WhyRequest { reason } =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(reason)
}

fn given(reason: &str) -> Result<String, ApiError> {
    let reason = reason.trim().to_owned();
    let length = reason.chars().count();
    if length == 0 || length > MOST_REASON || reason.chars().any(char::is_control) {
        let detail = format!("`reason` is needed: 1 to {MOST_REASON} characters on one line");
        return Err(ApiError::bad_request(detail));
    }
    Ok(reason)
}

/// A workspace whose state the caller looks after, and the caller with the policies that say so.
async fn looked_after(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(WorkspaceRecord, Caller), ApiError> {
    let workspace = find(gateway, caller, id).await?;
    let caller = caller.judged_at(Permission::WorkspacesState, &place(&workspace))?;
    Ok((workspace, caller))
}

fn permit<'a>(
    gateway: &'a Gateway,
    caller: &'a Caller,
) -> impl Fn(&WorkspaceRecord) -> Result<chancery_domain::decision::Context, ApiError> + 'a {
    |workspace| Ok(gateway.context(&caller.judged_at(Permission::WorkspacesState, &place(workspace))?))
}

async fn version(gateway: &Gateway, workspace: &str, wanted: &str) -> Result<StateVersion, ApiError> {
    let found = match wanted.parse() {
        Ok(number) => gateway.state.state_version(workspace, number).await?,
        Err(_) if wanted == "last" => gateway.state.last_state(workspace).await?,
        Err(_) => None,
    };
    found.ok_or_else(unknown_version)
}

fn view(version: &StateVersion) -> Value {
    json!({
        "version": version.version, "serial": version.serial, "lineage": version.lineage, "sha256": version.sha256,
        "size": version.size, "resources": version.resources, "terraform_version": version.terraform_version,
        "key_id": version.key_id, "job_id": version.job_id, "build_number": version.build_number,
        "restored_from": version.restored_from, "written_by": version.written_by, "written_at": version.written_at,
    })
}

fn lock_view(lock: &LockRecord) -> Value {
    json!({
        "id": lock.id, "job_id": lock.job_id, "operation": lock.operation, "who": lock.who, "locked_at": lock.locked_at,
    })
}

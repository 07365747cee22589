//! Builds of a workspace: asked for, read, ended.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::workspaces::Transition;
use chancery_domain::workspaces::builds::{BuildStatus, CancelBuild, RequestBuild};
use chancery_policy::Permission;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::view::{BuildView, build};
use super::{bounded, find, permit};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::resources;

/// A build to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildRequest {
    /// `start`, `stop`, `delete`; `update` starts it with the active version of its template.
    transition: String,
    /// Id of the template version to build.
    template_version: Option<String>,
    /// Values of the template's variables; the present ones without.
    parameters: Option<BTreeMap<String, String>>,
    /// For auditors.
    reason: Option<String>,
}

impl BuildRequest {
    /// A deletion.
    pub(super) fn delete() -> Self {
        Self { transition: "delete".to_owned(), template_version: None, parameters: None, reason: None }
    }
}

/// Which builds.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct BuildPage {
    /// Number of the last build of the page before.
    before: Option<u32>,
    /// Most builds, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// Why a build is ended.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// For auditors.
    reason: Option<String>,
}

/// Asks for a build. It waits for a runner, and for its plan to be within the quota.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/builds", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    request_body = BuildRequest, responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<BuildRequest>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    match order(&gateway, &caller, &id, request.into_inner()).await? {
        Some(number) => Ok(HttpResponse::Created().json(shown(&gateway, &id, number).await?)),
        // It never had any resources, and is gone.
        None => Ok(HttpResponse::Created().json(json!({ "number": null, "transition": "delete" }))),
    }
}

/// Asks for a build; its number, unless the workspace is gone without.
pub(super) async fn order(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    request: BuildRequest,
) -> Result<Option<u32>, ApiError> {
    let workspace = find(gateway, caller, id).await?;
    let template = match &workspace.template_id {
        Some(template) => gateway.state.template(template).await?,
        None => None,
    };
    let update = request.transition == "update";
    let transition = if update { Some(Transition::Start) } else { Transition::from_name(&request.transition) };
    let wrong = || ApiError::bad_request("`transition` is `start`, `stop`, `delete` or `update`");
    let transition = transition.ok_or_else(wrong)?;
    let mut administers = false;
    if let Some(template) = &template {
        let resource = gateway.template_resource(template).await?;
        if transition == Transition::Start {
            caller.judged_at(Permission::TemplatesUse, &resource)?;
        }
        administers = caller.may_at(Permission::TemplatesWrite, &resource);
    }
    let active = template.and_then(|template| template.active_version).filter(|_| update);
    let command = RequestBuild {
        transition,
        cause: "initiator",
        reason: bounded(request.reason)?,
        template_version: request.template_version.or(active),
        parameters: request.parameters,
    };
    gateway.decisions.request_build(id, &command, administers, permit(gateway, caller)).await
}

/// The builds of a workspace, the last one first.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/builds", tag = "workspaces", params(("id" = String, Path, description = "Workspace id"), BuildPage),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<BuildPage>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    let limit = resources::limit(query.limit)?;
    let builds = gateway.state.builds(&id, query.before, limit).await?;
    let next = builds.last().filter(|_| builds.len() == limit).map(|build| build.number);
    let items: Vec<BuildView> = builds.into_iter().map(build).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": next })))
}

/// One build.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/builds/{number}", tag = "workspaces",
    params(("id" = String, Path, description = "Workspace id"), ("number" = String, Path, description = "Build number")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, number) = path.into_inner();
    find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &id, numbered(&number)?).await?))
}

/// Ends a build that waits, and tells the runner of one in progress to end it.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/builds/{number}/cancel", tag = "workspaces",
    params(("id" = String, Path, description = "Workspace id"), ("number" = String, Path, description = "Build number")),
    request_body = CancelRequest, responses((status = 200), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn cancel(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, number) = path.into_inner();
    find(&gateway, &caller, &id).await?;
    let number = numbered(&number)?;
    let request: CancelRequest = if body.is_empty() {
        CancelRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))?
    };
    let command = CancelBuild { reason: bounded(request.reason)? };
    gateway.decisions.cancel_build(&id, number, &command, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &id, number).await?))
}

fn numbered(text: &str) -> Result<u32, ApiError> {
    text.parse().map_err(|_| Refusal::Unknown("build").into())
}

async fn shown(gateway: &Gateway, id: &str, number: u32) -> Result<BuildView, ApiError> {
    let found = gateway.state.build(id, number).await?.ok_or(Refusal::Unknown("build"))?;
    let queue = if found.status == BuildStatus::Queued { Some(gateway.queue_of(&found).await?) } else { None };
    let reported = gateway.state.build_report(id, number).await?;
    Ok(build(found).standing(queue).with(reported))
}

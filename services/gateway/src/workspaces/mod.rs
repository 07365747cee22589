//! Workspaces: made, read, renamed, handed over, scheduled, used; [`builds`] are what happens to them.
//!
//! People see and build their own; everyone else what policies let them. One that the caller may not see is not there.

pub(crate) mod builds;
mod standing;
mod view;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::events::workspaces::ScheduleSet;
use chancery_domain::templates::TemplateRecord;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::creation::CreateWorkspace;
use chancery_domain::workspaces::lifecycle::{RenameWorkspace, SetSchedule, TransferWorkspace};
use chancery_policy::{Permission, Resource};
use chancery_state::Making;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::resources;

use view::view;

/// Longest reason, in characters.
const MOST_REASON: usize = 1000;

/// Which workspaces.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct WorkspacePage {
    /// Id of the last row of the page before.
    after: Option<String>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
    /// User id of their owner, or `me`.
    owner: Option<String>,
}

/// A workspace to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceRequest {
    /// Its name, unique among its owner's: a-z, 0-9 and `-`, a letter first.
    name: String,
    /// Id of its template, or its name if there is only one of that name that you may use.
    template: String,
    /// User id of its owner; yourself without.
    owner: Option<String>,
    /// Id of the template version to build; the active one without.
    template_version: Option<String>,
    /// Values of the template's variables.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// When it starts and stops by itself.
    schedule: Option<ScheduleRequest>,
    /// Whether it is started at once.
    #[serde(default = "yes")]
    start: bool,
}

fn yes() -> bool {
    true
}

/// When a workspace starts and stops by itself; what is absent is not scheduled.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleRequest {
    /// When it starts: five fields of cron.
    autostart: Option<String>,
    /// Time zone of `autostart`, such as `Europe/Berlin`; UTC without.
    time_zone: Option<String>,
    /// How long it runs after a start; 0 for until someone stops it.
    ttl_seconds: Option<u32>,
}

impl ScheduleRequest {
    fn read(self) -> ScheduleSet {
        ScheduleSet { autostart: self.autostart, time_zone: self.time_zone, ttl_seconds: self.ttl_seconds }
    }
}

/// What of a workspace is to be changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceChange {
    /// A new name.
    name: Option<String>,
    /// Whether it is put to rest, or woken.
    dormant: Option<bool>,
}

/// To whom a workspace is handed over.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferRequest {
    /// User id of the new owner.
    owner: String,
    /// For auditors.
    reason: Option<String>,
}

/// Workspaces that the caller sees; their own, if they see no others.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "workspaces", params(WorkspacePage), responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<WorkspacePage>,
) -> Result<HttpResponse, ApiError> {
    let WorkspacePage { after, limit, owner } = query.into_inner();
    let limit = resources::limit(limit)?;
    let me = caller.user_id();
    let owner = match owner.as_deref() {
        Some("me") => Some(me.ok_or_else(|| ApiError::bad_request("`me` is for people"))?),
        Some(owner) => Some(owner),
        None if caller.visible.is_nothing() => Some(me.unwrap_or_default()),
        None => None,
    };
    let Some(owner) = owner else { return resources::workspaces(&gateway, &caller, after.as_deref(), limit).await };
    let (mut items, mut next) = (Vec::new(), None);
    let ids = gateway.state.workspace_ids_of(owner, after.as_deref(), limit).await?;
    let full = ids.len() == limit;
    for id in ids {
        if let Some(life) = gateway.state.workspace_life(&id).await?
            && caller.may_at(Permission::WorkspacesRead, &place(&life.workspace))
        {
            items.push(view(&life, None, None));
        }
        next = full.then_some(id);
    }
    let position = gateway.state.applied().to_string();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": next, "position": position })))
}

/// Makes a workspace, and starts it unless told otherwise.
#[utoipa::path(post, path = "/api/v1/workspaces", tag = "workspaces", request_body = WorkspaceRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<WorkspaceRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = request.into_inner();
    let owner = request.owner.or_else(|| caller.user_id().map(str::to_owned));
    let owner = owner.ok_or_else(|| ApiError::bad_request("`owner` must be the id of a user"))?;
    let (template, resource) = usable(&gateway, &caller, &request.template).await?;
    let organization = template.organization.clone();
    if organization.is_none() {
        return Err(ApiError::bad_request("the template is in no organization, whose quota could count"));
    }
    let place = Resource::Workspace {
        id: String::new(),
        organization,
        owner: Some(owner.clone()),
        template: Some(template.id.clone()),
    };
    let caller = caller.judged_at(Permission::WorkspacesWrite, &place)?;
    let id = uuid::Uuid::now_v7().to_string();
    let making = Making {
        command: CreateWorkspace {
            id: id.clone(),
            name: request.name,
            template_version: request.template_version,
            parameters: request.parameters,
            schedule: request.schedule.map(ScheduleRequest::read),
            start: request.start,
        },
        owner,
        template: template.id,
        administers: caller.may_at(Permission::TemplatesWrite, &resource),
        context: gateway.context(&caller),
    };
    refused(gateway.decisions.create_workspace::<ApiError>(making).await?)?;
    Ok(HttpResponse::Created().json(shown(&gateway, &id).await?))
}

/// One workspace, with its last build and its schedule.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &id).await?))
}

/// Gives a workspace another name, puts it to rest or wakes it.
#[utoipa::path(patch, path = "/api/v1/workspaces/{id}", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    request_body = WorkspaceChange, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    change: web::Json<WorkspaceChange>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    let WorkspaceChange { name, dormant } = change.into_inner();
    if let Some(name) = name {
        let command = RenameWorkspace { name };
        gateway.decisions.rename_workspace(&id, &command, permit(&gateway, &caller)).await?;
    }
    if let Some(dormant) = dormant {
        gateway.decisions.set_dormant(&id, dormant, None, permit(&gateway, &caller)).await?;
    }
    Ok(HttpResponse::Ok().json(shown(&gateway, &id).await?))
}

/// Deletes a workspace: by a build that removes its resources, if it ever had any.
#[utoipa::path(delete, path = "/api/v1/workspaces/{id}", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    responses((status = 202), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    builds::order(&gateway, &caller, &id, builds::BuildRequest::delete()).await?;
    Ok(HttpResponse::Accepted().json(shown(&gateway, &id).await?))
}

/// Hands a workspace over to another user of its organization, whose quota it counts in from then on.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/transfer", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    request_body = TransferRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(crate) async fn transfer(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<TransferRequest>,
) -> Result<HttpResponse, ApiError> {
    let workspace = find(&gateway, &caller, &id).await?;
    let TransferRequest { owner, reason } = request.into_inner();
    let command = TransferWorkspace { reason: bounded(reason)? };
    // Nobody gives to others what they could not make for them.
    let theirs = Resource::Workspace {
        id: id.clone(),
        organization: workspace.organization,
        owner: Some(owner.clone()),
        template: workspace.template_id,
    };
    caller.judged_at(Permission::WorkspacesWrite, &theirs)?;
    refused(gateway.decisions.transfer_workspace(&id, &owner, &command, permit(&gateway, &caller)).await?)?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &id).await?))
}

/// Sets when a workspace starts and stops by itself.
#[utoipa::path(put, path = "/api/v1/workspaces/{id}/schedule", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    request_body = ScheduleRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn schedule(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<ScheduleRequest>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    let command = SetSchedule { schedule: request.into_inner().read() };
    gateway.decisions.schedule_workspace(&id, &command, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &id).await?))
}

/// Tells that someone works in a workspace. It is on record once a minute at most.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/activity", tag = "workspaces", params(("id" = String, Path, description = "Workspace id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn activity(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    gateway.decisions.use_workspace(&id, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A workspace as what permissions are judged for.
pub(crate) fn place(workspace: &WorkspaceRecord) -> Resource {
    Resource::Workspace {
        id: workspace.id.clone(),
        organization: workspace.organization.clone(),
        owner: workspace.owner_id.clone(),
        template: workspace.template_id.clone(),
    }
}

/// A workspace that the caller sees.
pub(crate) async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<WorkspaceRecord, ApiError> {
    let found = gateway.state.workspace(id).await?;
    let seen = found.filter(|workspace| caller.may_at(Permission::WorkspacesRead, &place(workspace)));
    seen.ok_or_else(|| Refusal::Unknown("workspace").into())
}

/// Judges, when it is decided, whether the caller may change a workspace as it is then.
fn permit<'a>(gateway: &'a Gateway, caller: &'a Caller) -> impl Fn(&WorkspaceRecord) -> Result<Context, ApiError> + 'a {
    |workspace| {
        let place = place(workspace);
        if !caller.may_at(Permission::WorkspacesRead, &place) {
            return Err(Refusal::Unknown("workspace").into());
        }
        Ok(gateway.context(&caller.judged_at(Permission::WorkspacesWrite, &place)?))
    }
}

/// A template that the caller may make workspaces from, by its id or its name.
pub(crate) async fn usable(
    gateway: &Gateway,
    caller: &Caller,
    named: &str,
) -> Result<(TemplateRecord, Resource), ApiError> {
    let mut found = Vec::new();
    if let Some(template) = gateway.state.template(named).await? {
        found.push(template);
    } else {
        for organization in caller.rules.iter().flat_map(|rules| &rules.organizations) {
            found.extend(gateway.state.templates_by_name(organization, named).await?);
        }
    }
    let (mut seen, mut usable) = (0, Vec::new());
    for template in found {
        let resource = gateway.template_resource(&template).await?;
        seen += usize::from(caller.may_at(Permission::TemplatesRead, &resource));
        if caller.may_at(Permission::TemplatesUse, &resource) {
            usable.push((template, resource));
        }
    }
    match (usable.len(), usable.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) if seen > 0 => Err(ApiError::Forbidden("nothing permits you to use the template".to_owned())),
        (0, _) => Err(Refusal::Unknown("template").into()),
        _ => Err(ApiError::Conflict(format!("there are several templates `{named}`: give the id of one"))),
    }
}

fn bounded(reason: Option<String>) -> Result<Option<String>, ApiError> {
    match reason {
        Some(reason) if reason.chars().count() > MOST_REASON => {
            Err(ApiError::bad_request(format!("`reason` must have at most {MOST_REASON} characters")))
        }
        reason => Ok(reason),
    }
}

/// What was refused on record is refused to the caller.
fn refused(denied: Option<String>) -> Result<(), ApiError> {
    denied.map_or(Ok(()), |reason| Err(ApiError::Unprocessable(reason)))
}

async fn shown(gateway: &Gateway, id: &str) -> Result<view::WorkspaceView, ApiError> {
    let life = gateway.state.workspace_life(id).await?.ok_or(Refusal::Unknown("workspace"))?;
    let template = match &life.workspace.template_id {
        Some(template) => gateway.state.template(template).await?,
        None => None,
    };
    let reported = match &life.build {
        Some(build) => Some(gateway.state.build_report(id, build.number).await?),
        None => None,
    };
    Ok(view(&life, template.as_ref(), reported))
}

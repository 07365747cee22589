//! Jobs: builds as runners see them. A runner takes one, tells its plan, begins when that is within the quota, and tells how
//! it ended.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::workspaces::builds::{BrokenOff, BuildRecord, Ending, FinishBuild, PlanBuild};
use chancery_policy::{Permission, Resource};
use chancery_state::Waiting;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Most tags of a runner.
const MOST_TAGS: usize = 50;

/// A runner that is free.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcquireRequest {
    /// The organization whose jobs it takes.
    organization: String,
    /// Its tags. One without takes jobs without; a job with tags goes to those that have all of them.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// What a build would make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequest {
    /// Credits per day of all resources whose costs are known.
    daily_cost: u32,
    /// Addresses of the others.
    #[serde(default)]
    unknown: Vec<String>,
}

/// How a build ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishRequest {
    /// `succeeded`, `failed` or `canceled`.
    outcome: String,
    /// Whether it had begun to change resources.
    #[serde(default)]
    applied: bool,
    /// After it did not succeed: some resources may still run. Without a word they may, if it had begun.
    resources_remain: Option<bool>,
    /// Credits per day of what there is now, where that is not what was planned.
    daily_cost: Option<u32>,
    /// What went wrong.
    error: Option<String>,
}

/// Gives a runner the job that has waited longest of those that suit it; nothing if there is none.
#[utoipa::path(post, path = "/api/v1/jobs/acquire", tag = "jobs", request_body = AcquireRequest,
    responses((status = 200), (status = 204), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn acquire(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<AcquireRequest>,
) -> Result<HttpResponse, ApiError> {
    let AcquireRequest { organization, tags } = request.into_inner();
    if tags.len() > MOST_TAGS || tags.iter().any(|(name, value)| name.len() > 128 || value.len() > 256) {
        return Err(ApiError::bad_request(format!("`tags` has at most {MOST_TAGS} short tags")));
    }
    let caller = caller.judged_at(Permission::RunnersRun, &Resource::organization(&organization))?;
    let runner = Waiting { runner_id: caller.actor.id.clone(), organization, tags };
    match gateway.decisions.acquire_job::<ApiError>(&runner, || gateway.context(&caller)).await? {
        Some(build) => Ok(HttpResponse::Ok().json(job(&gateway, &build).await?)),
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Weighs the plan of a build. One that is refused is over.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/planned", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    request_body = PlanRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn planned(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<PlanRequest>,
) -> Result<HttpResponse, ApiError> {
    let PlanRequest { daily_cost, unknown } = request.into_inner();
    let command = PlanBuild { cost: daily_cost, unknown };
    let judged = gateway.decisions.plan_build(&id, &command, permit(&gateway, &caller)).await?;
    let answer = if judged.allowed { "accepted" } else { "rejected" };
    Ok(HttpResponse::Ok().json(json!({ "answer": answer, "judgement": judged })))
}

/// Lets a runner begin to change resources.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/applying", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn applying(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    gateway.decisions.begin_apply(&id, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tells how a build ended.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/finished", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    request_body = FinishRequest, responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn finished(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<FinishRequest>,
) -> Result<HttpResponse, ApiError> {
    let FinishRequest { outcome, applied, resources_remain, daily_cost, error } = request.into_inner();
    let broken = BrokenOff { applied, resources_remain };
    let ending = match outcome.as_str() {
        "succeeded" => Ending::Succeeded { cost: daily_cost },
        "failed" => Ending::Failed { broken, error, expired: false },
        "canceled" => Ending::Canceled { broken },
        _ => return Err(ApiError::bad_request("`outcome` is `succeeded`, `failed` or `canceled`")),
    };
    gateway.decisions.finish_build(&id, &FinishBuild { ending }, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A job as its runner sees it, also whether it was told to end.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let build = gateway.state.build_of_job(&id).await?.ok_or(Refusal::Unknown("job"))?;
    permit(&gateway, &caller)(&build)?;
    Ok(HttpResponse::Ok().json(job(&gateway, &build).await?))
}

/// Judges whether the caller has the job. That of another runner is not there.
fn permit<'a>(gateway: &'a Gateway, caller: &'a Caller) -> impl Fn(&BuildRecord) -> Result<Context, ApiError> + 'a {
    |build| {
        let place = build.organization.as_deref().map_or(Resource::Deployment, Resource::organization);
        let unknown = || ApiError::from(Refusal::Unknown("job"));
        if build.runner_id.as_deref() != Some(caller.actor.id.as_str()) {
            return Err(unknown());
        }
        caller.judged_at(Permission::RunnersRun, &place).map(|caller| gateway.context(&caller)).map_err(|_| unknown())
    }
}

async fn job(gateway: &Gateway, build: &BuildRecord) -> Result<Value, ApiError> {
    let workspace = gateway.state.workspace(&build.workspace_id).await?.ok_or(Refusal::Unknown("workspace"))?;
    let version = match (&workspace.template_id, &build.template_version) {
        (Some(template), Some(version)) => gateway.state.template_version(template, version).await?,
        _ => None,
    };
    Ok(json!({
        "id": build.job_id,
        "organization": build.organization,
        "transition": build.transition.as_str(),
        "status": build.status.as_str(),
        "cancel_requested": build.cancel_requested,
        "build_number": build.number,
        "workspace": {
            "id": workspace.id, "name": workspace.name, "owner": workspace.owner, "owner_id": workspace.owner_id,
        },
        "template": {
            "id": workspace.template_id, "name": workspace.template_name, "version": build.template_version,
            "version_name": version.as_ref().map(|version| &version.name),
            "sha256": version.as_ref().map(|version| &version.sha256),
        },
        "parameters": build.parameters,
        "tags": build.tags,
    }))
}

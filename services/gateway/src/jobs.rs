//! Jobs: builds as runners see them. A runner takes one, tells its plan, begins when that is within the quota, and tells how
//! it ended.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::workspaces::builds::{BuildRecord, FinishBuild};
use chancery_policy::{Permission, Resource};
use chancery_state::Waiting;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::building::job::describe;
use crate::building::logs;
use crate::building::reports::{Finish, FinishRequest, PlanRequest};
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
        Some(build) => Ok(HttpResponse::Ok().json(describe(&gateway, &build).await?)),
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
    let command = request.into_inner().command();
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
    let Finish { ending, mut report, log } = request.into_inner().read()?;
    let build = gateway.state.build_of_job(&id).await?.ok_or(Refusal::Unknown("job"))?;
    permit(&gateway, &caller)(&build)?;
    if build.status.is_last() {
        // One that was refused, or given up: what its runner says of the log is still the end of it.
        logs::close(&gateway, &build, log, || gateway.context(&caller)).await?;
    } else {
        report.log = logs::keep(&gateway, &id, log).await?;
    }
    gateway.decisions.finish_build(&id, &FinishBuild { ending, report }, permit(&gateway, &caller)).await?;
    logs::forget(&gateway, &id).await?;
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
    Ok(HttpResponse::Ok().json(describe(&gateway, &build).await?))
}

/// Judges whether the caller has the job. That of another runner is not there.
pub(crate) fn permit<'a>(
    gateway: &'a Gateway,
    caller: &'a Caller,
) -> impl Fn(&BuildRecord) -> Result<Context, ApiError> + 'a {
    |build| {
        let place = build.organization.as_deref().map_or(Resource::Deployment, Resource::organization);
        let unknown = || ApiError::from(Refusal::Unknown("job"));
        if build.runner_id.as_deref() != Some(caller.actor.id.as_str()) {
            return Err(unknown());
        }
        caller.judged_at(Permission::RunnersRun, &place).map(|caller| gateway.context(&caller)).map_err(|_| unknown())
    }
}

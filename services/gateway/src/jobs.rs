//! Jobs: builds as runners see them. A runner takes one, tells its plan, begins when that is within the quota, and tells how
//! it ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::workspaces::builds::{BuildRecord, FinishBuild};
use chancery_policy::{Permission, Resource};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::building::job::describe;
use crate::building::logs;
use crate::building::reports::{Finish, FinishRequest, PlanRequest};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::runners::queue::Wanted;

/// Most tags of a runner.
const MOST_TAGS: usize = 50;

/// Longest that a request for a job waits, in seconds.
const LONGEST_WAIT: u64 = 90;
/// How often a request that waits looks whether its runner is still accepted, and what other nodes have queued.
const LOOK: Duration = Duration::from_secs(1);

/// A runner that is free.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcquireRequest {
    /// The organization whose jobs it takes; a registered runner's own without.
    organization: Option<String>,
    /// Its tags; those of a registered runner are its key's. One without takes jobs without; a job with tags goes to those
    /// that have all of them.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// How long to wait for a job, at most 90; not at all without.
    #[serde(default)]
    wait_seconds: u64,
}

/// Gives a runner a job that suits it: the most urgent ones first, users in turn; nothing if there is none, or none comes.
#[utoipa::path(post, path = "/api/v1/jobs/acquire", tag = "jobs", request_body = AcquireRequest,
    responses((status = 200), (status = 204), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn acquire(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<AcquireRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = request.into_inner();
    let until = Instant::now() + Duration::from_secs(request.wait_seconds.min(LONGEST_WAIT));
    let wanted = wanted(&caller, request)?;
    let caller = caller.judged_at(Permission::RunnersRun, &Resource::organization(&wanted.organization))?;
    gateway.runner_is_there(&caller).await?;
    let mut changes = gateway.state.queue_changes();
    let mut at_once = true;
    loop {
        let change = *changes.borrow_and_update();
        gateway.queue.refresh(&gateway.state, change, at_once).await?;
        at_once = false;
        while let Some(queued) = gateway.queue.take(&wanted) {
            let runner = &caller.actor.id;
            match gateway.decisions.acquire_job::<ApiError>(&queued, runner, || gateway.context(&caller)).await {
                Ok(Some(build)) => return Ok(HttpResponse::Ok().json(describe(&gateway, &build).await?)),
                Ok(None) => {}
                Err(error) => {
                    gateway.queue.put_back(queued);
                    return Err(error);
                }
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || gateway.draining.is_cancelled() {
            return Ok(HttpResponse::NoContent().finish());
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(left.min(LOOK)) => {}
            () = gateway.draining.cancelled() => {}
        }
        still_accepted(&gateway, &caller).await?;
    }
}

/// Which jobs whoever asks takes.
fn wanted(caller: &Caller, request: AcquireRequest) -> Result<Wanted, ApiError> {
    let AcquireRequest { organization, tags, .. } = request;
    if tags.len() > MOST_TAGS || tags.iter().any(|(name, value)| name.len() > 128 || value.len() > 256) {
        return Err(ApiError::bad_request(format!("`tags` has at most {MOST_TAGS} short tags")));
    }
    let Some(runner) = &caller.runner else {
        let organization = organization.ok_or_else(|| ApiError::bad_request("`organization` is missing"))?;
        return Ok(Wanted { organization, owner: None, tags });
    };
    if organization.as_ref().is_some_and(|asked| *asked != runner.organization) {
        let reason =
            format!("the runner is of the organization `{}`, and takes no jobs of others", runner.organization);
        return Err(ApiError::Forbidden(reason));
    }
    if !tags.is_empty() && tags != runner.tags {
        return Err(ApiError::Forbidden("the tags of a runner are those of its key".to_owned()));
    }
    let (organization, owner, tags) = (runner.organization.clone(), runner.owner_id.clone(), runner.tags.clone());
    Ok(Wanted { organization, owner, tags })
}

/// Whether the runner of a request that waits may still do anything.
async fn still_accepted(gateway: &Gateway, caller: &Caller) -> Result<(), ApiError> {
    let Some(runner) = &caller.runner else { return Ok(()) };
    let present = gateway.state.runner(&runner.id).await?;
    let refusal = present.map_or(Some("there is no such runner"), |runner| runner.refusal(gateway.now()));
    refusal.map_or(Ok(()), |reason| Err(ApiError::Unauthenticated(reason.to_owned())))
}

/// Weighs the plan of a build. One that is refused is over.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/planned", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    request_body = PlanRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn planned(
    http: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<PlanRequest>,
) -> Result<HttpResponse, ApiError> {
    held(&gateway, &caller, &http, &id).await?;
    let command = request.into_inner().command();
    let judged = gateway.decisions.plan_build(&id, &command, permit(&gateway, &caller)).await?;
    let answer = if judged.allowed { "accepted" } else { "rejected" };
    Ok(HttpResponse::Ok().json(json!({ "answer": answer, "judgement": judged })))
}

/// Lets a runner begin to change resources.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/applying", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn applying(
    http: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    held(&gateway, &caller, &http, &id).await?;
    gateway.decisions.begin_apply(&id, permit(&gateway, &caller)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tells how a build ended.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/finished", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    request_body = FinishRequest, responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn finished(
    http: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<FinishRequest>,
) -> Result<HttpResponse, ApiError> {
    let build = held(&gateway, &caller, &http, &id).await?;
    let Finish { ending, mut report, log } = request.into_inner().read()?;
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

/// A job as its runner sees it, also whether it was told to end. That the runner asks keeps the job with it.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    http: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let build = held(&gateway, &caller, &http, &id).await?;
    gateway.runner_is_there(&caller).await?;
    Ok(HttpResponse::Ok().json(describe(&gateway, &build).await?))
}

/// The build of a job that the caller has, which is heard of. A runner that asks for another's is on record.
async fn held(gateway: &Gateway, caller: &Caller, http: &HttpRequest, id: &str) -> Result<BuildRecord, ApiError> {
    let build = gateway.state.build_of_job(id).await?.ok_or(Refusal::Unknown("job"))?;
    if let Err(error) = permit(gateway, caller)(&build) {
        if caller.runner.is_some() {
            gateway.record_foreign(http, caller, "the job is not this runner's").await;
        }
        return Err(error);
    }
    gateway.beats.note(format!("job/{id}"), gateway.now());
    Ok(build)
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

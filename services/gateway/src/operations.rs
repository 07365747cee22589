//! Health, metrics, and the description of the API.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chancery_log::{partition, place};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use utoipa::OpenApi;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::{
    audit, browser_only, building, connections, groups, ingest, jobs, organizations, policies, quotas, reports,
    resources, roles, runners, sessions, sign_in, simulate, templates, tokens, users, workspaces,
};

/// A projector this far behind is not ready.
const READY_LAG: u64 = 200_000;

/// Installs the recorder of the process's metrics.
pub fn metrics_recorder() -> Result<PrometheusHandle, BuildError> {
    let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
    let events = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), &events)?
        .install_recorder()
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200)))]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

/// The service can take and answer requests: it is not stopping, what it needs answers, and the state is not far
/// behind the log.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200), (status = 503)))]
pub(crate) async fn readyz(gateway: web::Data<Gateway>) -> HttpResponse {
    let checked = gateway.check().await;
    let (heads, applied) = (gateway.log.heads(), gateway.state.applied());
    let lag = heads.ahead_of(&applied);
    // In a cluster all nodes share the lag: taking them all away would help nobody.
    let alone = gateway.log.cluster().is_none();
    let reason = match checked {
        _ if gateway.draining.is_cancelled() => Some("it is stopping".to_owned()),
        Err(error) => Some(error.to_string()),
        Ok(()) if alone && lag > READY_LAG => Some("the state is far behind the log".to_owned()),
        Ok(()) => None,
    };
    let watermark = gateway.lake.status().watermark;
    let detail = json!({
        "ready": reason.is_none(), "reason": reason, "head": heads.total(), "projector_lag": lag,
        "lake_watermark": watermark,
    });
    match reason {
        None => HttpResponse::Ok().json(detail),
        Some(_) => HttpResponse::ServiceUnavailable().json(detail),
    }
}

/// The nodes of the cluster with their versions, roles and partitions, and how far each partition is. An embedded
/// installation is one node.
#[utoipa::path(get, path = "/api/v1/cluster", tag = "operations", responses((status = 200), (status = 401), (status = 403), (status = 503)))]
pub(crate) async fn cluster(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let watermark = gateway.lake.watermark();
    let consumers = gateway.state.consumers().await?;
    let heads = gateway.log.heads();
    let partitions: Vec<_> = heads
        .positions()
        .map(|head| {
            let lag = consumers.iter().map(|consumer| {
                let lag = place(head).saturating_sub(place(consumer.reached.of(partition(head))));
                (consumer.name.clone(), lag)
            });
            let archived = place(watermark.of(partition(head)));
            let lag: BTreeMap<_, _> =
                lag.chain([("archiver".to_owned(), place(head).saturating_sub(archived))]).collect();
            json!({ "partition": partition(head), "head": place(head), "lag": lag })
        })
        .collect();
    let status = match gateway.log.cluster() {
        Some(cluster) => Some(cluster.status().await?),
        None => None,
    };
    Ok(HttpResponse::Ok().json(json!({
        "profile": if status.is_some() { "cluster" } else { "embedded" },
        "version": env!("CARGO_PKG_VERSION"),
        "nodes": status.as_ref().map(|status| &status.nodes),
        "relay": status.as_ref().and_then(|status| status.relay.as_ref()),
        "outbox": status.as_ref().map(|status| status.outbox),
        "arrived": status.as_ref().map(|status| &status.partitions),
        "partitions": partitions,
    })))
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200), (status = 401)))]
pub(crate) async fn metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(gateway.metrics.render())
}

/// This description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operations", responses((status = 200)))]
pub(crate) async fn openapi_document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi())
}

/// The OpenAPI document, generated from the handlers.
pub fn openapi() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chancery",
        description = "Audit and governance service. Failures are application/problem+json (RFC 9457)."
    ),
    paths(
        healthz,
        readyz,
        cluster,
        metrics,
        openapi_document,
        tokens::setup,
        sign_in::browser::providers,
        sign_in::browser::start,
        sign_in::browser::callback,
        sign_in::command_line::exchange,
        sign_in::device::begin_device,
        sign_in::device::poll_device,
        sign_in::session::sign_out,
        sign_in::me::me,
        tokens::list,
        tokens::create,
        tokens::rotate,
        tokens::revoke,
        connections::list,
        connections::create,
        connections::show,
        connections::update,
        connections::delete,
        connections::create_token,
        connections::requests,
        connections::dry_run,
        organizations::list,
        organizations::create,
        organizations::show,
        organizations::update,
        groups::create,
        groups::show,
        groups::update,
        groups::delete,
        groups::members::list,
        groups::members::join,
        groups::members::leave,
        roles::list,
        roles::define,
        roles::withdraw,
        policies::list,
        policies::show,
        policies::publish,
        policies::withdraw,
        simulate::simulate,
        ingest::post_events,
        audit::events::search,
        audit::events::show,
        audit::aggregate::aggregate,
        audit::tail::tail,
        audit::sql::sql,
        audit::export::export,
        reports::list::list,
        reports::usage::quota_usage,
        reports::access::access_review,
        reports::orphans::orphaned_workspaces,
        reports::dormant::dormant_users,
        reports::activity::privileged_actions,
        reports::sign_ins::failed_sign_ins,
        resources::users,
        users::create,
        users::show,
        users::update,
        users::delete,
        users::grants::list,
        users::grants::assign,
        users::grants::revoke,
        users::suspend,
        users::reactivate,
        resources::groups,
        workspaces::list,
        workspaces::create,
        workspaces::show,
        workspaces::update,
        workspaces::delete,
        workspaces::transfer,
        workspaces::schedule,
        workspaces::activity,
        workspaces::builds::list,
        workspaces::builds::create,
        workspaces::builds::show,
        workspaces::builds::cancel,
        building::follow::logs,
        building::logs::take,
        building::state::read,
        building::state::write,
        building::state::delete,
        building::versions::list,
        building::versions::show,
        building::versions::restore,
        building::versions::unlock,
        jobs::acquire,
        jobs::show,
        jobs::planned,
        jobs::applying,
        jobs::finished,
        runners::register::register,
        runners::list,
        runners::show,
        runners::revoke,
        runners::rotate,
        runners::keys::list,
        runners::keys::create,
        runners::keys::show,
        runners::keys::revoke,
        runners::keys::rotate,
        quotas::check,
        quotas::show,
        quotas::bounds::caps,
        quotas::bounds::set_cap,
        quotas::bounds::budgets,
        quotas::bounds::set_budget,
        quotas::bounds::settings,
        quotas::bounds::set_settings,
        templates::list::list,
        templates::lifecycle::create,
        templates::list::show,
        templates::lifecycle::update,
        templates::lifecycle::delete,
        templates::lifecycle::deprecate,
        templates::lifecycle::undeprecate,
        templates::promotion::withdraw,
        templates::access::list,
        templates::access::grant,
        templates::access::revoke,
        templates::versions::list,
        templates::versions::push,
        templates::versions::show,
        templates::download::files,
        templates::promotion::promote,
        templates::promotion::archive,
        templates::promotion::unarchive,
        resources::sessions,
        sessions::keys::key_set,
        sessions::keys::rotate,
        sessions::show,
        sessions::agents::open,
        sessions::agents::heartbeat,
        sessions::agents::close,
        sessions::authorize::authorize,
        sessions::watch::watch,
        sessions::ssh::authority,
        sessions::ssh::revocations,
        sessions::ssh::certify_host,
        browser_only::show,
        browser_only::set,
        resources::lake,
        resources::consumers,
        resources::dead_letters,
    )
)]
struct Document;

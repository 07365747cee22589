//! Health, metrics, and the description of the API.

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use utoipa::OpenApi;

use crate::gateway::Gateway;
use crate::{audit, ingest, resources, tokens};

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

/// The service can take and answer requests.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200), (status = 503)))]
pub(crate) async fn readyz(gateway: web::Data<Gateway>) -> HttpResponse {
    let head = gateway.log.head();
    let lag = head.saturating_sub(gateway.state.applied());
    let ready = lag <= READY_LAG;
    let lake = gateway.lake.status();
    let detail = json!({ "ready": ready, "head": head, "projector_lag": lag, "lake_watermark": lake.watermark });
    if ready { HttpResponse::Ok().json(detail) } else { HttpResponse::ServiceUnavailable().json(detail) }
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
        metrics,
        openapi_document,
        tokens::setup,
        tokens::list,
        tokens::create,
        tokens::revoke,
        ingest::post_events,
        audit::events::search,
        audit::events::show,
        audit::aggregate::aggregate,
        audit::tail::tail,
        audit::sql::sql,
        audit::export::export,
        resources::users,
        resources::groups,
        resources::templates,
        resources::workspaces,
        resources::sessions,
        resources::lake,
        resources::consumers,
        resources::dead_letters,
    )
)]
struct Document;

//! `POST /api/v1/policy/simulate`: who could do something, now or at a past position of the log, and what other policies
//! would have changed. Nothing is changed by it.
//!
//! `world` is who there is, `past` folds it out of the audit trail, `proposal` answers recorded requests anew.

mod past;
mod proposal;
mod world;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use chancery_filter::{Context, Filter};
use chancery_lake::{ExportRequest, Visibility};
use chancery_log::Position;
use chancery_policy::{CustomRole, Permission, Resource};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

pub(crate) use past::world as past_world;
pub(crate) use world::World;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::Reading;

/// A question: `permission`, `resource` and `at` ask who could do something; `policies` and `custom_roles` ask what
/// these would have changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulateRequest {
    /// Such as `audit:read`.
    #[schema(value_type = Option<String>)]
    permission: Option<Permission>,
    /// What it is about, such as `{"kind": "organization", "name": "acme"}`; the deployment without.
    #[schema(value_type = Option<Object>)]
    resource: Option<Resource>,
    /// A past position of the log; now without. Of a log with several partitions all positions, joined by dots.
    #[schema(value_type = Option<String>)]
    at: Option<Value>,
    /// Texts that would be published. One with an `id` would take the place of the policy of that id.
    #[schema(value_type = Option<Vec<Object>>)]
    policies: Option<Vec<Proposed>>,
    /// Custom roles that would be defined.
    #[schema(value_type = Option<Vec<Object>>)]
    custom_roles: Option<Vec<CustomRole>>,
}

/// A policy that would be published.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Proposed {
    Text(String),
    Named { id: String, text: String },
}

/// Asks who could do what, or what policies would have changed.
#[utoipa::path(post, path = "/api/v1/policy/simulate", tag = "policies", request_body = SimulateRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 422)))]
pub(crate) async fn simulate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<SimulateRequest>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let SimulateRequest { permission, resource, at, policies, custom_roles } = request.into_inner();
    let answer = match (permission, policies.is_some() || custom_roles.is_some()) {
        (Some(permission), false) => {
            let resource = resource.unwrap_or(Resource::Deployment);
            let query = format!("{permission} {resource}");
            let reading = Reading::begin(&gateway, &caller, "simulate", &query);
            let (answer, rows) = world::who_could(&gateway, permission, resource, at.as_ref()).await?;
            reading.record(rows).await?;
            answer
        }
        (None, true) if resource.is_none() && at.is_none() => {
            let reading = Reading::begin(&gateway, &caller, "simulate", "policies");
            let (policies, roles) = (policies.unwrap_or_default(), custom_roles.unwrap_or_default());
            let (answer, rows) = proposal::would_change(&gateway, policies, roles).await?;
            reading.record(rows).await?;
            answer
        }
        _ => {
            let detail = "ask either with `permission`, `resource` and `at`, or with `policies` and `custom_roles`";
            return Err(ApiError::bad_request(detail));
        }
    };
    Ok(HttpResponse::Ok().json(answer))
}

/// Reads the events that a filter finds, one after the other, until `take` has enough.
pub(crate) async fn read(
    gateway: &Gateway,
    filter: &str,
    ascending: bool,
    mut take: impl FnMut(Position, &str) -> Result<bool, ApiError>,
) -> Result<(), ApiError> {
    let parsed =
        Filter::parse(filter, &Context::new(gateway.now())).map_err(|error| ApiError::filter(filter, &error))?;
    let fields = Some(vec!["position".to_owned(), "event".to_owned()]);
    let request = ExportRequest { filter: Some(parsed), fields, ascending };
    let reading = async {
        let mut batches = gateway.lake.export(&Visibility::All, request).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| ApiError::Unavailable(format!("the audit trail: {error}")))?;
            let positions = batch.column(0).as_primitive_opt::<Int64Type>();
            let events = batch.column(1).as_string_view_opt();
            let (Some(positions), Some(events)) = (positions, events) else {
                return Err(ApiError::Internal("the audit trail has other columns".to_owned()));
            };
            for (position, event) in positions.values().iter().zip(events) {
                if !take(position.cast_unsigned(), event.unwrap_or_default())? {
                    return Ok(());
                }
            }
        }
        Ok(())
    };
    let patience = gateway.settings.query_timeout;
    let late = || ApiError::Unprocessable(format!("it took longer than {} seconds", patience.as_secs()));
    tokio::time::timeout(patience, reading).await.map_err(|_| late())?
}

/// Does what takes a while without holding up others.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::Internal(format!("a simulation ended early: {error}")))
}

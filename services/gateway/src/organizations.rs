//! Organizations.

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::attributes;
use chancery_domain::directory::OrganizationRecord;
use chancery_domain::organizations::CreateOrganization;
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// An organization as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    display_name: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl View {
    fn of(record: OrganizationRecord) -> Self {
        let OrganizationRecord { id, name, display_name, created_at, updated_at } = record;
        Self { id, name, display_name, created_at, updated_at }
    }
}

/// An organization to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRequest {
    /// Its unique name: a-z, 0-9 and `-`, a letter first. It stays.
    name: String,
    /// Name for people.
    display_name: Option<String>,
}

/// The organizations that the caller sees.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let all = gateway.state.organizations().await?.into_iter();
    let seen = all.filter(|organization| caller.visible.includes(Some(&organization.name)));
    Ok(HttpResponse::Ok().json(json!({ "items": seen.map(View::of).collect::<Vec<_>>() })))
}

/// Makes an organization.
#[utoipa::path(post, path = "/api/v1/organizations", tag = "organizations", request_body = OrganizationRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<OrganizationRequest>,
) -> Result<HttpResponse, ApiError> {
    let caller = caller.judged_at(Permission::OrganizationsWrite, &Resource::Deployment)?;
    let OrganizationRequest { name, display_name } = request.into_inner();
    let id = uuid::Uuid::now_v7().to_string();
    let keys = [format!("organization-name/{}", attributes::key(&name)), format!("organization/{id}")];
    gateway
        .decisions
        .decide(&keys, async || {
            let namesake = gateway.state.organization(&name).await?;
            let command = CreateOrganization { id: id.clone(), name: name.clone(), display_name: display_name.clone() };
            Ok::<_, ApiError>((command.decide(namesake.as_ref(), gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.rules_changed().await;
    let made = gateway.state.organization(&name).await?;
    let made = made.ok_or_else(|| ApiError::Internal("a new organization is not there".to_owned()))?;
    Ok(HttpResponse::Created().json(View::of(made)))
}

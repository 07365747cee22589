//! Organizations.

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::attributes;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::OrganizationRecord;
use chancery_domain::organizations::{CreateOrganization, UpdateOrganization};
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

/// A new name for people.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationChange {
    /// It.
    display_name: String,
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

/// One organization.
#[utoipa::path(get, path = "/api/v1/organizations/{name}", tag = "organizations", params(("name" = String, Path, description = "Name of the organization")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(View::of(find(&gateway, &caller, &name).await?)))
}

/// Gives an organization another name for people.
#[utoipa::path(patch, path = "/api/v1/organizations/{name}", tag = "organizations", params(("name" = String, Path, description = "Name of the organization")),
    request_body = OrganizationChange, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
    request: web::Json<OrganizationChange>,
) -> Result<HttpResponse, ApiError> {
    let OrganizationChange { display_name } = request.into_inner();
    let id = find(&gateway, &caller, &name).await?.id;
    let judged = caller.judged_at(Permission::OrganizationsWrite, &Resource::organization(name.as_str()))?;
    gateway
        .decisions
        .decide(&[format!("organization/{id}")], async || {
            let organization = find(&gateway, &caller, &name).await?;
            let command = UpdateOrganization { display_name: display_name.clone() };
            Ok::<_, ApiError>((command.decide(&organization, gateway.context(&judged))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(View::of(find(&gateway, &caller, &name).await?)))
}

/// An organization that the caller sees.
async fn find(gateway: &Gateway, caller: &Caller, name: &str) -> Result<OrganizationRecord, ApiError> {
    let found = gateway.state.organization(name).await?;
    let seen = found.filter(|organization| caller.visible.includes(Some(&organization.name)));
    seen.ok_or_else(|| Refusal::Unknown("organization").into())
}

/// Refuses the name of an organization that is not there. Who is told must have been let in there.
pub(crate) async fn exists(gateway: &Gateway, name: &str) -> Result<(), ApiError> {
    match gateway.state.organization(name).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::bad_request(format!("there is no organization `{name}`"))),
    }
}

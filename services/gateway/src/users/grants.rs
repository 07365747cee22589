//! The roles of a user: seeing, giving and taking them.

use actix_web::{HttpResponse, web};
use chancery_domain::directory::HeldRole;
use chancery_domain::events::directory::MappedRole;
use chancery_domain::roles::{AssignRole, RevokeRole};
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{LONGEST, find, key};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::organizations;
use crate::roles;

/// A role that a user has.
#[derive(Debug, Serialize)]
pub(super) struct HeldView {
    #[serde(flatten)]
    role: MappedRole,
    /// It came with a group, and goes with it.
    by_group: bool,
}

/// A role to be given or taken.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRequest {
    /// Its name.
    role: String,
    /// Organization it is limited to; the whole deployment without.
    organization: Option<String>,
}

impl GrantRequest {
    pub(super) fn read(self) -> Result<MappedRole, ApiError> {
        let Self { role, organization } = self;
        Ok(MappedRole { role, organization: organization_name(organization)? })
    }
}

/// The roles of a user that the caller sees.
#[utoipa::path(get, path = "/api/v1/users/{id}/roles", tag = "users", params(("id" = String, Path, description = "User id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": held(&gateway, &caller, &id).await? })))
}

/// Gives a role. Nobody gives more than they have.
#[utoipa::path(post, path = "/api/v1/users/{id}/roles", tag = "users", params(("id" = String, Path, description = "User id")),
    request_body = GrantRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn assign(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<GrantRequest>,
) -> Result<HttpResponse, ApiError> {
    let role = request.into_inner().read()?;
    find(&gateway, &caller, &id).await?;
    caller.may_give(&role)?;
    let giver = caller.judged_at(Permission::UsersWrite, &place(&role))?;
    if let Some(name) = &role.organization {
        organizations::exists(&gateway, name).await?;
    }
    gateway
        .decisions
        .decide(&[key(&id), roles::key(&role.role)], async || {
            let user = find(&gateway, &caller, &id).await?;
            let held = gateway.state.roles(&id).await?;
            let custom = gateway.state.custom_role(&role.role).await?;
            let command = AssignRole { role: role.clone() };
            Ok::<_, ApiError>((command.decide(&user, &held, custom.as_ref(), gateway.context(&giver))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "items": held(&gateway, &caller, &id).await? })))
}

/// Takes a role. It does not work any more when this answers.
#[utoipa::path(delete, path = "/api/v1/users/{id}/roles", tag = "users", params(("id" = String, Path, description = "User id")),
    request_body = GrantRequest, responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<GrantRequest>,
) -> Result<HttpResponse, ApiError> {
    let role = request.into_inner().read()?;
    find(&gateway, &caller, &id).await?;
    may_take(&caller, &role)?;
    let taker = caller.judged_at(Permission::UsersWrite, &place(&role))?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let user = find(&gateway, &caller, &id).await?;
            let held = gateway.state.roles(&id).await?;
            let command = RevokeRole { role: role.clone() };
            Ok::<_, ApiError>((command.decide(&user, &held, gateway.context(&taker))?, ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether the caller may take a role. One that means nothing any more is anyone's to take who may change users.
pub(super) fn may_take(caller: &Caller, role: &MappedRole) -> Result<(), ApiError> {
    match caller.may_give(role) {
        Err(ApiError::NotFound(_)) => Ok(()),
        judged => judged,
    }
}

/// The roles of a user that the caller sees.
pub(super) async fn held(gateway: &Gateway, caller: &Caller, id: &str) -> Result<Vec<HeldView>, ApiError> {
    let held = gateway.state.roles(id).await?.into_iter();
    let seen = held.filter(|held| caller.visible.includes(held.role.organization.as_deref()));
    Ok(seen.map(|HeldRole { role, by_group }| HeldView { role, by_group }).collect())
}

/// An empty name would be no organization, which is the whole deployment.
pub(super) fn organization_name(name: Option<String>) -> Result<Option<String>, ApiError> {
    let is_name =
        |name: &String| (1..=LONGEST).contains(&name.chars().count()) && !name.contains(|c: char| c.is_control());
    match name {
        Some(name) if !is_name(&name) => Err(ApiError::bad_request("`organization` must be the name of one")),
        name => Ok(name),
    }
}

fn place(role: &MappedRole) -> Resource {
    role.organization.as_deref().map_or(Resource::Deployment, Resource::organization)
}

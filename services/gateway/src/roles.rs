//! Roles: what the built-in and the custom ones give, and what custom ones mean.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::directory::MappedRole;
use chancery_domain::events::groups::RoleDefinition;
use chancery_domain::roles::DefineRole;
use chancery_policy::{BUILT_IN_ROLES, CustomRole, GrantRefusal, Permission, PolicySet};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::authorization::Rules;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A role as it is shown.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    built_in: bool,
    description: Option<String>,
    /// What it gives deployment-wide.
    permissions: BTreeSet<Permission>,
    /// What it gives in an organization.
    in_organization: BTreeSet<Permission>,
}

impl View {
    fn of(rules: &Rules, name: &str, description: Option<String>) -> Result<Self, ApiError> {
        let given = |organization| rules.policies.permissions_of(name, organization);
        Ok(Self {
            name: name.to_owned(),
            built_in: BUILT_IN_ROLES.contains(&name),
            description,
            permissions: given(None)?,
            in_organization: given(Some("any"))?,
        })
    }
}

/// What a custom role is to mean.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRequest {
    /// What it is for.
    description: Option<String>,
    /// Names of permissions, such as `audit:read`.
    permissions: Vec<String>,
}

/// Every role with its permissions, the built-in ones first.
#[utoipa::path(get, path = "/api/v1/roles", tag = "roles", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let rules = gateway.authority.rules(&gateway.state).await?;
    let built_in = BUILT_IN_ROLES.iter().map(|&name| (name.to_owned(), None));
    let custom = gateway.state.custom_roles().await?.into_iter().map(|role| (role.name, role.description));
    let known = |(name, _): &(String, _)| BUILT_IN_ROLES.contains(&name.as_str()) || rules.has_custom(name);
    let all = built_in.chain(custom).filter(known);
    let views: Vec<View> =
        all.map(|(name, description)| View::of(&rules, &name, description)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(json!({ "items": views })))
}

/// Defines a custom role, for the first time or anew. Who has it has what it gives when this answers.
#[utoipa::path(put, path = "/api/v1/roles/{name}", tag = "roles", params(("name" = String, Path, description = "Role name")),
    request_body = RoleRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn define(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
    request: web::Json<RoleRequest>,
) -> Result<HttpResponse, ApiError> {
    let name = name.into_inner();
    let RoleRequest { description, permissions } = request.into_inner();
    let permissions = parsed(&permissions)?;
    let missing: Vec<&str> = permissions
        .iter()
        .filter(|permission| !caller.may(**permission))
        .map(|permission| permission.as_str())
        .collect();
    if !missing.is_empty() {
        let detail = format!("whoever defines a role needs its permissions; missing: {}", missing.join(", "));
        return Err(ApiError::Forbidden(detail));
    }
    gateway
        .decisions
        .decide(&["roles".to_owned(), key(&name)], async || {
            let present = gateway.state.custom_role(&name).await?;
            let version = present.as_ref().map_or(1, |present| present.version + 1);
            let role = CustomRole { name: name.clone(), permissions: permissions.clone(), version };
            together(&gateway, role).await?;
            let names = permissions.iter().map(|permission| permission.as_str().to_owned()).collect();
            let definition =
                RoleDefinition { name: name.clone(), description: description.clone(), permissions: names };
            let command = DefineRole { definition };
            Ok::<_, ApiError>((command.decide(present.as_ref(), gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.rules_changed().await;
    let rules = gateway.authority.rules(&gateway.state).await?;
    Ok(HttpResponse::Ok().json(View::of(&rules, &name, description)?))
}

/// Withdraws a custom role. Having it gives nothing any more when this answers.
#[utoipa::path(delete, path = "/api/v1/roles/{name}", tag = "roles", params(("name" = String, Path, description = "Role name")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn withdraw(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    gateway
        .decisions
        .decide(&["roles".to_owned(), key(&name)], async || {
            let role = gateway.state.custom_role(&name).await?.ok_or(Refusal::Unknown("custom role"))?;
            Ok::<_, ApiError>((role.withdraw(gateway.context(&caller)), ()))
        })
        .await?;
    gateway.rules_changed().await;
    Ok(HttpResponse::NoContent().finish())
}

impl Caller {
    /// Nobody gives a role, or takes one, that gives more than they have there.
    pub(crate) fn may_give(&self, role: &MappedRole) -> Result<(), ApiError> {
        let (Some(rules), Some(principal)) = (&self.rules, &self.principal) else {
            return Err(ApiError::Forbidden("nobody gives roles without credentials".to_owned()));
        };
        let organization = role.organization.as_deref();
        Ok(rules.policies.may_grant(principal, &self.circumstances, &role.role, organization)?)
    }
}

/// Key of the decisions about a custom role.
pub(crate) fn key(name: &str) -> String {
    format!("role/{name}")
}

fn parsed(names: &[String]) -> Result<BTreeSet<Permission>, ApiError> {
    let permission = |name: &String| {
        Permission::parse(name).ok_or_else(|| ApiError::bad_request(format!("there is no permission `{name}`")))
    };
    names.iter().map(permission).collect()
}

/// Whether a role can stand beside the others, as they are now.
async fn together(gateway: &Gateway, role: CustomRole) -> Result<(), ApiError> {
    let rules = gateway.authority.fresh(&gateway.state).await?;
    let mut custom: Vec<CustomRole> = rules.custom().to_vec();
    custom.retain(|other| other.name != role.name);
    custom.push(role);
    Ok(PolicySet::new(&[], &custom).map(drop)?)
}

impl From<GrantRefusal> for ApiError {
    fn from(refusal: GrantRefusal) -> Self {
        match refusal {
            GrantRefusal::UnknownRole(_) => Self::NotFound(refusal.to_string()),
            GrantRefusal::Lacks(_) => Self::Forbidden(refusal.to_string()),
            GrantRefusal::Policy(error) => error.into(),
        }
    }
}

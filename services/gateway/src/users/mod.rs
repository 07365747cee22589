//! Users: one of them, making one by hand, taking access and giving it back; [`grants`] are their roles.

pub(crate) mod grants;

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::attributes::{self, Attributes};
use chancery_domain::decision::Refusal;
use chancery_domain::directory::DirectoryUser;
use chancery_domain::events::directory::{Deletion, MappedRole, Suspension};
use chancery_domain::users::{AmendUser, CreateUser, DeleteUser, ReactivateUser, SuspendUser};
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::organizations;
use crate::roles;

use self::grants::{GrantRequest, HeldView, held, may_take, organization_name};

/// Longest name or address that is taken, in characters.
const LONGEST: usize = 256;
/// Most roles that a user is made with.
const MOST_ROLES: usize = 100;

/// A user as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    username: String,
    display_name: Option<String>,
    email: Option<String>,
    organization: Option<String>,
    /// Connection that provisions it.
    connection: Option<String>,
    status: &'static str,
    roles: Vec<HeldView>,
    groups: Vec<GroupView>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A group that a user is in.
#[derive(Debug, Serialize)]
struct GroupView {
    id: String,
    name: String,
}

/// A user to be made by hand.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    /// Login name.
    username: String,
    /// E-mail address.
    email: Option<String>,
    /// Full name.
    display_name: Option<String>,
    /// Home organization.
    organization: Option<String>,
    /// Roles from the start.
    #[serde(default)]
    roles: Vec<GrantRequest>,
}

/// What of a user is to change; what is not named stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// New full name.
    display_name: Option<String>,
    /// New main e-mail address.
    email: Option<String>,
    /// New home organization.
    organization: Option<String>,
}

/// Why access is taken or given back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonRequest {
    /// For auditors.
    reason: Option<String>,
}

/// One user, with what of its roles and groups the caller sees. One that the caller may not see is not there.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "User id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id).await?))
}

/// Makes a user whom no identity provider provisions.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = UserRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<UserRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = request.into_inner();
    let attributes = attributes_of(&request)?;
    let organization = organization_name(request.organization)?;
    let place = organization.as_deref().map_or(Resource::Deployment, Resource::organization);
    let caller = caller.judged_at(Permission::UsersWrite, &place)?;
    if request.roles.len() > MOST_ROLES {
        return Err(ApiError::bad_request(format!("at most {MOST_ROLES} roles at once")));
    }
    let roles: Vec<MappedRole> = request.roles.into_iter().map(GrantRequest::read).collect::<Result<_, _>>()?;
    roles.iter().try_for_each(|role| caller.may_give(role))?;
    for name in organization.iter().chain(roles.iter().filter_map(|role| role.organization.as_ref())) {
        organizations::exists(&gateway, name).await?;
    }
    let (id, username) = (uuid::Uuid::now_v7().to_string(), request.username);
    let mut keys = vec![key(&id), format!("user-name/{}", attributes::key(&username))];
    keys.extend(roles.iter().map(|role| roles::key(&role.role)));
    gateway
        .decisions
        .decide(&keys, async || {
            let command = CreateUser {
                id: id.clone(),
                attributes: attributes.clone(),
                connection: None,
                organization: organization.clone(),
                roles: roles.clone(),
                scim_event: None,
            };
            let namesakes = gateway.state.users_by_name(&username).await?;
            Ok::<_, ApiError>((command.decide(&namesakes, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Created().json(view(&gateway, &caller, &id).await?))
}

/// Changes a user whom no identity provider provisions. Nobody changes those who have more than they.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "User id")),
    request_body = UserChange, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<UserChange>,
) -> Result<HttpResponse, ApiError> {
    let UserChange { display_name, email, organization } = request.into_inner();
    find(&gateway, &caller, &id).await?;
    let organization = organization_name(organization)?;
    if let Some(name) = &organization {
        caller.judged_at(Permission::UsersWrite, &Resource::organization(name))?;
        organizations::exists(&gateway, name).await?;
    }
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (user, caller) = subordinate(&gateway, &caller, &id).await?;
            by_hand(&gateway, &user).await?;
            let (display_name, email, organization) = (display_name.clone(), email.clone(), organization.clone());
            let command = AmendUser { display_name, email, organization };
            Ok::<_, ApiError>((command.decide(&user, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id).await?))
}

/// Removes a user whom no identity provider provisions, for good, with all that it has. Nobody removes those who have more
/// than they.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "User id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    loop {
        let groups = gateway.state.memberships(&id).await?.into_iter();
        let groups = groups.filter(|membership| !membership.everyone);
        let keys: Vec<String> =
            groups.map(|membership| format!("group/{}", membership.group_id)).chain([key(&id)]).collect();
        let decided = gateway.decisions.decide(&keys, async || {
            let (user, caller) = subordinate(&gateway, &caller, &id).await?;
            by_hand(&gateway, &user).await?;
            let memberships = gateway.state.memberships(&id).await?;
            let joined = memberships.iter().filter(|membership| !membership.everyone);
            if joined.into_iter().any(|joined| !keys.contains(&format!("group/{}", joined.group_id))) {
                return Ok((Vec::new(), false));
            }
            let possessions = gateway.state.possessions(&id).await?;
            let command = DeleteUser { deletion: Deletion::Delete, ..DeleteUser::default() };
            let events = command.decide(&user, &memberships, &possessions, gateway.context(&caller))?;
            Ok::<_, ApiError>((events, true))
        });
        // In another group by now: that one's decisions count, too.
        if decided.await? {
            break;
        }
    }
    gateway.decisions.disbelieved().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a user's access: tokens and sessions end, workspaces stop. Nobody takes it from those who have more than they.
#[utoipa::path(post, path = "/api/v1/users/{id}/suspend", tag = "users", params(("id" = String, Path, description = "User id")),
    request_body = ReasonRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn suspend(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let ReasonRequest { reason } = reason(&body)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (user, caller) = subordinate(&gateway, &caller, &id).await?;
            let possessions = gateway.state.possessions(&id).await?;
            let command = SuspendUser { suspension: Suspension::default(), reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&user, &possessions, gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.decisions.disbelieved().await;
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id).await?))
}

/// Gives a suspended user access back.
#[utoipa::path(post, path = "/api/v1/users/{id}/reactivate", tag = "users", params(("id" = String, Path, description = "User id")),
    request_body = ReasonRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn reactivate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let ReasonRequest { reason } = reason(&body)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (user, caller) = subordinate(&gateway, &caller, &id).await?;
            let command = ReactivateUser { reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&user, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id).await?))
}

/// Refuses what is an identity provider's to do.
async fn by_hand(gateway: &Gateway, user: &DirectoryUser) -> Result<(), ApiError> {
    if gateway.is_connected(user.connection.as_deref()).await? {
        let detail = "an identity provider provisions the user, who is changed there, or suspended here";
        return Err(ApiError::Conflict(detail.to_owned()));
    }
    Ok(())
}

/// A user whom the caller sees.
async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<DirectoryUser, ApiError> {
    let found = gateway.state.user(id).await?;
    let seen = found.filter(|user| caller.visible.includes(user.organization.as_deref()));
    seen.ok_or_else(|| Refusal::Unknown("user").into())
}

/// A user whose every role the caller could give, and the caller with the policies that say so.
async fn subordinate(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(DirectoryUser, Caller), ApiError> {
    let user = find(gateway, caller, id).await?;
    let held = gateway.state.roles(id).await?;
    held.iter().try_for_each(|held| may_take(caller, &held.role))?;
    let place = user.organization.as_deref().map_or(Resource::Deployment, Resource::organization);
    let caller = caller.judged_at(Permission::UsersWrite, &place)?;
    Ok((user, caller))
}

async fn view(gateway: &Gateway, caller: &Caller, id: &str) -> Result<View, ApiError> {
    let user = find(gateway, caller, id).await?;
    let mut groups = Vec::new();
    for membership in gateway.state.memberships(id).await? {
        let group = gateway.state.group(&membership.group_id).await?;
        if group.is_some_and(|group| caller.visible.includes(group.organization.as_deref())) {
            groups.push(GroupView { id: membership.group_id, name: membership.name });
        }
    }
    Ok(View {
        roles: held(gateway, caller, id).await?,
        groups,
        id: user.id,
        username: user.username,
        display_name: user.display_name,
        email: user.email,
        organization: user.organization,
        connection: user.connection,
        status: user.status.as_str(),
        version: user.version,
        created_at: user.created_at,
        updated_at: user.updated_at,
    })
}

fn attributes_of(request: &UserRequest) -> Result<Attributes, ApiError> {
    for (field, text) in [("email", &request.email), ("display_name", &request.display_name)] {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > LONGEST) {
            return Err(ApiError::bad_request(format!("`{field}` must have 1 to {LONGEST} characters")));
        }
    }
    let mut attributes = Attributes::new();
    attributes.insert("userName".to_owned(), request.username.as_str().into());
    attributes.insert("active".to_owned(), true.into());
    if let Some(name) = &request.display_name {
        attributes.insert("displayName".to_owned(), name.as_str().into());
    }
    if let Some(email) = &request.email {
        attributes.insert("emails".to_owned(), json!([{"value": email, "primary": true}]));
    }
    Ok(attributes)
}

/// A body that may be missing.
fn reason(body: &[u8]) -> Result<ReasonRequest, ApiError> {
    if body.is_empty() {
        return Ok(ReasonRequest::default());
    }
    let request: ReasonRequest =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    match &request.reason {
        Some(reason) if reason.chars().count() > 1000 => {
            Err(ApiError::bad_request("`reason` must have at most 1000 characters"))
        }
        _ => Ok(request),
    }
}

pub(crate) fn key(id: &str) -> String {
    format!("user/{id}")
}

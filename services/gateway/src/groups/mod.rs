//! Groups by hand: making, changing and removing them; [`members`] are who is in them.

pub(crate) mod members;

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::attributes;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::DirectoryGroup;
use chancery_domain::groups::{AmendGroup, DeleteGroup, FoundGroup, Mapped};
use chancery_policy::{Permission, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::organizations;

use self::members::{MemberPage, MembersView};

/// A group as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    display_name: Option<String>,
    organization: Option<String>,
    /// Connection that provisions it.
    connection: Option<String>,
    /// Its members are everyone in its organization.
    everyone: bool,
    quota_allowance: u32,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// How many there are.
    member_count: u64,
    members: MembersView,
}

/// A group to be made by hand.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupRequest {
    /// Its name, unique in its organization.
    name: String,
    /// Organization it belongs to.
    organization: String,
    /// Name for people.
    display_name: Option<String>,
    /// Daily credits that each member gets.
    quota_allowance: Option<u32>,
}

/// What of a group is to change; what is not named stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupChange {
    /// New name.
    name: Option<String>,
    /// New name for people.
    display_name: Option<String>,
    /// Daily credits that each member gets from now on.
    quota_allowance: Option<u32>,
}

/// One group with the first of its members, or those after one.
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path, description = "Group id"), MemberPage),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    page: web::Query<MemberPage>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id, &page).await?))
}

/// Makes a group that no identity provider provisions.
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", request_body = GroupRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<GroupRequest>,
) -> Result<HttpResponse, ApiError> {
    let GroupRequest { name, organization, display_name, quota_allowance } = request.into_inner();
    let place = Resource::organization(&organization);
    if quota_allowance.is_some() {
        caller.judged_at(Permission::QuotasWrite, &place)?;
    }
    let caller = caller.judged_at(Permission::GroupsWrite, &place)?;
    organizations::exists(&gateway, &organization).await?;
    let id = uuid::Uuid::now_v7().to_string();
    gateway
        .decisions
        .decide(&[key(&id), name_key(&name)], async || {
            let command = FoundGroup {
                id: id.clone(),
                name: name.clone(),
                display_name: display_name.clone(),
                organization: organization.clone(),
                quota_allowance,
            };
            let namesakes = gateway.state.groups_by_name(&name).await?;
            Ok::<_, ApiError>((command.decide(&namesakes, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Created().json(view(&gateway, &caller, &id, &MemberPage::default()).await?))
}

/// Changes a group. Of one that an identity provider provisions, and of everyone's, only the allowance.
#[utoipa::path(patch, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path, description = "Group id")),
    request_body = GroupChange, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<GroupChange>,
) -> Result<HttpResponse, ApiError> {
    let GroupChange { name, display_name, quota_allowance } = request.into_inner();
    let keys: Vec<String> = std::iter::once(key(&id)).chain(name.as_deref().map(name_key)).collect();
    gateway
        .decisions
        .decide(&keys, async || {
            let group = find(&gateway, &caller, &id).await?;
            if quota_allowance.is_some() {
                caller.judged_at(Permission::QuotasWrite, &place(&group))?;
            }
            let caller = caller.judged_at(Permission::GroupsWrite, &place(&group))?;
            let namesakes = match &name {
                Some(name) => gateway.state.groups_by_name(name).await?,
                None => Vec::new(),
            };
            let command = AmendGroup { name: name.clone(), display_name: display_name.clone(), quota_allowance };
            Ok::<_, ApiError>((command.decide(&group, &namesakes, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(view(&gateway, &caller, &id, &MemberPage::default()).await?))
}

/// Removes a group, and its members from it.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path, description = "Group id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let group = find(&gateway, &caller, &id).await?;
            let caller = caller.judged_at(Permission::GroupsWrite, &place(&group))?;
            group.removable()?;
            let command = DeleteGroup::default();
            Ok::<_, ApiError>((command.decide(&group, Mapped::default(), gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A group that the caller sees. That of everyone is there also where nobody has made it yet; what a connection has left
/// behind that is gone is nobody's.
async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<DirectoryGroup, ApiError> {
    let mut found = gateway.state.group(id).await?;
    if found.is_none() {
        let organizations = gateway.state.organizations().await?.into_iter();
        found = organizations.filter(|organization| organization.id == id).map(|found| found.everyone()).next();
    }
    let seen = found.filter(|group| !group.deleted && caller.visible.includes(group.organization.as_deref()));
    let mut group = seen.ok_or(Refusal::Unknown("group"))?;
    if !gateway.is_connected(group.connection.as_deref()).await? {
        group.connection = None;
    }
    Ok(group)
}

impl Gateway {
    /// Whether a connection is there that provisions something.
    pub(crate) async fn is_connected(&self, connection: Option<&str>) -> Result<bool, ApiError> {
        let Some(id) = connection else { return Ok(false) };
        Ok(self.state.connection(id).await?.is_some_and(|connection| !connection.deleted))
    }
}

async fn view(gateway: &Gateway, caller: &Caller, id: &str, page: &MemberPage) -> Result<View, ApiError> {
    let group = find(gateway, caller, id).await?;
    let (member_count, members) = members::view(gateway, &group, page).await?;
    Ok(View {
        id: group.id,
        name: group.name,
        display_name: group.display_name,
        organization: group.organization,
        connection: group.connection,
        everyone: group.everyone,
        quota_allowance: group.quota_allowance,
        version: group.version,
        created_at: group.created_at,
        updated_at: group.updated_at,
        member_count,
        members,
    })
}

fn place(group: &DirectoryGroup) -> Resource {
    group.organization.as_deref().map_or(Resource::Deployment, Resource::organization)
}

fn key(id: &str) -> String {
    format!("group/{id}")
}

fn name_key(name: &str) -> String {
    format!("group-name/{}", attributes::key(name))
}

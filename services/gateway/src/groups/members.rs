//! The members of a group: seeing them, taking somebody in, perhaps for a time, and putting somebody out.

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::attributes;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::{ConnectionRecord, DirectoryGroup, DirectoryUser, Member, UserStatus};
use chancery_domain::events::directory::GroupMapping;
use chancery_domain::events::groups::MemberKind;
use chancery_domain::groups::{JoinGroup, LeaveGroup, Mapped};
use chancery_domain::roles::MappedUser;
use chancery_policy::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{find, key, place};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::users;

/// Most members of a page.
const MOST: usize = 1000;

/// Which part of the members.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct MemberPage {
    /// Id of the last member of the page before.
    after: Option<String>,
    /// Most members, 1 to 1000; 100 without.
    limit: Option<usize>,
}

/// A page of members.
#[derive(Debug, Serialize)]
pub(super) struct MembersView {
    items: Vec<MemberView>,
    /// `after` of the next page.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct MemberView {
    id: String,
    kind: MemberKind,
    name: Option<String>,
    expires_at: Option<Timestamp>,
}

/// How somebody is to be a member.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberRequest {
    /// For auditors.
    reason: Option<String>,
    /// When the membership ends by itself, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Why somebody is a member no longer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaveRequest {
    /// For auditors.
    reason: Option<String>,
}

/// The members of a group.
#[utoipa::path(get, path = "/api/v1/groups/{id}/members", tag = "groups", params(("id" = String, Path, description = "Group id"), MemberPage),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    page: web::Query<MemberPage>,
) -> Result<HttpResponse, ApiError> {
    let group = find(&gateway, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(view(&gateway, &group, &page).await?.1))
}

/// Takes a user into a group, or has the membership end at another time.
#[utoipa::path(put, path = "/api/v1/groups/{id}/members/{user}", tag = "groups",
    params(("id" = String, Path, description = "Group id"), ("user" = String, Path, description = "User id")),
    request_body = MemberRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn join(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, user_id) = path.into_inner();
    let MemberRequest { reason, expires_at } = optional(&body)?;
    gateway
        .decisions
        .decide(&[key(&id), users::key(&user_id)], async || {
            let Membership { caller, group, mappings, mapped, present } =
                membership(&gateway, &caller, &id, &user_id).await?;
            let user = person(&gateway, &caller, &group, &user_id).await?;
            let member = Member { id: user.id, kind: MemberKind::User, name: Some(user.username), expires_at };
            let mapped = Mapped { mappings: &mappings, users: &mapped };
            let command = JoinGroup { member, reason: reason.clone() };
            let context = gateway.context(&caller);
            Ok::<_, ApiError>((command.decide(&group, user.status, present.as_ref(), mapped, context)?, ()))
        })
        .await?;
    let member = gateway.state.membership(&id, &user_id).await?.ok_or(Refusal::Unknown("member of the group"))?;
    Ok(HttpResponse::Ok().json(MemberView::of(member)))
}

/// Puts a member out of a group.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/members/{user}", tag = "groups",
    params(("id" = String, Path, description = "Group id"), ("user" = String, Path, description = "User id")),
    request_body = LeaveRequest, responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn leave(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, user_id) = path.into_inner();
    let LeaveRequest { reason } = optional(&body)?;
    gateway
        .decisions
        .decide(&[key(&id), users::key(&user_id)], async || {
            let Membership { caller, group, mappings, mapped, present } =
                membership(&gateway, &caller, &id, &user_id).await?;
            let mapped = Mapped { mappings: &mappings, users: &mapped };
            let command = LeaveGroup { reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&group, present, mapped, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What a decision about a member must know.
struct Membership {
    /// Whoever decides, with the policies that let them.
    caller: Caller,
    group: DirectoryGroup,
    mappings: Vec<GroupMapping>,
    mapped: Vec<MappedUser>,
    present: Option<Member>,
}

/// Nobody chooses the members of a connection's group, unless its settings say so, and nobody gives roles that way which
/// they could not give.
async fn membership(gateway: &Gateway, caller: &Caller, id: &str, user: &str) -> Result<Membership, ApiError> {
    let group = find(gateway, caller, id).await?;
    let caller = caller.judged_at(Permission::GroupsWrite, &place(&group))?;
    let now = gateway.now();
    let present = gateway.state.membership(id, user).await?;
    let present = present.filter(|member| member.expires_at.is_none_or(|end| end > now));
    let (mut mappings, mut mapped) = (Vec::new(), Vec::new());
    if let Some(connection) = &group.connection {
        let record = gateway.state.connection(connection).await?.ok_or(Refusal::Unknown("connection"))?;
        if !record.settings.members_by_hand {
            let detail = "an identity provider provisions the group and its members: they are changed there";
            return Err(ApiError::Conflict(detail.to_owned()));
        }
        may_give_all(&caller, &record, &group.name)?;
        mapped = gateway.state.mapped_users(connection, &[user.to_owned()]).await?;
        mappings = record.settings.group_mappings;
    }
    Ok(Membership { caller, group, mappings, mapped, present })
}

fn may_give_all(caller: &Caller, connection: &ConnectionRecord, group: &str) -> Result<(), ApiError> {
    let here = |mapping: &&GroupMapping| attributes::key(&mapping.group) == attributes::key(group);
    let roles = connection.settings.group_mappings.iter().filter(here).flat_map(|mapping| &mapping.roles);
    roles.into_iter().try_for_each(|role| caller.may_give(role))
}

/// A user whom the caller sees, or who has a role in the group's organization.
async fn person(
    gateway: &Gateway,
    caller: &Caller,
    group: &DirectoryGroup,
    id: &str,
) -> Result<DirectoryUser, ApiError> {
    let user = gateway.state.user(id).await?.filter(|user| user.status != UserStatus::Deleted);
    let user = user.ok_or(Refusal::Unknown("user"))?;
    if caller.visible.includes(user.organization.as_deref()) {
        return Ok(user);
    }
    let held = gateway.state.roles(id).await?;
    let is_there = group.organization.is_some() && held.iter().any(|held| held.role.organization == group.organization);
    if is_there { Ok(user) } else { Err(Refusal::Unknown("user").into()) }
}

/// How many members a group has, and a page of them.
pub(super) async fn view(
    gateway: &Gateway,
    group: &DirectoryGroup,
    page: &MemberPage,
) -> Result<(u64, MembersView), ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")));
    }
    let (state, after) = (&gateway.state, page.after.as_deref());
    let (count, members) = match &group.organization {
        Some(organization) if group.everyone => {
            (state.count_everyone_of(organization).await?, state.everyone_of(organization, after, limit).await?)
        }
        _ => (state.count_members(&group.id).await?, state.members(&group.id, after, limit).await?),
    };
    let next = members.last().filter(|_| members.len() == limit).map(|member| member.id.clone());
    Ok((count, MembersView { items: members.into_iter().map(MemberView::of).collect(), next }))
}

impl MemberView {
    fn of(member: Member) -> Self {
        let Member { id, kind, name, expires_at } = member;
        Self { id, kind, name, expires_at }
    }
}

/// A body that may be missing.
fn optional<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

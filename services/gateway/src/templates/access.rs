//! Who may use and who may administer a template.

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::UserStatus;
use chancery_domain::templates::access::{GrantAccess, RevokeAccess, Subject};
use chancery_domain::templates::{SubjectKind, TemplateGrant, TemplateRecord, TemplateRight};
use chancery_policy::Permission;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{administered, find, key, place, said};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Someone to whom a template is given, as it is shown.
#[derive(Debug, Serialize)]
struct GrantView {
    subject_kind: &'static str,
    subject_id: String,
    /// As it was called then.
    subject_name: Option<String>,
    permission: &'static str,
    granted_at: Timestamp,
}

impl GrantView {
    fn of(grant: TemplateGrant) -> Self {
        Self {
            subject_kind: grant.subject.as_str(),
            subject_id: grant.subject_id,
            subject_name: grant.subject_name,
            permission: grant.right.as_str(),
            granted_at: grant.granted_at,
        }
    }
}

/// To whom a template is to be given.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessRequest {
    /// `user`, `group`, or `everyone` in the template's organization.
    subject_kind: String,
    /// Id of the user or group; not for everyone.
    subject_id: Option<String>,
    /// `use` or `admin`. Whoever had the other has this instead.
    permission: String,
    /// For auditors.
    reason: Option<String>,
}

/// From whom a template is to be taken.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessWithdrawal {
    /// `user`, `group`, or `everyone` in the template's organization.
    subject_kind: String,
    /// Id of the user or group; not for everyone.
    subject_id: Option<String>,
    /// For auditors.
    reason: Option<String>,
}

/// Who was given a template. Who may only use it is not told.
#[utoipa::path(get, path = "/api/v1/templates/{id}/access", tag = "templates", params(("id" = String, Path, description = "Template id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (template, resource) = find(&gateway, &caller, &id).await?;
    if !caller.may_at(Permission::TemplatesRead, &place(template.organization.as_deref())) {
        caller.judged_at(Permission::TemplatesWrite, &resource)?;
    }
    shown(&gateway, &id).await
}

/// Gives a template to a user, a group or everyone of its organization; again, nothing changes.
#[utoipa::path(put, path = "/api/v1/templates/{id}/access", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = AccessRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn grant(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    administered(&gateway, &caller, &id).await?;
    let request: AccessRequest = said(&body)?;
    let kind = kind(&request.subject_kind)?;
    let right = TemplateRight::from_name(&request.permission)
        .ok_or_else(|| ApiError::bad_request("`permission` is `use` or `admin`"))?;
    let subject_id = subject_id(kind, request.subject_id.as_deref())?;
    let mut keys = vec![key(&id)];
    keys.extend(subject_id.map(|id| format!("{}/{id}", kind.as_str())));
    gateway
        .decisions
        .decide(&keys, async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let subject = subject(&gateway, &template, kind, subject_id).await?;
            let grants = gateway.state.template_access(&id).await?;
            let command = GrantAccess { right, reason: request.reason.clone() };
            Ok::<_, ApiError>((command.decide(&template, &subject, &grants, gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &id).await
}

/// Takes a template from a user, a group or everyone; again, nothing changes. It works at once.
#[utoipa::path(delete, path = "/api/v1/templates/{id}/access", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = AccessWithdrawal,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    administered(&gateway, &caller, &id).await?;
    let request: AccessWithdrawal = said(&body)?;
    let kind = kind(&request.subject_kind)?;
    let subject_id = subject_id(kind, request.subject_id.as_deref())?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let subject_id = subject_id.or(template.organization.as_deref()).unwrap_or_default().to_owned();
            let grants = gateway.state.template_access(&id).await?;
            let command = RevokeAccess { subject: kind, subject_id, reason: request.reason.clone() };
            Ok::<_, ApiError>((command.decide(&template, &grants, gateway.context(&caller))?, ()))
        })
        .await?;
    // Who took it from themselves sees it no more.
    match find(&gateway, &caller, &id).await {
        Ok(_) => shown(&gateway, &id).await,
        Err(ApiError::NotFound(_)) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error),
    }
}

async fn shown(gateway: &Gateway, id: &str) -> Result<HttpResponse, ApiError> {
    let grants = gateway.state.template_access(id).await?;
    let views: Vec<GrantView> = grants.into_iter().map(GrantView::of).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": views })))
}

fn kind(name: &str) -> Result<SubjectKind, ApiError> {
    SubjectKind::from_name(name).ok_or_else(|| ApiError::bad_request("`subject_kind` is `user`, `group` or `everyone`"))
}

/// The id of a user or group; everyone has none.
fn subject_id(kind: SubjectKind, id: Option<&str>) -> Result<Option<&str>, ApiError> {
    match (kind, id) {
        (SubjectKind::Everyone, None) => Ok(None),
        (SubjectKind::Everyone, Some(_)) => Err(ApiError::bad_request("`everyone` takes no `subject_id`")),
        (_, Some(id)) if (1..=256).contains(&id.len()) => Ok(Some(id)),
        _ => Err(ApiError::bad_request("`subject_id` is the id of a user or group")),
    }
}

/// Looks up to whom a template is to be given, and where they are.
async fn subject(
    gateway: &Gateway,
    template: &TemplateRecord,
    kind: SubjectKind,
    id: Option<&str>,
) -> Result<Subject, ApiError> {
    let id = id.unwrap_or_default();
    let unknown = |what| ApiError::from(Refusal::Unknown(what));
    match kind {
        SubjectKind::User => {
            let user = gateway.state.user(id).await?.filter(|user| user.status == UserStatus::Active);
            let user = user.ok_or_else(|| unknown("user in the template's organization"))?;
            let roles = gateway.state.roles(id).await?.into_iter().filter_map(|held| held.role.organization);
            let organizations = user.organization.into_iter().chain(roles).collect();
            Ok(Subject { kind, id: user.id, name: Some(user.username), organizations })
        }
        SubjectKind::Group => {
            let group = gateway.state.group(id).await?.filter(|group| group.own && !group.deleted);
            let group = group.ok_or_else(|| unknown("group in the template's organization"))?;
            let organizations = group.organization.into_iter().collect();
            Ok(Subject { kind, id: group.id, name: Some(group.name), organizations })
        }
        SubjectKind::Everyone => {
            let organization = template.organization.clone();
            let id = organization.clone().unwrap_or_default();
            Ok(Subject { kind, id, name: None, organizations: organization.into_iter().collect() })
        }
    }
}

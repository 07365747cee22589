//! Making, changing, deprecating and removing templates.

use actix_web::http::header::IF_MATCH;
use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::attributes;
use chancery_domain::templates::TemplateSettings;
use chancery_domain::templates::lifecycle::{
    CreateTemplate, DeleteTemplate, DeprecateTemplate, UndeprecateTemplate, UpdateTemplate,
};
use chancery_policy::{Permission, Resource};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Reason, administered, key, place, said, shown};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A template to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateRequest {
    /// Its unique name in the organization: a-z, 0-9 and `-`, a letter first. It stays.
    name: String,
    /// Name of the organization it is in. It stays.
    organization: String,
    /// Name for people.
    display_name: Option<String>,
    /// What it offers.
    description: Option<String>,
    /// The rules that its workspaces live by.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: TemplateSettings,
}

/// Changes of a template. What is absent stays; an empty text goes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateChange {
    /// Name for people.
    display_name: Option<String>,
    /// What it offers.
    description: Option<String>,
    /// A merge patch (RFC 7396) of the rules that its workspaces live by: null takes one away.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// What to use instead.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeprecationRequest {
    /// It, in words.
    message: String,
}

/// Makes a template.
#[utoipa::path(post, path = "/api/v1/templates", tag = "templates", request_body = TemplateRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<TemplateRequest>,
) -> Result<HttpResponse, ApiError> {
    let TemplateRequest { name, organization, display_name, description, settings } = request.into_inner();
    let caller = caller.judged_at(Permission::TemplatesWrite, &Resource::organization(organization.as_str()))?;
    let id = uuid::Uuid::now_v7().to_string();
    let keys = [
        key(&id),
        format!("template-name/{organization}/{}", attributes::key(&name)),
        format!("organization-name/{}", attributes::key(&organization)),
    ];
    gateway
        .decisions
        .decide(&keys, async || {
            let found = gateway.state.organization(&organization).await?;
            let namesakes = gateway.state.templates_by_name(&organization, &name).await?;
            let command = CreateTemplate {
                id: id.clone(),
                name: name.clone(),
                display_name: display_name.clone(),
                description: description.clone(),
                settings: settings.clone(),
            };
            Ok::<_, ApiError>((command.decide(found.as_ref(), &namesakes, gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &id, HttpResponse::Created()).await
}

/// Changes a template; with `If-Match` only if it is still in that version.
#[utoipa::path(patch, path = "/api/v1/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("If-Match" = Option<String>, Header, description = "The version that is changed, in quotes")),
    request_body = TemplateChange,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 412)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    headers: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    administered(&gateway, &caller, &id).await?;
    let request: TemplateChange = said(&body)?;
    let expected = expected(&headers)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, administrator) = administered(&gateway, &caller, &id).await?;
            let everywhere = place(template.organization.as_deref());
            let command = UpdateTemplate {
                display_name: request.display_name.clone(),
                description: request.description.clone(),
                settings: request.settings.clone(),
                expected,
                may_lift: caller.may_at(Permission::TemplatesWrite, &everywhere),
            };
            Ok::<_, ApiError>((command.decide(&template, gateway.context(&administrator))?, ()))
        })
        .await?;
    shown(&gateway, &id, HttpResponse::Ok()).await
}

/// The version that `If-Match` names.
fn expected(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    let Some(header) = request.headers().get(IF_MATCH) else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    let version =
        text.parse().map_err(|_| ApiError::bad_request("`If-Match` is one version in quotes, such as \"3\""))?;
    Ok(Some(version))
}

/// Says that a template should no longer be used, and what to use instead. Workspaces made from it go on.
#[utoipa::path(post, path = "/api/v1/templates/{id}/deprecate", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = DeprecationRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn deprecate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    administered(&gateway, &caller, &id).await?;
    let request: DeprecationRequest = said(&body)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let command = DeprecateTemplate { message: request.message.clone() };
            Ok::<_, ApiError>((command.decide(&template, gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &id, HttpResponse::Ok()).await
}

/// Says that a deprecated template may be used again.
#[utoipa::path(post, path = "/api/v1/templates/{id}/undeprecate", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = Reason,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn undeprecate(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let reason = Reason::of(&body)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let command = UndeprecateTemplate { reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&template, gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &id, HttpResponse::Ok()).await
}

/// Removes a template that no workspace is made from. Its versions stay on record.
#[utoipa::path(delete, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = Reason,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let reason = Reason::of(&body)?;
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let workspaces = gateway.state.count_workspaces_of_template(&id).await?;
            let command = DeleteTemplate { reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&template, workspaces, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

//! Bringing versions into use and putting them away.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use chancery_domain::templates::versions::{ArchiveVersion, PromoteVersion, WithdrawPromotion};

use super::{Reason, administered, key, shown, version};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Makes a version the active one. Where that takes two people, the first who asks is answered 202, and another person
/// agrees by asking for the same.
#[utoipa::path(post, path = "/api/v1/templates/{id}/versions/{version}/promote", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("version" = String, Path, description = "Version id or name")),
    request_body = Reason,
    responses((status = 200), (status = 202, description = "It waits for a second person"), (status = 400), (status = 401),
        (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn promote(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let ((id, wanted), reason) = (path.into_inner(), Reason::of(&body)?);
    let waits = gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let version = version(&gateway, &id, &wanted).await?;
            let pending = gateway.state.template_promotion(&id).await?;
            let command = PromoteVersion { reason: reason.clone() };
            let events = command.decide(&template, &version, pending.as_ref(), gateway.context(&caller))?;
            let waits = events.iter().any(|event| event.event_type == "template.version.promotion.requested");
            Ok::<_, ApiError>((events, waits))
        })
        .await?;
    let status = if waits { StatusCode::ACCEPTED } else { StatusCode::OK };
    shown(&gateway, &id, HttpResponseBuilder::new(status)).await
}

/// Takes back a promotion that waits for a second person.
#[utoipa::path(delete, path = "/api/v1/templates/{id}/promotion", tag = "templates", params(("id" = String, Path, description = "Template id")),
    request_body = Reason,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn withdraw(
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
            let pending = gateway.state.template_promotion(&id).await?;
            let command = WithdrawPromotion { reason: reason.clone() };
            Ok::<_, ApiError>((command.decide(&template, pending.as_ref(), gateway.context(&caller))?, ()))
        })
        .await?;
    shown(&gateway, &id, HttpResponse::Ok()).await
}

/// Puts a version away: nothing new is built from it.
#[utoipa::path(post, path = "/api/v1/templates/{id}/versions/{version}/archive", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("version" = String, Path, description = "Version id or name")),
    request_body = Reason,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn archive(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    put_away(&gateway, &caller, path.into_inner(), true, Reason::of(&body)?).await
}

/// Takes a version out again that was put away.
#[utoipa::path(post, path = "/api/v1/templates/{id}/versions/{version}/unarchive", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("version" = String, Path, description = "Version id or name")),
    request_body = Reason,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn unarchive(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    put_away(&gateway, &caller, path.into_inner(), false, Reason::of(&body)?).await
}

async fn put_away(
    gateway: &Gateway,
    caller: &Caller,
    (id, wanted): (String, String),
    archived: bool,
    reason: Option<String>,
) -> Result<HttpResponse, ApiError> {
    gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(gateway, caller, &id).await?;
            let version = version(gateway, &id, &wanted).await?;
            let pending = gateway.state.template_promotion(&id).await?;
            let command = ArchiveVersion { archived, reason: reason.clone() };
            let events = command.decide(&template, &version, pending.as_ref(), gateway.context(&caller))?;
            Ok::<_, ApiError>((events, ()))
        })
        .await?;
    shown(gateway, &id, HttpResponse::Ok()).await
}

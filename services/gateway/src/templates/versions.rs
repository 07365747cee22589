//! Versions of templates: listing, showing and pushing them.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::events::templates::TemplateContents;
use chancery_domain::templates::versions::PushVersion;
use chancery_domain::templates::{TemplateRecord, TemplateVersionRecord};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;

use super::{administered, archive, find, key, version};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::ingest::read_body;
use crate::middleware::Caller;

/// A version as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct VersionView {
    id: String,
    template_id: String,
    name: String,
    message: Option<String>,
    /// Digest of its archive.
    sha256: String,
    size_bytes: u64,
    /// New builds take it.
    active: bool,
    archived: bool,
    pushed_by: Option<String>,
    pushed_at: Timestamp,
    /// What its files declare.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<TemplateContents>,
}

impl VersionView {
    fn of(template: &TemplateRecord, version: TemplateVersionRecord, contents: Option<TemplateContents>) -> Self {
        Self {
            active: template.active_version.as_ref() == Some(&version.id),
            id: version.id,
            template_id: version.template_id,
            name: version.name,
            message: version.message,
            sha256: version.sha256,
            size_bytes: version.size_bytes,
            archived: version.archived,
            pushed_by: version.pushed_by,
            pushed_at: version.pushed_at,
            contents,
        }
    }
}

/// What a version is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushQuery {
    /// Its unique name in the template; the next of `v1`, `v2`, … without.
    name: Option<String>,
    /// Why it is pushed.
    message: Option<String>,
}

/// The versions of a template, those that are pushed last first.
#[utoipa::path(get, path = "/api/v1/templates/{id}/versions", tag = "templates", params(("id" = String, Path, description = "Template id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (template, _) = find(&gateway, &caller, &id).await?;
    let versions = gateway.state.template_versions(&id).await?.into_iter().rev();
    let views: Vec<VersionView> = versions.map(|version| VersionView::of(&template, version, None)).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": views })))
}

/// One version, by its id or name, with its variables, providers and costs.
#[utoipa::path(get, path = "/api/v1/templates/{id}/versions/{version}", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("version" = String, Path, description = "Version id or name")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, wanted) = path.into_inner();
    let (template, _) = find(&gateway, &caller, &id).await?;
    let version = version(&gateway, &id, &wanted).await?;
    Ok(HttpResponse::Ok().json(view(&gateway, &template, version).await?))
}

async fn view(
    gateway: &Gateway,
    template: &TemplateRecord,
    version: TemplateVersionRecord,
) -> Result<VersionView, ApiError> {
    let contents = gateway.state.template_contents(&template.id, &version.id).await?;
    Ok(VersionView::of(template, version, contents))
}

/// Takes a version: an archive of Terraform files. It becomes the active one when it is promoted.
#[utoipa::path(post, path = "/api/v1/templates/{id}/versions", tag = "templates",
    params(("id" = String, Path, description = "Template id"), PushQuery),
    request_body(content = String, content_type = "application/x-tar"),
    responses((status = 200, description = "It was there already"), (status = 201), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 409), (status = 413), (status = 415)))]
pub(crate) async fn push(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    query: web::Query<PushQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    administered(&gateway, &caller, &id).await?;
    let packing = archive::packing(&request)?;
    let body = read_body(&request, payload, gateway.settings.max_body_bytes).await?;
    let read = archive::read(body, packing).await?;
    let size_bytes = read.archive.len() as u64;
    // Kept before anything says so: what is on record can be fetched. What is refused now is found there when it is
    // pushed again.
    let sha256 = gateway.blobs.put(read.archive).await?;
    let new = uuid::Uuid::now_v7().to_string();
    let pushed = gateway
        .decisions
        .decide(&[key(&id)], async || {
            let (template, caller) = administered(&gateway, &caller, &id).await?;
            let versions = gateway.state.template_versions(&id).await?;
            let command = PushVersion {
                id: new.clone(),
                name: query.name.clone(),
                message: query.message.clone().filter(|message| !message.is_empty()),
                sha256: sha256.clone(),
                size_bytes,
                contents: read.contents.clone(),
            };
            Ok::<_, ApiError>(command.decide(&template, &versions, gateway.context(&caller))?)
        })
        .await?;
    let (template, _) = find(&gateway, &caller, &id).await?;
    let mut response = if pushed == new { HttpResponse::Created() } else { HttpResponse::Ok() };
    let version = version(&gateway, &id, &pushed).await?;
    Ok(response.json(view(&gateway, &template, version).await?))
}

//! Handing out the archive of a version, to people and to runners. Each time is on record.

use actix_web::http::header::{CONTENT_DISPOSITION, ETAG, HeaderName};
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_domain::decision::Refusal;
use chancery_domain::events::templates::VersionReference;
use chancery_domain::templates::{TemplateRecord, TemplateVersionRecord};
use chancery_evidence::Sealed;
use chancery_policy::{Permission, Resource};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{place, sees, version};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Digest of a body (RFC 9530).
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The archive of a version: plain tar, the same bytes for everyone, with its SHA-256 in the headers. For those who see
/// the template, and for runners.
#[utoipa::path(get, path = "/api/v1/templates/{id}/versions/{version}/files", tag = "templates",
    params(("id" = String, Path, description = "Template id"), ("version" = String, Path, description = "Version id or name")),
    responses((status = 200, content_type = "application/x-tar", body = String), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub(crate) async fn files(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, wanted) = path.into_inner();
    let template = gateway.state.template(&id).await?.ok_or(Refusal::Unknown("template"))?;
    let resource = gateway.template_resource(&template).await?;
    let caller = reader(&caller, &template, &resource)?;
    let version = version(&gateway, &id, &wanted).await?;
    let archive = gateway.blobs.get(&version.sha256).await?;
    let archive =
        archive.ok_or_else(|| ApiError::NotFound("the archive of the version is not kept here".to_owned()))?;
    record(&gateway, &caller, &template, &version).await?;
    let name: String = format!("{}-{}.tar", template.name, version.name)
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() || ".-_+".contains(character) { character } else { '_' })
        .collect();
    Ok(HttpResponse::Ok()
        .content_type("application/x-tar")
        .insert_header((ETAG, format!("\"{}\"", version.sha256)))
        .insert_header((REPR_DIGEST, format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&archive)))))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(archive))
}

/// The caller with the policies that let them read a template's files, as someone who sees it or as a runner.
fn reader(caller: &Caller, template: &TemplateRecord, resource: &Resource) -> Result<Caller, ApiError> {
    if let Ok(reader) = caller.judged_at(Permission::TemplatesRead, resource) {
        return Ok(reader);
    }
    if let Ok(runner) = caller.judged_at(Permission::RunnersRun, &place(template.organization.as_deref())) {
        return Ok(runner);
    }
    if sees(caller, resource) {
        return caller.judged_at(Permission::TemplatesRead, resource);
    }
    Err(Refusal::Unknown("template").into())
}

/// Puts on record that files were read, before they are.
async fn record(
    gateway: &Gateway,
    caller: &Caller,
    template: &TemplateRecord,
    version: &TemplateVersionRecord,
) -> Result<(), ApiError> {
    let mut event = gateway.event("template.version.downloaded", caller, template.resource());
    event.organization.clone_from(&template.organization);
    event.data = json!(VersionReference {
        requested_by: None,
        version_id: version.id.clone(),
        version_name: Some(version.name.clone()),
    });
    let sealed = Sealed::new(&event).map_err(|error| ApiError::Internal(error.to_string()))?;
    gateway.log.append(vec![sealed]).await?;
    Ok(())
}

//! Templates: what workspaces are made from, and who may use them. [`lifecycle`] makes and changes them, [`versions`]
//! takes and promotes what is pushed ([`archive`] reads it, [`download`] hands it out), [`access`] says who may use them.
//!
//! Whom a template was given to sees it and uses it, or administers it. For everyone else it is not there, unless a role
//! of theirs says so.

pub(crate) mod access;
mod archive;
pub(crate) mod download;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod promotion;
pub(crate) mod resource;
pub(crate) mod versions;

use actix_web::HttpResponse;
use actix_web::http::header::ETAG;
use chancery_domain::Timestamp;
use chancery_domain::decision::Refusal;
use chancery_domain::templates::{PromotionRequest, TemplateRecord, TemplateSettings, TemplateVersionRecord};
use chancery_policy::{Permission, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A template as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    organization: Option<String>,
    status: &'static str,
    /// What to use instead.
    deprecation: Option<String>,
    /// Id of the version that new builds take.
    active_version: Option<String>,
    settings: TemplateSettings,
    /// Chancery's own, not another system's.
    own: bool,
    /// How many versions it has.
    versions: u64,
    /// Counts its changes.
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl View {
    fn of(template: TemplateRecord, versions: u64) -> Self {
        Self {
            id: template.id,
            name: template.name,
            display_name: template.display_name,
            description: template.description,
            organization: template.organization,
            status: template.status.as_str(),
            deprecation: template.deprecation,
            active_version: template.active_version,
            settings: template.settings,
            own: template.own,
            versions,
            version: template.version,
            created_at: template.created_at,
            updated_at: template.updated_at,
        }
    }
}

/// A template with what waits for a second person.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    template: View,
    promotion: Option<PromotionView>,
}

/// A promotion that waits for a second person.
#[derive(Debug, Serialize)]
struct PromotionView {
    version_id: String,
    version_name: Option<String>,
    requested_by: String,
    requested_by_name: Option<String>,
    requested_at: Timestamp,
}

impl PromotionView {
    fn of(request: PromotionRequest) -> Self {
        Self {
            version_id: request.version_id,
            version_name: request.version_name,
            requested_by: request.requested_by,
            requested_by_name: request.requested_by_name,
            requested_at: request.requested_at,
        }
    }
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// For auditors.
    reason: Option<String>,
}

impl Reason {
    /// A body that may be missing.
    fn of(body: &[u8]) -> Result<Option<String>, ApiError> {
        if body.is_empty() {
            return Ok(None);
        }
        let Self { reason } = said(body)?;
        Ok(reason)
    }
}

/// What a request says, read once it is known that the caller may say it: who may not see a template does not learn from
/// mistakes in a request whether it is there.
fn said<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// A template that the caller sees, as policies see it.
async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(TemplateRecord, Resource), ApiError> {
    let template = gateway.state.template(id).await?.ok_or(Refusal::Unknown("template"))?;
    let resource = gateway.template_resource(&template).await?;
    if !sees(caller, &resource) {
        return Err(Refusal::Unknown("template").into());
    }
    Ok((template, resource))
}

/// Whether the caller sees a template.
fn sees(caller: &Caller, resource: &Resource) -> bool {
    caller.may_at(Permission::TemplatesRead, resource) || caller.may_at(Permission::TemplatesWrite, resource)
}

/// A template that the caller administers, and the caller with the policies that say so.
async fn administered(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(TemplateRecord, Caller), ApiError> {
    let (template, resource) = find(gateway, caller, id).await?;
    let caller = caller.judged_at(Permission::TemplatesWrite, &resource)?;
    Ok((template, caller))
}

/// A version by its id, else by its name.
async fn version(gateway: &Gateway, template: &str, version: &str) -> Result<TemplateVersionRecord, ApiError> {
    if let Some(found) = gateway.state.template_version(template, version).await? {
        return Ok(found);
    }
    let versions = gateway.state.template_versions(template).await?;
    let named = versions.into_iter().find(|other| other.name == version);
    named.ok_or_else(|| Refusal::Unknown("version").into())
}

/// Where a template is.
fn place(organization: Option<&str>) -> Resource {
    organization.map_or(Resource::Deployment, Resource::organization)
}

/// What a template is as it is now.
async fn shown(
    gateway: &Gateway,
    id: &str,
    mut response: actix_web::HttpResponseBuilder,
) -> Result<HttpResponse, ApiError> {
    let template = gateway.state.template(id).await?.ok_or(Refusal::Unknown("template"))?;
    let versions = gateway.state.count_template_versions(&[id.to_owned()]).await?.remove(id).unwrap_or_default();
    let promotion = gateway.state.template_promotion(id).await?.map(PromotionView::of);
    let tag = format!("\"{}\"", template.version);
    Ok(response.insert_header((ETAG, tag)).json(Detail { template: View::of(template, versions), promotion }))
}

fn key(id: &str) -> String {
    format!("template/{id}")
}

//! Seeing templates.

use actix_web::{HttpResponse, web};
use chancery_domain::attributes;
use chancery_domain::templates::TemplateRecord;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::{View, find, sees, shown};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Most rows of a page.
const MOST: usize = 1000;
/// How many templates are read at once.
const BATCH: usize = 200;
/// Most templates that are looked at for one page; what is beyond is found on the next.
const MOST_READ: usize = 5000;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Page {
    /// `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
    /// Only the one of this name, in any case.
    name: Option<String>,
    /// Only those of this organization.
    organization: Option<String>,
    /// Also those that are deleted.
    deleted: Option<bool>,
}

impl Page {
    fn wants(&self, template: &TemplateRecord) -> bool {
        let named = |name: &String| attributes::key(name) == attributes::key(&template.name);
        self.name.as_ref().is_none_or(named)
            && (self.organization.is_none() || self.organization == template.organization)
    }
}

/// The templates that the caller sees: by a role, or because they were given to them.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates", params(Page),
    responses((status = 200), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn list(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    page: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request(format!("`limit` must be 1 to {MOST}")));
    }
    let (mut seen, mut after, mut read) = (Vec::new(), page.after.clone(), 0);
    let next = loop {
        let batch = gateway.state.templates(after.as_deref(), BATCH, page.deleted == Some(true)).await?;
        let is_last = batch.len() < BATCH;
        read += batch.len();
        let batch: Vec<(TemplateRecord, bool)> = judged(&gateway, &caller, &page, batch).await?;
        for (template, is_seen) in batch {
            if seen.len() == limit {
                break;
            }
            after = Some(template.id.clone());
            if is_seen {
                seen.push(template);
            }
        }
        if seen.len() == limit {
            break after;
        }
        if is_last {
            break None;
        }
        if read >= MOST_READ {
            break after;
        }
    };
    let ids: Vec<String> = seen.iter().map(|template| template.id.clone()).collect();
    let mut versions = gateway.state.count_template_versions(&ids).await?;
    let items: Vec<View> = seen
        .into_iter()
        .map(|template| {
            let versions = versions.remove(&template.id).unwrap_or_default();
            View::of(template, versions)
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "items": items, "next": next, "position": gateway.state.applied().to_string(),
    })))
}

/// Of each template whether it is wanted and the caller sees it.
async fn judged(
    gateway: &Gateway,
    caller: &Caller,
    page: &Page,
    templates: Vec<TemplateRecord>,
) -> Result<Vec<(TemplateRecord, bool)>, ApiError> {
    let wanted: Vec<String> =
        templates.iter().filter(|template| page.wants(template)).map(|template| template.id.clone()).collect();
    let mut access = gateway.state.access_to_templates(&wanted).await?;
    let judged = templates.into_iter().map(|template| {
        let grants = access.remove(&template.id).unwrap_or_default();
        let is_seen = page.wants(&template) && sees(caller, &super::resource::resource(&template, &grants));
        (template, is_seen)
    });
    Ok(judged.collect())
}

/// One template, with the promotion that waits for a second person.
#[utoipa::path(get, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = String, Path, description = "Template id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    find(&gateway, &caller, &id).await?;
    shown(&gateway, &id, HttpResponse::Ok()).await
}

//! Published policies: their versions and texts, publishing and withdrawing them.

use actix_web::{HttpResponse, web};
use chancery_domain::Timestamp;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::PolicyVersion;
use chancery_domain::policies::PublishPolicy;
use chancery_policy::{
    BUILT_IN, BUILT_IN_VERSION, Finding, Permission, PolicyError, PolicySet, PublishedPolicy, Resource,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::browser_only;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A version of a policy as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    version: u64,
    text: String,
    sha256: String,
    published_at: Timestamp,
    withdrawn_at: Option<Timestamp>,
}

impl View {
    fn of(policy: PolicyVersion) -> Self {
        let PolicyVersion { id, version, text, sha256, published_at, withdrawn_at } = policy;
        Self { id, version, text, sha256, published_at, withdrawn_at }
    }
}

/// A policy to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRequest {
    /// One or more Cedar rules.
    text: String,
}

/// The policies in force: the published ones, and those that are always there.
#[utoipa::path(get, path = "/api/v1/policies", tag = "policies", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let published: Vec<View> = gateway.state.active_policies().await?.into_iter().map(View::of).collect();
    let built_in: Vec<_> = BUILT_IN
        .iter()
        .map(|(name, text)| json!({ "id": format!("builtin:{name}"), "version": BUILT_IN_VERSION, "text": text }))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "items": published, "built_in": built_in })))
}

/// Every version of a policy, the newest first. The one in force has no `withdrawn_at`.
#[utoipa::path(get, path = "/api/v1/policies/{id}", tag = "policies", params(("id" = String, Path, description = "Policy id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(gateway: web::Data<Gateway>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let all = gateway.state.policies().await?.into_iter();
    let versions: Vec<View> = all.rev().filter(|policy| policy.id == *id).map(View::of).collect();
    let Some(newest) = versions.first() else { return Err(Refusal::Unknown("policy").into()) };
    let in_force = newest.withdrawn_at.is_none();
    Ok(HttpResponse::Ok().json(json!({ "id": *id, "in_force": in_force, "versions": versions })))
}

/// Publishes a policy's next version. It is in force when this answers.
#[utoipa::path(put, path = "/api/v1/policies/{id}", tag = "policies", params(("id" = String, Path, description = "Policy id")),
    request_body = PolicyRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn publish(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<PolicyRequest>,
) -> Result<HttpResponse, ApiError> {
    let (id, text) = (id.into_inner(), request.into_inner().text);
    browser_only::not_by_hand(&id)?;
    let strange = gateway
        .decisions
        .decide(&["policies".to_owned(), key(&id)], async || {
            let latest = gateway.state.latest_policy(&id).await?;
            let version = latest.as_ref().map_or(0, |latest| latest.version) + 1;
            let policy = PublishedPolicy { id: id.clone(), version, text: text.clone() };
            let strange = policy.check()?;
            let command = PublishPolicy { id: id.clone(), text: text.clone(), sha256: policy.sha256() };
            together(&gateway, &caller, policy).await?;
            Ok::<_, ApiError>((command.decide(latest.as_ref(), gateway.context(&caller))?, strange))
        })
        .await?;
    gateway.rules_changed().await;
    let published = gateway.state.latest_policy(&id).await?;
    let published = published.ok_or_else(|| ApiError::Internal("a new policy is not there".to_owned()))?;
    let mut shown = json!(View::of(published));
    if let Some(members) = shown.as_object_mut() {
        members.insert("warnings".to_owned(), json!(strange));
    }
    Ok(HttpResponse::Ok().json(shown))
}

/// Withdraws a policy. It does not apply any more when this answers.
#[utoipa::path(delete, path = "/api/v1/policies/{id}", tag = "policies", params(("id" = String, Path, description = "Policy id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn withdraw(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    browser_only::not_by_hand(&id)?;
    gateway
        .decisions
        .decide(&["policies".to_owned(), key(&id)], async || {
            let latest = gateway.state.latest_policy(&id).await?.ok_or(Refusal::Unknown("policy"))?;
            Ok::<_, ApiError>((latest.withdraw(gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.rules_changed().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether a policy can stand beside the others, as they are now, and leaves its publisher the means to withdraw it.
async fn together(gateway: &Gateway, caller: &Caller, policy: PublishedPolicy) -> Result<(), ApiError> {
    let rules = gateway.authority.fresh(&gateway.state).await?;
    let mut published: Vec<PublishedPolicy> = rules.published().to_vec();
    published.retain(|other| other.id != policy.id);
    published.push(policy);
    let policies = PolicySet::new(&published, rules.custom())?;
    let (permission, resource) = (Permission::PoliciesWrite, Resource::Deployment);
    let stays = |principal| policies.allows(principal, permission, &resource, &caller.circumstances);
    if caller.principal.as_ref().is_some_and(stays) {
        return Ok(());
    }
    let detail = format!("it would take `{permission}` from you, and you could not withdraw it");
    Err(ApiError::Conflict(detail))
}

/// Policies or roles that are refused: what is wrong, and where.
impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        let findings: &[Finding] = match &error {
            PolicyError::BuiltIn(_) => return Self::Internal(error.to_string()),
            PolicyError::Invalid { findings, .. } => findings,
            _ => return Self::bad_request(error.to_string()),
        };
        let first = findings.first();
        let members = json!({
            "findings": findings,
            "line": first.and_then(|finding| finding.line),
            "column": first.and_then(|finding| finding.column),
        });
        Self::BadRequest { detail: error.to_string(), members: members.as_object().cloned().unwrap_or_default() }
    }
}

fn key(id: &str) -> String {
    format!("policy/{id}")
}

//! Caps, budgets over time and settings of an organization's quotas.

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::quotas::{BudgetSubject, CapKind, Period, QuotaSettings, UnknownCosts};
use chancery_domain::quotas::bounds::{ChangeSettings, SetBudget, SetCap};
use chancery_policy::{Permission, Resource};
use chancery_state::zone;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Longest id, in bytes.
const LONGEST: usize = 256;

/// A cap to be set, or lifted without a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapRequest {
    /// `organization_credits`, `group_credits`, `template_workspaces` or `template_workspaces_per_user`.
    bounds: String,
    /// Id of the group or template.
    subject_id: Option<String>,
    /// Most credits per day, or most workspaces.
    limit: Option<u64>,
}

/// A budget to be set, or lifted without credit-hours.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetRequest {
    /// `user`, `group` or `organization`.
    subject_kind: String,
    /// Id of the user or group.
    subject_id: Option<String>,
    /// `day` or `month`.
    period: String,
    /// Credit-hours of the period.
    credit_hours: Option<u64>,
    /// Whether nothing starts once it is used up, and what runs is stopped.
    #[serde(default)]
    hard: bool,
}

/// How an organization counts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsRequest {
    /// `allow` or `refuse` builds with resources whose costs nobody knows.
    unknown_costs: String,
    /// Time zone of its days and months, such as `Europe/Berlin`; UTC without.
    time_zone: Option<String>,
}

/// The caps of an organization.
#[utoipa::path(get, path = "/api/v1/organizations/{name}/quota-caps", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn caps(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    judged(&gateway, &caller, Permission::QuotasRead, &name).await?;
    let caps = gateway.state.quota_caps(&name).await?.into_iter();
    let shown =
        caps.map(|cap| json!({ "id": cap.id, "bounds": cap.bounds, "subject_id": cap.subject_id, "limit": cap.limit }));
    Ok(HttpResponse::Ok().json(json!({ "items": shown.collect::<Vec<Value>>() })))
}

/// Sets a cap of an organization, or lifts it.
#[utoipa::path(put, path = "/api/v1/organizations/{name}/quota-caps", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    request_body = CapRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_cap(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
    request: web::Json<CapRequest>,
) -> Result<HttpResponse, ApiError> {
    let writer = judged(&gateway, &caller, Permission::QuotasWrite, &name).await?;
    let CapRequest { bounds, subject_id, limit } = request.into_inner();
    let bounds = CapKind::from_name(&bounds).ok_or_else(|| {
        let names: Vec<&str> = CapKind::ALL.iter().map(|kind| kind.as_str()).collect();
        ApiError::bad_request(format!("`bounds` is one of {}", names.join(", ")))
    })?;
    let known = match (bounds, &subject_id) {
        (CapKind::GroupCredits, Some(id)) => group_in(&gateway, &name, id).await?,
        (CapKind::TemplateWorkspaces | CapKind::TemplateWorkspacesPerUser, Some(id)) => {
            let template = gateway.state.template(id).await?;
            template.is_some_and(|template| template.organization.as_ref() == Some(&*name))
        }
        _ => true,
    };
    if !known && limit.is_some() {
        return Err(Refusal::Unknown("subject in the organization").into());
    }
    let command = SetCap { organization: name.clone(), bounds, subject_id: identified(subject_id)?, limit };
    gateway.decisions.set_cap::<ApiError>(&command, || gateway.context(&writer)).await?;
    caps(gateway, caller, name).await
}

/// The budgets of an organization, and what is used of them.
#[utoipa::path(get, path = "/api/v1/organizations/{name}/quota-budgets", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn budgets(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    judged(&gateway, &caller, Permission::QuotasRead, &name).await?;
    let settings = gateway.state.quota_settings(&name).await?;
    let zone = zone(settings.time_zone.as_deref());
    let mut items = Vec::new();
    for budget in gateway.state.quota_budgets(&name).await? {
        let fact = gateway.state.budget_fact(&budget, &zone, gateway.now()).await?;
        items.push(json!({
            "id": budget.id, "subject_kind": budget.subject_kind, "subject_id": budget.subject_id,
            "period": budget.period, "credit_hours": budget.credit_hours, "hard": budget.hard,
            "since": fact.since, "used_thousandths": fact.used_thousandths, "spent": fact.is_spent(),
        }));
    }
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

/// Sets a budget of an organization, or lifts it.
#[utoipa::path(put, path = "/api/v1/organizations/{name}/quota-budgets", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    request_body = BudgetRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_budget(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
    request: web::Json<BudgetRequest>,
) -> Result<HttpResponse, ApiError> {
    let writer = judged(&gateway, &caller, Permission::QuotasWrite, &name).await?;
    let BudgetRequest { subject_kind, subject_id, period, credit_hours, hard } = request.into_inner();
    let subject_kind = BudgetSubject::from_name(&subject_kind)
        .ok_or_else(|| ApiError::bad_request("`subject_kind` is `user`, `group` or `organization`"))?;
    let period = Period::from_name(&period).ok_or_else(|| ApiError::bad_request("`period` is `day` or `month`"))?;
    let known = match (subject_kind, &subject_id) {
        (BudgetSubject::User, Some(id)) => gateway.state.user(id).await?.is_some(),
        (BudgetSubject::Group, Some(id)) => group_in(&gateway, &name, id).await?,
        _ => true,
    };
    if !known && credit_hours.is_some() {
        return Err(Refusal::Unknown("subject in the organization").into());
    }
    let command = SetBudget {
        organization: name.clone(),
        subject_kind,
        subject_id: identified(subject_id)?,
        period,
        credit_hours,
        hard,
    };
    gateway.decisions.set_budget::<ApiError>(&command, || gateway.context(&writer)).await?;
    budgets(gateway, caller, name).await
}

/// How an organization counts.
#[utoipa::path(get, path = "/api/v1/organizations/{name}/quota-settings", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn settings(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    judged(&gateway, &caller, Permission::QuotasRead, &name).await?;
    Ok(HttpResponse::Ok().json(gateway.state.quota_settings(&name).await?))
}

/// Changes how an organization counts.
#[utoipa::path(put, path = "/api/v1/organizations/{name}/quota-settings", tag = "quotas", params(("name" = String, Path, description = "Organization")),
    request_body = SettingsRequest, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_settings(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    name: web::Path<String>,
    request: web::Json<SettingsRequest>,
) -> Result<HttpResponse, ApiError> {
    let writer = judged(&gateway, &caller, Permission::QuotasWrite, &name).await?;
    let SettingsRequest { unknown_costs, time_zone } = request.into_inner();
    let unknown_costs = UnknownCosts::from_name(&unknown_costs)
        .ok_or_else(|| ApiError::bad_request("`unknown_costs` is `allow` or `refuse`"))?;
    if time_zone.as_deref().is_some_and(|name| jiff::tz::TimeZone::get(name).is_err()) {
        return Err(ApiError::bad_request("`time_zone` is no zone of the IANA database, such as `Europe/Berlin`"));
    }
    let command = ChangeSettings { organization: name.clone(), settings: QuotaSettings { time_zone, unknown_costs } };
    gateway.decisions.change_quota_settings::<ApiError>(&command, || gateway.context(&writer)).await?;
    Ok(HttpResponse::Ok().json(gateway.state.quota_settings(&name).await?))
}

/// The caller with what lets them; an organization that they see nothing of is not there.
async fn judged(
    gateway: &Gateway,
    caller: &Caller,
    permission: Permission,
    organization: &str,
) -> Result<Caller, ApiError> {
    let place = Resource::organization(organization);
    let there = gateway.state.organization(organization).await?.is_some();
    let seen = caller.may_at(Permission::QuotasRead, &place) || caller.may_at(Permission::QuotasWrite, &place);
    if !there || !seen {
        return Err(Refusal::Unknown("organization").into());
    }
    caller.judged_at(permission, &place)
}

async fn group_in(gateway: &Gateway, organization: &str, id: &str) -> Result<bool, ApiError> {
    let group = gateway.state.group(id).await?;
    Ok(group.is_some_and(|group| group.organization.as_deref() == Some(organization) && !group.deleted))
}

fn identified(id: Option<String>) -> Result<Option<String>, ApiError> {
    let is_id = |id: &String| !id.is_empty() && id.len() <= LONGEST && !id.contains(|c: char| c.is_control());
    match id {
        Some(id) if !is_id(&id) => Err(ApiError::bad_request("`subject_id` must be an id")),
        id => Ok(id),
    }
}

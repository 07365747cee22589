//! Quotas: what a user may use and uses, and what would be made of a build; [`bounds`] are set beside the allowances.

pub(crate) mod bounds;

use actix_web::{HttpResponse, web};
use chancery_domain::decision::Refusal;
use chancery_domain::events::workspaces::Transition;
use chancery_domain::workspaces::lifecycle::too_many;
use chancery_policy::{Permission, Resource};
use chancery_state::Subject;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::workspaces::{find, usable};

/// What is asked about: a workspace that is there, or a template that one would be made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRequest {
    /// Id of a workspace.
    workspace: Option<String>,
    /// Id or name of a template.
    template: Option<String>,
    /// User id of who would have it; yourself without.
    owner: Option<String>,
    /// Credits per day; what the template declares, without.
    cost: Option<u32>,
}

/// Tells what would be made of a start: every sum, and the answer. Nothing changes.
#[utoipa::path(post, path = "/api/v1/quota/check", tag = "quotas", request_body = CheckRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn check(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<CheckRequest>,
) -> Result<HttpResponse, ApiError> {
    let CheckRequest { workspace, template, owner, cost } = request.into_inner();
    let (id, organization, owner, declared, template_id) = match (workspace, template) {
        (Some(id), None) => {
            let found = find(&gateway, &caller, &id).await?;
            let template = match &found.template_id {
                Some(template) => gateway.state.template(template).await?,
                None => None,
            };
            let declared = template.and_then(|template| template.settings.daily_cost);
            (id, found.organization, found.owner_id, declared, None)
        }
        (None, Some(named)) => {
            let (template, _) = usable(&gateway, &caller, &named).await?;
            let owner = owner.or_else(|| caller.user_id().map(str::to_owned));
            let template_id = Some(template.id.clone());
            (String::new(), template.organization, owner, template.settings.daily_cost, template_id)
        }
        _ => return Err(ApiError::bad_request("name a `workspace` or a `template`")),
    };
    let owner = owner.ok_or_else(|| ApiError::bad_request("`owner` must be the id of a user"))?;
    let organization = organization.unwrap_or_default();
    readable(&caller, &organization, &owner)?;
    let cost = cost.or(declared);
    let cost = cost.ok_or_else(|| ApiError::bad_request("the template declares no cost: give the `cost`"))?;
    let subject = Subject {
        organization: &organization,
        user: &owner,
        user_name: None,
        workspace: &id,
        template: template_id.as_deref(),
    };
    let facts = gateway.state.quota_facts(subject, gateway.now()).await?;
    let mut judged = facts.judge(Transition::Start, u64::from(cost), &[]);
    if let Some(cap) = facts.caps.iter().find(|cap| cap.is_full()) {
        judged.allowed = false;
        judged.reason = Some(too_many(cap));
    }
    Ok(HttpResponse::Ok().json(judged))
}

/// What a user may use in an organization, and uses: by group, workspace, cap and budget.
#[utoipa::path(get, path = "/api/v1/organizations/{name}/members/{user}/quota", tag = "quotas",
    params(("name" = String, Path, description = "Organization"), ("user" = String, Path, description = "User id, or `me`")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (organization, user) = path.into_inner();
    let user = if user == "me" { caller.user_id().unwrap_or_default().to_owned() } else { user };
    readable(&caller, &organization, &user)?;
    let unknown = || ApiError::from(Refusal::Unknown("user in the organization"));
    let found = gateway.state.user(&user).await?.ok_or_else(unknown)?;
    gateway.state.organization(&organization).await?.ok_or_else(unknown)?;
    let subject = Subject {
        organization: &organization,
        user: &user,
        user_name: Some(&found.username),
        workspace: "",
        template: None,
    };
    let facts = gateway.state.quota_facts(subject, gateway.now()).await?;
    let judged = facts.judge(Transition::Stop, 0, &[]);
    let rows = gateway.state.ledger(&organization, &user).await?;
    let workspaces: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.workspace_id, "name": row.workspace_name, "template": row.template_name,
                "counted": row.entry.counted(), "committed": row.entry.committed, "reserved": row.entry.reserved,
                "running": row.entry.running, "unknown": row.unknown,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "organization": organization,
        "user": { "id": user, "username": found.username },
        "enforced": judged.enforced,
        "allowance": judged.allowance,
        "consumed": judged.consumed,
        "remaining": judged.enforced.then(|| judged.allowance.saturating_sub(judged.consumed)),
        "groups": judged.allowances,
        "workspaces": workspaces,
        "caps": judged.caps,
        "budgets": judged.budgets,
    })))
}

/// Who may see a user's workspaces in an organization, or its quotas, sees the user's quota there.
fn readable(caller: &Caller, organization: &str, user: &str) -> Result<(), ApiError> {
    let theirs = Resource::Workspace {
        id: String::new(),
        organization: Some(organization.to_owned()),
        owner: Some(user.to_owned()),
        template: None,
    };
    let allowed = caller.may_at(Permission::WorkspacesRead, &theirs)
        || caller.may_at(Permission::QuotasRead, &Resource::organization(organization));
    if allowed { Ok(()) } else { Err(Refusal::Unknown("user in the organization").into()) }
}

//! Browser-only mode: a setting that is kept as one, and in force as a policy.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use chancery_domain::browser_only::SetBrowserOnly;
use chancery_domain::events::sessions::SessionKind;
use chancery_domain::sessions::LiveSession;
use chancery_policy::{BROWSER_ONLY, BrowserOnly, Exempt, Permission, PolicySet, PublishedPolicy};
use chancery_state::Whose;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::sessions::judge::Bench;

/// Section of the settings.
pub(crate) const SECTION: &str = "browser_only";
/// Most names in one list.
const MOST: usize = 200;
/// Most sessions that end in the decision itself; the rest ends right after it.
const MOST_AT_ONCE: usize = 2000;

/// Where browser-only mode is on, and for whom it is not.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrowserOnlyRequest {
    /// Everywhere.
    #[serde(default)]
    deployment: bool,
    /// For workspaces in these organizations, by name.
    #[serde(default)]
    organizations: BTreeSet<String>,
    /// For workspaces made from these templates, by id.
    #[serde(default)]
    templates: BTreeSet<String>,
    /// For members of these groups, by id.
    #[serde(default)]
    groups: BTreeSet<String>,
    /// The kinds of session that count as browser; `terminal`, `web_ide` and `jupyter` without.
    browser_kinds: Option<BTreeSet<String>>,
    /// Who is exempt.
    #[serde(default)]
    except: ExemptRequest,
}

/// Who is exempt from browser-only mode. Nobody is by their role alone: roles count only if they are named here.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExemptRequest {
    /// User ids.
    #[serde(default)]
    users: BTreeSet<String>,
    /// Group ids.
    #[serde(default)]
    groups: BTreeSet<String>,
    /// Role names.
    #[serde(default)]
    roles: BTreeSet<String>,
}

impl BrowserOnlyRequest {
    fn read(self) -> BrowserOnly {
        let Self { deployment, organizations, templates, groups, browser_kinds, except } = self;
        let ExemptRequest { users, groups: exempt, roles } = except;
        BrowserOnly {
            deployment,
            organizations,
            templates,
            groups,
            browser_kinds: browser_kinds.unwrap_or(BrowserOnly::default().browser_kinds),
            except: Exempt { users, groups: exempt, roles },
        }
    }
}

/// Where browser-only mode is on.
#[utoipa::path(get, path = "/api/v1/browser-only", tag = "policies", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn show(gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&gateway).await?))
}

/// Turns browser-only mode on or off: for the deployment, organizations, templates and groups. It is the policy
/// `browser-only` from then on, and open sessions that it forbids have ended when this answers.
#[utoipa::path(put, path = "/api/v1/browser-only", tag = "policies", request_body = BrowserOnlyRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<BrowserOnlyRequest>,
) -> Result<HttpResponse, ApiError> {
    let settings = request.into_inner().read();
    check(&gateway, &settings).await?;
    let text = settings.to_cedar();
    let keys = ["policies".to_owned(), format!("policy/{BROWSER_ONLY}"), format!("settings/{SECTION}")];
    gateway
        .decisions
        .decide(&keys, async || {
            let latest = gateway.state.latest_policy(BROWSER_ONLY).await?;
            let version = latest.as_ref().map_or(0, |latest| latest.version) + 1;
            let policy = PublishedPolicy { id: BROWSER_ONLY.to_owned(), version, text: text.clone() };
            let old = gateway.state.settings(SECTION).await?.unwrap_or_else(|| json!(BrowserOnly::default()));
            let ending = ending(&gateway, &settings, &policy).await?;
            let command = SetBrowserOnly {
                old,
                new: json!(settings),
                text: text.clone(),
                sha256: policy.sha256(),
                ending: &ending,
            };
            Ok::<_, ApiError>((command.decide(latest.as_ref(), gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.rules_changed().await;
    Ok(HttpResponse::Ok().json(view(&gateway).await?))
}

async fn view(gateway: &Gateway) -> Result<Value, ApiError> {
    let settings = gateway.state.settings(SECTION).await?.unwrap_or_else(|| json!(BrowserOnly::default()));
    let policy = gateway.state.latest_policy(BROWSER_ONLY).await?.filter(|policy| policy.withdrawn_at.is_none());
    let mut shown = settings;
    if let Some(members) = shown.as_object_mut() {
        let policy = policy.map(|policy| json!({ "id": policy.id, "version": policy.version, "text": policy.text }));
        members.insert("policy".to_owned(), json!(policy));
    }
    Ok(shown)
}

/// The sessions that may not go on with the new policy beside the others, each with the reason.
async fn ending(
    gateway: &Gateway,
    settings: &BrowserOnly,
    policy: &PublishedPolicy,
) -> Result<Vec<(LiveSession, String)>, ApiError> {
    if !settings.is_on() {
        return Ok(Vec::new());
    }
    let rules = gateway.authority.fresh(&gateway.state).await?;
    let mut published: Vec<PublishedPolicy> = rules.published().to_vec();
    published.retain(|other| other.id != policy.id);
    published.push(policy.clone());
    let policies = PolicySet::new(&published, rules.custom())?;
    let bench = Bench { policies: &policies, browser_kinds: &settings.browser_kinds, forbids: true };
    let mut ending = Vec::new();
    for session in gateway.state.live_sessions(&Whose::All, gateway.now()).await? {
        if ending.len() >= MOST_AT_ONCE {
            break;
        }
        // What else may not go on is not this decision's.
        let verdict = gateway
            .judge_live(bench, &session)
            .await?
            .filter(|verdict| verdict.policies.iter().any(|policy| policy.id == BROWSER_ONLY));
        ending.extend(verdict.and_then(|verdict| verdict.refusal).map(|reason| (session, reason)));
    }
    Ok(ending)
}

/// What is named must be there, and be of bounded number.
async fn check(gateway: &Gateway, settings: &BrowserOnly) -> Result<(), ApiError> {
    let BrowserOnly { organizations, templates, groups, browser_kinds, except, .. } = settings;
    let lists = [organizations, templates, groups, browser_kinds, &except.users, &except.groups, &except.roles];
    if lists.iter().any(|list| list.len() > MOST) {
        return Err(ApiError::bad_request(format!("a list has at most {MOST} names")));
    }
    let unknown = |what: &str, name: &str| Err(ApiError::bad_request(format!("there is no {what} `{name}`")));
    if let Some(kind) = browser_kinds.iter().find(|kind| SessionKind::from_name(kind).is_none()) {
        return unknown("kind of session", kind);
    }
    let known = gateway.state.organizations().await?;
    if let Some(name) = organizations.iter().find(|name| !known.iter().any(|known| known.name == **name)) {
        return unknown("organization", name);
    }
    for id in templates {
        if gateway.state.template(id).await?.is_none() {
            return unknown("template", id);
        }
    }
    for id in groups.union(&except.groups) {
        if gateway.state.group(id).await?.is_none_or(|group| group.deleted) {
            return unknown("group", id);
        }
    }
    for id in &except.users {
        if gateway.state.user(id).await?.is_none() {
            return unknown("user", id);
        }
    }
    let rules = gateway.authority.rules(&gateway.state).await?;
    if let Some(role) = except.roles.iter().find(|role| rules.policies.permissions_of(role, None).is_err()) {
        return unknown("role", role);
    }
    Ok(())
}

/// Refuses to touch by hand the policy that the setting writes.
pub(crate) fn not_by_hand(id: &str) -> Result<(), ApiError> {
    if id == BROWSER_ONLY {
        let detail = format!(
            "`{BROWSER_ONLY}` is written by PUT /api/v1/browser-only, which needs `{}`",
            Permission::SettingsWrite
        );
        return Err(ApiError::Conflict(detail));
    }
    Ok(())
}

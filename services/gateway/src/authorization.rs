//! Who a request is made by, and whether they may: every operation is judged by the policies, and what nothing permits is
//! refused.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_domain::directory::{DirectoryUser, HeldRole, UserStatus};
use chancery_domain::events::tokens::{OwnerKind, TokenKind};
use chancery_domain::tokens::Token;
use chancery_domain::{Actor, ActorKind, PolicyReference};
use chancery_policy::{
    Access, Bearer, BrowserOnly, Context, CustomRole, Decision, Grant, Permission, PolicySet, Principal,
    PublishedPolicy, Reach, Request, Resource, Scope, Template, User, Visible,
};
use chancery_state::State;

use crate::browser_only;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::sessions::judge::Bench;

/// How long policies, roles and organizations are believed that another node may have changed.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long what is known applies while the state cannot be reached, before it is asked again.
const UNREACHABLE: Duration = Duration::from_secs(10);

/// What requests are judged by.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) policies: PolicySet,
    /// Names of all organizations.
    pub(crate) organizations: Vec<String>,
    published: Vec<PublishedPolicy>,
    custom: Vec<CustomRole>,
    /// Kinds of session that count as browser.
    browser_kinds: BTreeSet<String>,
}

/// The rules in force, as they were a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    known: Mutex<Option<(Instant, Arc<Rules>)>>,
    /// How often they were forgotten: what was read before the last time is not kept.
    forgotten: AtomicU64,
}

impl Authority {
    /// The rules in force.
    pub(crate) async fn rules(&self, state: &State) -> Result<Arc<Rules>, ApiError> {
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((until, rules)) = &known
            && Instant::now() < *until
        {
            return Ok(rules.clone());
        }
        let reading = Instant::now();
        let known = known.map(|(_, rules)| rules);
        let (until, rules) = match (read(state, known.clone()).await, known) {
            (Ok(rules), _) => (reading + BELIEVED, rules),
            // Where the state cannot be reached nobody can have changed them.
            (Err(ApiError::Unavailable(reason)), Some(rules)) => {
                tracing::warn!(reason, "the rules cannot be read; those known apply");
                (Instant::now() + UNREACHABLE, rules)
            }
            (Err(error), _) => return Err(error),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::SeqCst) == forgotten {
            *known = Some((until, rules.clone()));
        }
        Ok(rules)
    }

    /// The rules in force right now.
    pub(crate) async fn fresh(&self, state: &State) -> Result<Arc<Rules>, ApiError> {
        self.forget();
        self.rules(state).await
    }

    /// Has the rules read again, after this node changed them.
    fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        known.take();
    }
}

/// Reads the rules; those known, if they are the same.
async fn read(state: &State, known: Option<Arc<Rules>>) -> Result<Arc<Rules>, ApiError> {
    let (published, custom) = (published(state).await?, custom(state).await?);
    let browser_kinds = browser_kinds(state).await?;
    let organizations: Vec<String> =
        state.organizations().await?.into_iter().map(|organization| organization.name).collect();
    let same = |rules: &Arc<Rules>| {
        rules.published == published
            && rules.custom == custom
            && rules.organizations == organizations
            && rules.browser_kinds == browser_kinds
    };
    if let Some(rules) = known.filter(same) {
        return Ok(rules);
    }
    let policies = PolicySet::new(&published, &custom)
        .map_err(|error| ApiError::Internal(format!("the policies in force: {error}")))?;
    Ok(Arc::new(Rules { policies, organizations, published, custom, browser_kinds }))
}

impl Gateway {
    /// After policies, roles or organizations were changed: they are in force everywhere when this returns.
    pub(crate) async fn rules_changed(&self) {
        self.authority.forget();
        self.decisions.disbelieved().await;
    }
}

impl Rules {
    /// The published policies in force.
    pub(crate) fn published(&self) -> &[PublishedPolicy] {
        &self.published
    }

    /// What connections to workspaces are judged by.
    pub(crate) fn bench(&self) -> Bench<'_> {
        Bench { policies: &self.policies, browser_kinds: &self.browser_kinds, forbids: !self.published.is_empty() }
    }

    /// The custom roles.
    pub(crate) fn custom(&self) -> &[CustomRole] {
        &self.custom
    }

    /// Whether there is a custom role of this name.
    pub(crate) fn has_custom(&self, name: &str) -> bool {
        self.custom.iter().any(|role| role.name == name)
    }

    /// Judges whether a principal may use a permission at all, and where.
    pub(crate) fn judge(
        &self,
        principal: &Principal,
        permission: Permission,
        context: &Context,
    ) -> (Decision, Visible) {
        let at = match (permission, principal) {
            // Of one's own.
            (Permission::OwnTokensWrite | Permission::TokensRead, Principal::User(user)) => Resource::Token {
                id: String::new(),
                owner: Some(user.id.clone()),
                scopes: context.scopes.clone().unwrap_or_default(),
            },
            _ => Resource::Deployment,
        };
        let request = Request { principal, permission, resource: &at, context };
        let decision = self.policies.evaluate(&request);
        if permission.reach() == Reach::Deployment {
            let visible = if decision.allowed { Visible::All } else { Visible::Only(BTreeSet::new()) };
            return (decision, visible);
        }
        if decision.allowed && self.published.is_empty() {
            return (decision, Visible::All);
        }
        let mut all: BTreeSet<String> = self.organizations.iter().cloned().collect();
        if let Principal::User(user) = principal {
            all.extend(user.grants.iter().filter_map(|grant| grant.organization.clone()));
        }
        let all: Vec<String> = all.into_iter().collect();
        let visible = self.policies.organizations(principal, permission, context, &all);
        let Visible::Only(shown) = &visible else { return (decision, visible) };
        let Some(first) = shown.first() else { return (decision, visible) };
        let resource = Resource::organization(first);
        let decision = self.policies.evaluate(&Request { resource: &resource, ..request });
        (decision, visible)
    }
}

async fn published(state: &State) -> Result<Vec<PublishedPolicy>, ApiError> {
    let active = state.active_policies().await?.into_iter();
    Ok(active.map(|policy| PublishedPolicy { id: policy.id, version: policy.version, text: policy.text }).collect())
}

async fn browser_kinds(state: &State) -> Result<BTreeSet<String>, ApiError> {
    let settings = state.settings(browser_only::SECTION).await?;
    let settings: Option<BrowserOnly> = settings.and_then(|settings| serde_json::from_value(settings).ok());
    Ok(settings.unwrap_or_default().browser_kinds)
}

async fn custom(state: &State) -> Result<Vec<CustomRole>, ApiError> {
    let custom = state.custom_roles().await?.into_iter();
    let roles = custom.map(|role| CustomRole {
        name: role.name,
        // A permission this version does not know allows nothing.
        permissions: role.permissions.iter().filter_map(|name| Permission::parse(name)).collect(),
        version: role.version,
    });
    Ok(roles.collect())
}

/// A user with the roles and groups that count for what they may do.
pub(crate) async fn user(state: &State, user: &DirectoryUser) -> Result<User, ApiError> {
    let held = state.roles(&user.id).await?;
    let memberships = state.memberships(&user.id).await?;
    Ok(User {
        id: user.id.clone(),
        grants: held.into_iter().map(grant).collect(),
        groups: memberships.into_iter().map(|membership| membership.group_id).collect(),
    })
}

fn grant(held: HeldRole) -> Grant {
    Grant { role: held.role.role, organization: held.role.organization }
}

/// Who a token stands for: its principal, and how they are named in events. A user who is suspended is nobody.
pub(crate) async fn principal(state: &State, token: &Token, anonymous: &Actor) -> Result<(Principal, Actor), ApiError> {
    let scopes: BTreeSet<Scope> = token.scopes.iter().filter_map(|scope| Scope::parse(scope.as_str())).collect();
    let bearer = |id: &str| Bearer { id: id.to_owned(), scopes: scopes.clone() };
    let named =
        |kind: ActorKind, id: &str, name: Option<String>| Actor { id: id.to_owned(), kind, name, ..anonymous.clone() };
    match &token.owner {
        None => {
            let actor = named(ActorKind::Service, &token.id, Some(token.name.clone()));
            Ok((Principal::Token(bearer(&token.id)), actor))
        }
        Some(owner) if owner.kind == OwnerKind::Connection => {
            let actor = named(ActorKind::Idp, &owner.id, owner.name.clone());
            Ok((Principal::Connection(bearer(&owner.id)), actor))
        }
        Some(owner) => {
            let found = state.user(&owner.id).await?.filter(|user| user.status == UserStatus::Active);
            let gone = || ApiError::Unauthenticated("the token is not valid: its owner has no access".to_owned());
            let found = found.ok_or_else(gone)?;
            let user = user(state, &found).await?;
            let actor = Actor {
                email: found.email.clone(),
                groups: user.groups.iter().cloned().collect(),
                roles: user.grants.iter().map(shown).collect(),
                session: Some(token.id.clone()),
                ..named(ActorKind::User, &found.id, Some(found.username.clone()))
            };
            Ok((Principal::User(user), actor))
        }
    }
}

/// Something that was given to a user as far as it can be, as a permission is about.
fn given_to(user: &str, permission: Permission, organization: Option<String>) -> Resource {
    match permission.area() {
        "templates" => {
            let admins = Access { users: BTreeSet::from([user.to_owned()]), ..Access::default() };
            Resource::Template(Template { id: String::new(), organization, users: Access::default(), admins })
        }
        "workspaces" | "sessions" => {
            Resource::Workspace { id: String::new(), organization, owner: Some(user.to_owned()), template: None }
        }
        _ => organization.map_or(Resource::Deployment, Resource::organization),
    }
}

/// A role as events name it: `auditor`, or `acme/auditor` where it is limited to an organization.
fn shown(grant: &Grant) -> String {
    match &grant.organization {
        Some(organization) => format!("{organization}/{}", grant.role),
        None => grant.role.clone(),
    }
}

/// The circumstances of a request with a token.
pub(crate) fn circumstances(token: &Token, actor: &Actor, now_micros: i64) -> Context {
    let limited = token.owner.is_some() && token.kind != TokenKind::Session;
    let scopes = token.scopes.iter().filter_map(|scope| Scope::parse(scope.as_str())).collect();
    Context {
        scopes: limited.then_some(scopes),
        address: actor.ip,
        time: jiff::Timestamp::from_microsecond(now_micros).ok(),
        session: None,
    }
}

/// The policies that determined a decision, as events name them.
pub(crate) fn references(decision: &Decision) -> Vec<PolicyReference> {
    let policies = decision.policies.iter();
    policies.map(|policy| PolicyReference { id: policy.id.to_string(), version: policy.version }).collect()
}

/// The policy that forbids what no scope of a token covers.
const SCOPES: &str = "builtin:scopes";

impl Caller {
    /// The user who asks, if it is one.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match &self.principal {
            Some(Principal::User(user)) => Some(&user.id),
            _ => None,
        }
    }

    /// Whether they have a permission in the whole deployment.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.may_at(permission, &Resource::Deployment)
    }

    /// Whether they have a permission for a resource.
    pub(crate) fn may_at(&self, permission: Permission, resource: &Resource) -> bool {
        let (Some(rules), Some(principal)) = (&self.rules, &self.principal) else { return false };
        rules.policies.allows(principal, permission, resource, &self.circumstances)
    }

    /// Whether the token's scopes cover what the policies were asked about, whatever else they say.
    pub(crate) fn is_in_scope(&self) -> bool {
        !self.policies.iter().any(|policy| policy.id == SCOPES)
    }

    /// Whether they could have one of these permissions for something that is given to them: of what they are given, or
    /// own, each is judged on its own.
    pub(crate) fn could(&self, permissions: &[Permission]) -> bool {
        let Some(rules) = &self.rules else { return false };
        let organizations = || rules.organizations.iter().cloned().map(Some).chain([None]);
        permissions.iter().any(|permission| match &self.principal {
            Some(Principal::User(user)) => organizations()
                .any(|organization| self.may_at(*permission, &given_to(&user.id, *permission, organization))),
            Some(_) => self.may(*permission),
            None => false,
        })
    }

    /// The same caller with the policies that let them use a permission on a resource; refused if none does.
    pub(crate) fn judged_at(&self, permission: Permission, resource: &Resource) -> Result<Self, ApiError> {
        let nothing = || ApiError::Forbidden(format!("nothing permits you `{permission}` there"));
        let (Some(rules), Some(principal)) = (&self.rules, &self.principal) else { return Err(nothing()) };
        let request = Request { principal, permission, resource, context: &self.circumstances };
        let decision = rules.policies.evaluate(&request);
        if !decision.allowed {
            return Err(nothing());
        }
        Ok(Self { policies: references(&decision), ..self.clone() })
    }

    /// A token gives no more than the one it is made with: what that one's scopes do not cover is refused.
    pub(crate) fn covers(&self, scopes: &BTreeSet<chancery_domain::tokens::Scope>) -> Result<(), ApiError> {
        use chancery_domain::tokens::Scope;
        let limited = self.token.as_ref().filter(|token| token.kind != TokenKind::Session);
        let beyond = |has: &BTreeSet<Scope>| !has.contains(&Scope::Admin) && !scopes.is_subset(has);
        match limited {
            Some(token) if beyond(&token.scopes) => {
                Err(ApiError::Forbidden("a token cannot make one that may do more than itself".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether they may see what is in all of these organizations; what is in none is the whole deployment's.
    pub(crate) fn sees_all(&self, organizations: &[String]) -> bool {
        if organizations.is_empty() {
            return self.visible.includes(None);
        }
        organizations.iter().all(|organization| self.visible.includes(Some(organization)))
    }

    /// What of the audit trail they may see.
    pub(crate) fn visibility(&self) -> chancery_lake::Visibility {
        use chancery_lake::Visibility;
        match &self.visible {
            Visible::All => Visibility::All,
            Visible::Only(shown) => Visibility::Organizations(shown.clone()),
            // What is in no organization is left out, too: it may concern a hidden one.
            Visible::AllBut(hidden) => Visibility::Organizations(
                self.rules
                    .iter()
                    .flat_map(|rules| &rules.organizations)
                    .filter(|name| !hidden.contains(*name))
                    .cloned()
                    .collect(),
            ),
        }
    }
}

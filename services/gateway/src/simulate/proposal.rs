//! What other policies would have changed among the requests of the last days.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chancery_domain::events::tokens::TokenKind;
use chancery_domain::tokens::Token;
use chancery_domain::{ActorKind, Event, OWN_SOURCE};
use chancery_policy::{
    Bearer, Context, CustomRole, Grant, Permission, PolicySet, Principal, PublishedPolicy, Reach, RecordedRequest,
    Resource, Scope, User, compare, permission_of,
};
use serde_json::{Value, json};

use super::{Proposed, aside, read};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::templates::resource as given;

/// How many templates are read at once.
const TEMPLATES: usize = 500;
/// How far back it is looked.
const DAYS: u32 = 30;
/// Most requests that are looked at, the newest.
const MOST_REQUESTS: u64 = 200_000;

/// Answers recorded requests with the policies in force and with those that would be; and how many there were.
pub(super) async fn would_change(
    gateway: &Gateway,
    proposed: Vec<Proposed>,
    defined: Vec<CustomRole>,
) -> Result<(Value, u64), ApiError> {
    let rules = gateway.authority.rules(&gateway.state).await?;
    let published = beside(rules.published(), proposed);
    let mut custom = rules.custom().to_vec();
    custom.retain(|role| !defined.iter().any(|other| other.name == role.name));
    custom.extend(defined);
    let new = PolicySet::new(&published, &custom)?;
    let mut warnings = Vec::new();
    for policy in published.iter().filter(|policy| !rules.published().contains(policy)) {
        warnings.extend(policy.check()?);
    }
    // Requests of different moments are equal where no policy asks for the time.
    let timed = published.iter().chain(rules.published()).any(|policy| policy.text.contains("time"));
    let (requests, complete) = recorded(gateway, timed).await?;
    let comparison = aside(move || compare(&rules.policies, &new, requests.into_iter())).await?;
    let rows = comparison.requests;
    let mut answer = json!(comparison);
    if let Some(members) = answer.as_object_mut() {
        members.insert("days".to_owned(), DAYS.into());
        members.insert("complete".to_owned(), complete.into());
        members.insert("warnings".to_owned(), json!(warnings));
    }
    Ok((answer, rows))
}

/// The policies in force with those that would be published.
fn beside(present: &[PublishedPolicy], proposed: Vec<Proposed>) -> Vec<PublishedPolicy> {
    let mut policies = present.to_vec();
    for (index, proposed) in proposed.into_iter().enumerate() {
        let (id, text) = match proposed {
            Proposed::Text(text) => (format!("proposed-{}", index + 1), text),
            Proposed::Named { id, text } => (id, text),
        };
        let version = policies.iter().find(|policy| policy.id == id).map_or(0, |policy| policy.version) + 1;
        policies.retain(|policy| policy.id != id);
        policies.push(PublishedPolicy { id, version, text });
    }
    policies
}

/// What events name: tokens, and templates with those to whom they are given now.
type Known<'a> = (&'a BTreeMap<String, Token>, &'a BTreeMap<String, Resource>);

/// Every template as it is given now.
async fn templates(gateway: &Gateway) -> Result<BTreeMap<String, Resource>, ApiError> {
    let mut all = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = gateway.state.templates(after.as_deref(), TEMPLATES, true).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id.clone());
        let ids: Vec<String> = page.iter().map(|template| template.id.clone()).collect();
        let access = gateway.state.access_to_templates(&ids).await?;
        let nobody = Vec::new();
        for template in page {
            let grants = access.get(&template.id).unwrap_or(&nobody);
            all.insert(template.id.clone(), given::resource(&template, grants));
        }
    }
}

/// What makes two requests equal.
type Question = (Principal, Permission, Resource, Option<BTreeSet<Scope>>, Option<IpAddr>, Option<jiff::Timestamp>);

/// The requests that are on record, and whether these are all of them.
async fn recorded(gateway: &Gateway, timed: bool) -> Result<(Vec<RecordedRequest>, bool), ApiError> {
    let tokens: BTreeMap<String, Token> =
        gateway.state.tokens().await?.into_iter().map(|token| (token.id.clone(), token)).collect();
    let templates = templates(gateway).await?;
    let mut questions: BTreeMap<Question, u64> = BTreeMap::new();
    let (mut number, mut complete) = (0, true);
    // What another event has caused was not asked for.
    let filter = format!("source:\"{OWN_SOURCE}\" actor.kind:(user, service) time:-{DAYS}d -causation:*");
    read(gateway, &filter, false, |_, event| {
        let Ok(event) = serde_json::from_str::<Event>(event) else { return Ok(true) };
        let Some(question) = question(&event, (&tokens, &templates), timed) else { return Ok(true) };
        if number == MOST_REQUESTS {
            complete = false;
            return Ok(false);
        }
        number += 1;
        *questions.entry(question).or_default() += 1;
        Ok(true)
    })
    .await?;
    let requests = questions.into_iter().map(|((principal, permission, resource, scopes, address, time), count)| {
        RecordedRequest {
            principal,
            permission,
            resource,
            context: Context { scopes, address, time, session: None },
            count,
        }
    });
    Ok((requests.collect(), complete))
}

/// The request that an event is the record of, if it is one, with what its actor had at the time.
fn question(event: &Event, (tokens, templates): Known<'_>, timed: bool) -> Option<Question> {
    let actor = &event.actor;
    let permission = match event.event_type.as_str() {
        "token.refused" => Permission::parse(event.data.get("needed")?.as_str()?)?,
        event_type => permission_of(event_type)?,
    };
    if actor.id.is_empty() {
        return None;
    }
    let (principal, scopes) = match actor.kind {
        ActorKind::User => {
            let user = User {
                id: actor.id.clone(),
                grants: actor.roles.iter().map(|role| grant(role)).collect(),
                groups: actor.groups.iter().cloned().collect(),
            };
            let token = actor.session.as_ref().and_then(|session| tokens.get(session));
            let limited = token.filter(|token| token.kind != TokenKind::Session);
            (Principal::User(user), limited.map(scopes_of))
        }
        _ => (Principal::Token(Bearer { id: actor.id.clone(), scopes: scopes_of(tokens.get(&actor.id)?) }), None),
    };
    let time = if timed { jiff::Timestamp::from_microsecond(event.occurred_at.as_micros()).ok() } else { None };
    let (permission, resource) = asked(event, permission, (tokens, templates), scopes.as_ref());
    Some((principal, permission, resource, scopes, actor.ip, time))
}

/// What was asked for, as the API judges it.
fn asked(
    event: &Event,
    permission: Permission,
    (tokens, templates): Known<'_>,
    scopes: Option<&BTreeSet<Scope>>,
) -> (Permission, Resource) {
    let is_person = event.actor.kind == ActorKind::User;
    let owner = tokens.get(&event.resource.id).and_then(|token| token.owner.as_ref());
    let own = permission == Permission::TokensWrite && owner.is_some_and(|owner| owner.id == event.actor.id);
    if is_person && (own || permission == Permission::OwnTokensWrite) {
        let (owner, scopes) = (Some(event.actor.id.clone()), scopes.cloned().unwrap_or_default());
        return (Permission::OwnTokensWrite, Resource::Token { id: String::new(), owner, scopes });
    }
    if permission.area() == "templates"
        && event.event_type != "template.created"
        && let Some(template) = templates.get(&event.resource.id)
    {
        return (permission, template.clone());
    }
    match &event.organization {
        Some(name) if permission.reach() == Reach::Organization => (permission, Resource::organization(name)),
        _ => (permission, Resource::Deployment),
    }
}

/// A role as events name it: `auditor`, or `acme/auditor` where it is limited to an organization.
fn grant(shown: &str) -> Grant {
    match shown.rsplit_once('/') {
        Some((organization, role)) => Grant { role: role.to_owned(), organization: Some(organization.to_owned()) },
        None => Grant { role: shown.to_owned(), organization: None },
    }
}

fn scopes_of(token: &Token) -> BTreeSet<Scope> {
    token.scopes.iter().filter_map(|scope| Scope::parse(scope.as_str())).collect()
}

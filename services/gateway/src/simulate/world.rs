//! Who there is, with what was given to them, and who of them could do something.

use std::collections::BTreeMap;

use chancery_domain::Timestamp;
use chancery_domain::events::tokens::{OwnerKind, TokenOwner};
use chancery_log::{Frontier, Log};
use chancery_policy::{
    Bearer, Context, CustomRole, Grant, Permission, PolicySet, Principal, PublishedPolicy, Resource, Scope, Template,
    User, who_can,
};
use chancery_state::Person;
use serde_json::{Value, json};

use super::{aside, past};
use crate::error::ApiError;
use crate::gateway::Gateway;

/// Most users that are asked about.
const MOST_USERS: usize = 200_000;
/// Most that are named in an answer; all are counted.
const MOST_NAMED: usize = 10_000;

/// Principals with their names, and the rules that they are judged by.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) principals: Vec<(Principal, Option<String>)>,
    pub(super) published: Vec<PublishedPolicy>,
    pub(super) custom: Vec<CustomRole>,
}

/// Who could use a permission on a resource, and how many principals were looked at.
pub(super) async fn who_could(
    gateway: &Gateway,
    permission: Permission,
    mut resource: Resource,
    at: Option<&Value>,
) -> Result<(Value, u64), ApiError> {
    let (world, position) = match at {
        None => {
            resource = given(gateway, resource).await?;
            (now(gateway).await?, gateway.state.applied().to_string())
        }
        Some(at) => {
            let at = frontier(&gateway.log, at)?;
            (past::world(gateway, &at).await?, at.to_string())
        }
    };
    let asked = world.principals.len() as u64;
    aside(move || holders(&world, permission, &resource, &position)).await?.map(|answer| (answer, asked))
}

fn holders(world: &World, permission: Permission, resource: &Resource, position: &str) -> Result<Value, ApiError> {
    let policies = PolicySet::new(&world.published, &world.custom)?;
    let names: BTreeMap<(&str, &str), &str> = world
        .principals
        .iter()
        .filter_map(|(principal, name)| Some(((principal.kind(), principal.id()), name.as_deref()?)))
        .collect();
    let principals = world.principals.iter().map(|(principal, _)| principal);
    let holders = who_can(&policies, principals, permission, resource, &Context::default());
    let shown: Vec<Value> = holders
        .iter()
        .take(MOST_NAMED)
        .map(|holder| {
            let (kind, id) = (holder.principal.kind(), holder.principal.id());
            json!({ "kind": kind, "id": id, "name": names.get(&(kind, id)), "policies": holder.policies })
        })
        .collect();
    Ok(json!({
        "permission": permission, "resource": resource.to_string(), "position": position, "count": holders.len(),
        "holders": shown,
    }))
}

/// A template that is asked about by its id alone, with those to whom it is given.
async fn given(gateway: &Gateway, resource: Resource) -> Result<Resource, ApiError> {
    let Resource::Template(template) = &resource else { return Ok(resource) };
    if *template != (Template { id: template.id.clone(), ..Template::default() }) {
        return Ok(resource);
    }
    match gateway.state.template(&template.id).await? {
        Some(template) => gateway.template_resource(&template).await,
        None => Ok(resource),
    }
}

/// The present.
async fn now(gateway: &Gateway) -> Result<World, ApiError> {
    let everyone = gateway.state.everyone(MOST_USERS).await?;
    let everyone = everyone.ok_or_else(|| {
        ApiError::Unprocessable(format!("there are more than {MOST_USERS} active users: too many to ask about"))
    })?;
    let mut world = World::default();
    world.principals.extend(everyone.into_iter().map(person));
    let now = gateway.now();
    for token in gateway.state.tokens().await?.into_iter().filter(|token| token.works_at(now)) {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        world.principals.extend(bearer(&token.id, &token.name, token.owner.as_ref(), &scopes));
    }
    let rules = gateway.authority.rules(&gateway.state).await?;
    world.published = rules.published().to_vec();
    world.custom = rules.custom().to_vec();
    Ok(world)
}

/// A person as a principal.
pub(super) fn person(person: Person) -> (Principal, Option<String>) {
    let grants = person.roles.into_iter().map(|role| Grant { role: role.role, organization: role.organization });
    let user = User { id: person.id, grants: grants.collect(), groups: person.groups.into_iter().collect() };
    (Principal::User(user), Some(person.username))
}

/// Whom a token stands for, beside its owner: itself, or its connection.
pub(super) fn bearer(
    id: &str,
    name: &str,
    owner: Option<&TokenOwner>,
    scopes: &[&str],
) -> Option<(Principal, Option<String>)> {
    let scopes = scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    match owner {
        None => Some((Principal::Token(Bearer { id: id.to_owned(), scopes }), Some(name.to_owned()))),
        Some(owner) if owner.kind == OwnerKind::Connection => {
            Some((Principal::Connection(Bearer { id: owner.id.clone(), scopes }), owner.name.clone()))
        }
        Some(_) => None,
    }
}

/// Reads a position: a number where there is one partition, else one of each, joined by dots.
fn frontier(log: &Log, at: &Value) -> Result<Frontier, ApiError> {
    let text = match at {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(ApiError::bad_request("`at` is a position of the log")),
    };
    let at: Frontier = text.parse().map_err(|error| ApiError::bad_request(format!("`at`: {error}")))?;
    if at.partitions() != log.partitions() {
        let detail = format!("`at` must have the positions of all {} partitions, joined by dots", log.partitions());
        return Err(ApiError::bad_request(detail));
    }
    if !log.heads().reaches(&at) {
        return Err(ApiError::bad_request(format!("`at` is beyond the end of the log, which is {}", log.heads())));
    }
    Ok(at)
}

/// A moment that is over at `now`.
pub(super) fn is_over(moment: Option<Timestamp>, now: Timestamp) -> bool {
    moment.is_some_and(|moment| moment <= now)
}

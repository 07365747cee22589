//! The account of somebody whom a provider vouches for: found or made, with the roles that come with it.

use chancery_domain::attributes::{self, Attributes};
use chancery_domain::decision::Context;
use chancery_domain::directory::{DirectoryUser, UserStatus};
use chancery_domain::users::CreateUser;
use chancery_domain::{Actor, ActorKind, Event, Resource};
use chancery_oidc::{Identity, Provider};
use serde::Serialize;
use serde_json::json;

use super::failure::{Attempt, Denial, plain};
use super::grants;
use super::link::Link;
use super::session::Session;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::roles;

/// A user who signs in.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) email: Option<String>,
    pub(super) organization: Option<String>,
}

impl Person {
    /// They as the resource of an event.
    pub(super) fn resource(&self) -> Resource {
        Resource::new("user", &self.id).named(&self.username).owned_by(&self.username)
    }

    /// They as who acts, from where `base` does.
    pub(super) fn actor(&self, base: &Actor) -> Actor {
        Actor {
            id: self.id.clone(),
            kind: ActorKind::User,
            name: Some(self.username.clone()),
            email: self.email.clone(),
            ..base.clone()
        }
    }

    /// A user who has access, or why they have none.
    pub(super) fn admitted(user: &DirectoryUser) -> Result<Self, Denial> {
        let person = Self {
            id: user.id.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
            organization: user.organization.clone(),
        };
        match user.status {
            UserStatus::Active => Ok(person),
            UserStatus::Suspended => Err(Denial::Suspended(Box::new(person))),
            UserStatus::Deleted => Err(Denial::Unknown),
        }
    }
}

/// Somebody whom a provider vouches for.
pub(super) struct Arrival<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) provider: &'a Provider,
    pub(super) identity: &'a Identity,
    caller: &'a Caller,
    /// The session they get.
    session: Option<&'a Session>,
    /// Id of the account, should it be made.
    new_id: String,
}

/// What an arrival comes to.
struct Plan {
    keys: Vec<String>,
    events: Vec<Event>,
    person: Person,
}

/// Lets somebody in, in one decision with the account, its roles and the session; or puts on record why not.
pub(super) async fn arrive(
    gateway: &Gateway,
    caller: &Caller,
    provider: &Provider,
    identity: &Identity,
    session: Option<&Session>,
) -> Result<Person, ApiError> {
    let new_id = uuid::Uuid::now_v7().to_string();
    let arrival = Arrival { gateway, provider, identity, caller, session, new_id };
    match arrival.decide().await {
        Ok(person) => Ok(person),
        Err(denial) => {
            let attempt = Attempt { gateway, caller, provider: &provider.name };
            Err(attempt.failed(Some(identity), denial).await)
        }
    }
}

impl Arrival<'_> {
    /// What a decision of the provider may know.
    pub(super) fn context(&self) -> Context {
        let name = self.provider.name.clone();
        let actor = Actor { id: name.clone(), kind: ActorKind::Idp, name: Some(name), ..self.caller.actor.clone() };
        self.gateway.context(&Caller { actor, ..self.caller.clone() })
    }

    async fn decide(&self) -> Result<Person, Denial> {
        // A first look tells what the decision depends on.
        let mut keys = self.plan().await?.keys;
        loop {
            let decided = self.gateway.decisions.decide(&keys, async || {
                let plan = self.plan().await?;
                if !plan.keys.iter().all(|key| keys.contains(key)) {
                    return Ok::<_, Denial>((Vec::new(), Err(plan.keys)));
                }
                Ok((plan.events, Ok(plan.person)))
            });
            match decided.await? {
                Ok(person) => return Ok(person),
                // It depends on other things by now: look again.
                Err(others) => keys = others,
            }
        }
    }

    async fn plan(&self) -> Result<Plan, Denial> {
        let link = Link::find(&self.gateway.state, self.identity).await?;
        let due = grants::due(&self.gateway.state, self.provider, self.identity).await?;
        let mut keys: Vec<String> = due.iter().map(|due| roles::key(&due.role)).collect();
        keys.push(link.key());
        let (person, mut events, given) = match self.find(&link).await? {
            Some(user) => {
                let person = Person::admitted(&user)?;
                let settled = grants::settle(self, &user, &due, link.given(&user.id)).await?;
                (person, settled.events, settled.given)
            }
            None if self.provider.create_users => {
                let command = self.create(due.iter().cloned().collect());
                let person = self.created(&command.attributes);
                keys.push(format!("user-name/{}", attributes::key(&person.username)));
                let namesakes = self.gateway.state.users_by_name(&person.username).await?;
                (person, command.decide(&namesakes, self.context())?, due)
            }
            None => return Err(Denial::Unknown),
        };
        keys.push(format!("user/{}", person.id));
        events.extend(link.put(self.identity, &person.id, &given, self.context())?);
        if let Some(session) = self.session {
            keys.push(session.key());
            events.extend(session.begin(self.gateway, self.caller, &self.provider.name, &person)?);
        }
        Ok(Plan { keys, events, person })
    }

    /// The account that is recorded as theirs, else the one that the provider's rule leads to.
    async fn find(&self, link: &Link) -> Result<Option<DirectoryUser>, Denial> {
        let state = &self.gateway.state;
        if let Some(id) = link.user() {
            let found = state.user(id).await?.filter(|user| user.own && user.status != UserStatus::Deleted);
            if found.is_some() {
                return Ok(found);
            }
        }
        let (what, found) = match self.identity.link(self.provider)? {
            chancery_oidc::Link::Subject { .. } => return Ok(None),
            chancery_oidc::Link::Email(address) => ("e-mail address", state.users_by_email(&address).await?),
            chancery_oidc::Link::Username(name) => ("user name", state.users_by_name(&name).await?),
        };
        if found.len() > 1 {
            return Err(Denial::Ambiguous(what));
        }
        Ok(found.into_iter().next())
    }

    fn create(&self, roles: Vec<chancery_domain::events::directory::MappedRole>) -> CreateUser {
        let identity = self.identity;
        let mut attributes = Attributes::new();
        let username = identity.username.as_ref().or(identity.email.as_ref()).unwrap_or(&identity.subject);
        attributes.insert("userName".to_owned(), username.as_str().into());
        attributes.insert("active".to_owned(), true.into());
        if let Some(name) = &identity.display_name {
            attributes.insert("displayName".to_owned(), plain(name).into());
        }
        // An address that is not verified could be somebody else's, and lead another provider here.
        if let Some(email) = identity.email.as_ref().filter(|_| identity.email_verified) {
            attributes.insert("emails".to_owned(), json!([{ "value": plain(email), "primary": true }]));
        }
        let (id, organization) = (self.new_id.clone(), self.provider.organization.clone());
        CreateUser { id, attributes, connection: None, organization, roles, scim_event: None }
    }

    fn created(&self, attributes: &Attributes) -> Person {
        let summary = attributes::Summary::of(attributes);
        Person {
            id: self.new_id.clone(),
            username: summary.username.unwrap_or_default(),
            email: summary.email,
            organization: self.provider.organization.clone(),
        }
    }
}

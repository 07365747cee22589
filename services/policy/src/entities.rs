//! Principals, resources and circumstances in Cedar's words. Only what a request names is built, and with all
//! its ancestors, so that nothing else is needed to tell what is in what.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Context as CedarContext, Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Value,
    Schema,
};

use crate::error::PolicyError;
use crate::permission::Permission;
use crate::principal::{Bearer, Principal, Runner, Scope, User};
use crate::request::Context;
use crate::resource::{Access, Resource};

/// The names of entity types, and the actions, read once.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    user: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    token: EntityTypeName,
    connection: EntityTypeName,
    runner: EntityTypeName,
    organization: EntityTypeName,
    template: EntityTypeName,
    workspace: EntityTypeName,
    thing: EntityTypeName,
    deployment: EntityUid,
    /// In the order of [`Permission::ALL`]: the action, and a store that has only that.
    actions: Vec<(EntityUid, Entities)>,
}

impl Vocabulary {
    /// The vocabulary of a schema.
    pub(crate) fn new(schema: &Schema) -> Result<Self, PolicyError> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|error| built_in(&error));
        let deployment = EntityUid::from_type_name_and_id(name("Deployment")?, EntityId::new("chancery"));
        let known = schema.action_entities().map_err(|error| built_in(&error))?;
        let actions = Permission::ALL.iter().map(|permission| {
            let uid = EntityUid::from_type_name_and_id(name("Action")?, EntityId::new(permission.as_str()));
            let action = known.get(&uid).cloned();
            let action = action.ok_or_else(|| built_in(&format_args!("no action {permission} in the schema")))?;
            Ok((uid, Entities::from_entities([action], None).map_err(|error| built_in(&error))?))
        });
        Ok(Self {
            user: name("User")?,
            group: name("Group")?,
            role: name("Role")?,
            token: name("Token")?,
            connection: name("Connection")?,
            runner: name("Runner")?,
            organization: name("Organization")?,
            template: name("Template")?,
            workspace: name("Workspace")?,
            thing: name("Thing")?,
            deployment,
            actions: actions.collect::<Result<_, _>>()?,
        })
    }

    /// The action of a permission, and a store of entities that has only that.
    pub(crate) fn action(&self, permission: Permission) -> Option<&(EntityUid, Entities)> {
        self.actions.get(permission as usize)
    }

    /// Who asks.
    pub(crate) fn principal(&self, principal: &Principal) -> Result<Entity, String> {
        match principal {
            Principal::User(user) => self.person(user),
            Principal::Token(bearer) => self.token(&bearer.id, None, &bearer.scopes),
            Principal::Connection(Bearer { id, .. }) => Ok(Entity::with_uid(uid(&self.connection, id))),
            Principal::Runner(Runner { id, organization }) => {
                let organization = Value::new_entity_uid(uid(&self.organization, organization));
                let attributes = HashMap::from([("organization".to_owned(), organization)]);
                Entity::new(uid(&self.runner, id), attributes, HashSet::new()).map_err(|error| error.to_string())
            }
        }
    }

    fn person(&self, user: &User) -> Result<Entity, String> {
        let mut parents: HashSet<EntityUid> = user.groups.iter().map(|id| uid(&self.group, id)).collect();
        let mut organizations: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for grant in &user.grants {
            match &grant.organization {
                None => {
                    parents.insert(uid(&self.role, &grant.role));
                }
                Some(name) => organizations
                    .entry(&grant.role)
                    .or_default()
                    .push(Value::new_entity_uid(uid(&self.organization, name))),
            }
        }
        let tags = organizations.into_iter().map(|(role, names)| (role.to_owned(), Value::new_set(names)));
        Entity::new_with_tags(uid(&self.user, &user.id), [], parents, tags).map_err(|error| error.to_string())
    }

    fn token(&self, id: &str, owner: Option<&str>, scopes: &BTreeSet<Scope>) -> Result<Entity, String> {
        let mut attributes = self.owner(owner);
        attributes.insert("scopes".to_owned(), scope_names(scopes));
        self.entity(uid(&self.token, id), attributes, None)
    }

    /// What is asked about.
    pub(crate) fn resource(&self, resource: &Resource) -> Result<Entity, String> {
        let (uid, organization, attributes) = match resource {
            Resource::Deployment => return Ok(Entity::with_uid(self.deployment.clone())),
            Resource::Organization { name } => (uid(&self.organization, name), None, HashMap::new()),
            Resource::Token { id, owner, scopes } => return self.token(id, owner.as_deref(), scopes),
            Resource::Workspace { id, organization, owner, template } => {
                let mut attributes = self.owner(owner.as_deref());
                let template = template.as_deref().map(|id| Value::new_entity_uid(uid(&self.template, id)));
                attributes.extend(template.map(|template| ("template".to_owned(), template)));
                (uid(&self.workspace, id), organization.as_deref(), attributes)
            }
            Resource::Thing { kind, id, organization } => {
                let kind = ("kind".to_owned(), Value::new_string(kind.clone()));
                (uid(&self.thing, id), organization.as_deref(), HashMap::from([kind]))
            }
            Resource::Template(template) => {
                let users = ("users".to_owned(), self.access(&template.users)?);
                let admins = ("admins".to_owned(), self.access(&template.admins)?);
                let attributes = HashMap::from([users, admins]);
                (uid(&self.template, &template.id), template.organization.as_deref(), attributes)
            }
        };
        self.entity(uid, attributes, organization)
    }

    /// Something in an organization, or in none.
    fn entity(
        &self,
        uid_of_it: EntityUid,
        attributes: HashMap<String, Value>,
        organization: Option<&str>,
    ) -> Result<Entity, String> {
        let organization = organization.map(|name| uid(&self.organization, name));
        let ancestors = organization.into_iter().chain([self.deployment.clone()]).collect();
        Entity::new(uid_of_it, attributes, ancestors).map_err(|error| error.to_string())
    }

    fn owner(&self, owner: Option<&str>) -> HashMap<String, Value> {
        owner.map(|id| ("owner".to_owned(), Value::new_entity_uid(uid(&self.user, id)))).into_iter().collect()
    }

    fn access(&self, access: &Access) -> Result<Value, String> {
        let set =
            |kind, ids: &BTreeSet<String>| Value::new_set(ids.iter().map(|id| Value::new_entity_uid(uid(kind, id))));
        Value::new_record([
            ("users".to_owned(), set(&self.user, &access.users)),
            ("groups".to_owned(), set(&self.group, &access.groups)),
            ("everyone".to_owned(), Value::new_bool(access.everyone)),
        ])
        .map_err(|error| error.to_string())
    }
}

/// The circumstances of a request by a principal.
pub(crate) fn context(principal: &Principal, context: &Context) -> Result<CedarContext, String> {
    let mut members = Vec::new();
    let scopes = match (principal, &context.scopes) {
        (Principal::User(_) | Principal::Runner(_), scopes) => scopes.clone(),
        (Principal::Token(bearer) | Principal::Connection(bearer), None) => Some(bearer.scopes.clone()),
        (Principal::Token(bearer) | Principal::Connection(bearer), Some(scopes)) => {
            Some(Scope::common(&bearer.scopes, scopes))
        }
    };
    if let Some(scopes) = &scopes {
        members.push(("scopes".to_owned(), scope_names(scopes)));
    }
    if let Some(address) = context.address {
        members.push(("address".to_owned(), Value::new_ip(address.to_string())));
    }
    if let Some(time) = context.time {
        // Cedar knows years of four digits and whole milliseconds.
        members.push(("time".to_owned(), Value::new_datetime(time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())));
    }
    if let Some(session) = &context.session {
        let mut facts = vec![
            ("kind".to_owned(), Value::new_string(session.kind.clone())),
            ("browser".to_owned(), Value::new_bool(session.browser)),
        ];
        facts.extend(session.client.iter().map(|client| ("client".to_owned(), Value::new_string(client.clone()))));
        let facts = Value::new_record(facts).map_err(|error| error.to_string())?;
        members.push(("session".to_owned(), facts));
    }
    CedarContext::from_pairs(members).map_err(|error| error.to_string())
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn scope_names(scopes: &BTreeSet<Scope>) -> Value {
    Value::new_set(scopes.iter().map(|scope| Value::new_string(scope.as_str().to_owned())))
}

fn built_in(error: &impl std::fmt::Display) -> PolicyError {
    PolicyError::BuiltIn(error.to_string())
}

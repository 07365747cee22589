//! Connections of identity providers, and the record of what these ask in vain.

use crate::attributes;
use crate::attributes::Attributes;
use crate::consequences;
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{ConnectionRecord, CustomResource};
use crate::event::{Change, Event, Outcome, Resource};
use crate::events::Bare;
use crate::events::directory::{
    Connection, DirectoryConflict, DirectoryResource, GroupMapping, RequestRefused, RequestUnchanged,
};
use crate::tokens::Token;

/// Most group mappings of a connection.
pub const MAX_MAPPINGS: usize = 1000;

/// A connection to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateConnection {
    /// Its id.
    pub id: String,
    /// Its settings.
    pub settings: Connection,
}

impl CreateConnection {
    /// Decides whether it can be made; `all` are the connections there are.
    pub fn decide(self, all: &[ConnectionRecord], context: Context) -> Result<Vec<Event>, Refusal> {
        check(&self.id, &self.settings, all)?;
        let mut draft = Draft::new(context);
        let resource = Resource::new("connection", self.id).named(&self.settings.name);
        let event = draft.event("connection.created", resource, &self.settings);
        draft.push(event);
        Ok(draft.events)
    }
}

/// New settings for a connection, in place of the present ones.
#[derive(Debug, Clone)]
pub struct UpdateConnection {
    /// All settings from now on.
    pub settings: Connection,
}

impl UpdateConnection {
    /// Decides what changes, nothing perhaps. Changed group mappings apply to a user as [`crate::roles::remap`] says.
    pub fn decide(
        self,
        connection: &ConnectionRecord,
        all: &[ConnectionRecord],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(connection)?;
        check(&connection.id, &self.settings, all)?;
        let mut draft = Draft::new(context);
        if self.settings != connection.settings {
            let changes = changes(&connection.settings, &self.settings);
            let mut event = draft.event("connection.updated", connection.resource(), &self.settings);
            event.changes = changes;
            draft.push(event);
        }
        Ok(draft.events)
    }
}

impl ConnectionRecord {
    /// Decides that the provider is disconnected: its tokens stop working, what it made stays.
    pub fn delete(&self, tokens: &[Token], context: Context) -> Result<Vec<Event>, Refusal> {
        exists(self)?;
        let mut draft = Draft::new(context);
        let event = draft.event("connection.deleted", self.resource(), &Bare {});
        let deleted = draft.push(event);
        consequences::revoke_tokens(&mut draft, &deleted, tokens);
        Ok(draft.events)
    }

    /// Records a request that changed nothing.
    pub fn unchanged(&self, resource: Resource, request: &RequestUnchanged, context: Context) -> Event {
        let mut event = Draft::new(context).event("directory.request.unchanged", resource, request);
        event.organization = self.settings.organizations.first().cloned();
        event
    }

    /// Records a request that was refused: denied where a rule stopped it, failed where it made no sense.
    pub fn refused(&self, resource: Resource, request: &RequestRefused, context: Context) -> Event {
        let mut event = Draft::new(context).event("directory.request.refused", resource, request);
        event.outcome = if matches!(request.status, 401 | 403) { Outcome::Denied } else { Outcome::Failure };
        event.reason.clone_from(&request.detail);
        event.organization = self.settings.organizations.first().cloned();
        event
    }

    /// Records that this connection claims a name another resource has, which a [`Refusal::Taken`] tells of.
    pub fn conflict(&self, conflict: &DirectoryConflict, context: Context) -> Event {
        let mut event = Draft::new(context).event("directory.conflict.found", self.resource(), conflict);
        event.outcome = Outcome::Failure;
        event.organization = self.settings.organizations.first().cloned();
        event
    }
}

/// A resource of a custom SCIM type to be made, or to get new attributes.
#[derive(Debug, Clone)]
pub struct PutResource {
    /// Name of its type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// All its attributes from now on.
    pub attributes: Attributes,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl PutResource {
    /// Decides what changes, nothing perhaps; `present` is the resource as it is.
    pub fn decide(self, present: Option<&CustomResource>, context: Context) -> Result<Vec<Event>, Refusal> {
        if present.is_some_and(|present| present.deleted) {
            return Err(Refusal::Unknown("resource"));
        }
        let none = Attributes::new();
        let changes = attributes::changes(present.map_or(&none, |present| &present.attributes), &self.attributes);
        if present.is_some() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let event_type = if present.is_some() { "directory.resource.updated" } else { "directory.resource.created" };
        let resource = Resource::new(attributes::key(&self.resource_type), self.id);
        let payload = DirectoryResource {
            attributes: Some(self.attributes),
            connection: self.connection,
            resource_type: self.resource_type,
            scim_event: self.scim_event,
        };
        let mut draft = Draft::new(context);
        let mut event = draft.event(event_type, resource, &payload);
        event.changes = changes;
        draft.push(event);
        Ok(draft.events)
    }
}

impl CustomResource {
    /// Decides whether it can be removed.
    pub fn delete(&self, scim_event: Option<String>, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.deleted {
            return Err(Refusal::Unknown("resource"));
        }
        let payload = DirectoryResource {
            attributes: None,
            connection: self.connection.clone(),
            resource_type: self.resource_type.clone(),
            scim_event,
        };
        let mut draft = Draft::new(context);
        let resource = Resource::new(attributes::key(&self.resource_type), &self.id);
        let event = draft.event("directory.resource.deleted", resource, &payload);
        draft.push(event);
        Ok(draft.events)
    }
}

fn exists(connection: &ConnectionRecord) -> Result<(), Refusal> {
    if connection.deleted { Err(Refusal::Unknown("connection")) } else { Ok(()) }
}

fn check(id: &str, settings: &Connection, all: &[ConnectionRecord]) -> Result<(), Refusal> {
    decision::name("name", &settings.name, decision::MAX_NAME)?;
    for organization in &settings.organizations {
        decision::name("organizations", organization, decision::MAX_NAME)?;
    }
    if settings.group_mappings.len() > MAX_MAPPINGS {
        return Err(Refusal::invalid("group_mappings", format!("must not be more than {MAX_MAPPINGS}")));
    }
    settings.group_mappings.iter().try_for_each(|mapping| check_mapping(mapping, &settings.organizations))?;
    let key = attributes::key(&settings.name);
    let namesake =
        all.iter().find(|other| other.id != id && !other.deleted && attributes::key(&other.settings.name) == key);
    namesake.map_or(Ok(()), |other| {
        Err(Refusal::Taken { field: "name", value: settings.name.clone(), by: other.id.clone(), connection: None })
    })
}

/// A mapping must not reach beyond the organizations of its connection.
fn check_mapping(mapping: &GroupMapping, organizations: &[String]) -> Result<(), Refusal> {
    decision::name("group_mappings", &mapping.group, crate::groups::MAX_GROUP_NAME)?;
    for role in &mapping.roles {
        decision::slug("group_mappings", &role.role)?;
        if let Some(organization) = &role.organization
            && !organizations.contains(organization)
        {
            let reason = format!("names the organization `{organization}`, which is not the connection's");
            return Err(Refusal::invalid("group_mappings", reason));
        }
    }
    Ok(())
}

fn changes(old: &Connection, new: &Connection) -> Vec<Change> {
    let object = |settings: &Connection| match serde_json::json!(settings) {
        serde_json::Value::Object(members) => members,
        _ => Attributes::new(),
    };
    attributes::changes(&object(old), &object(new))
}

#[cfg(test)]
mod tests;

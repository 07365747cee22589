//! The envelope: who did what to which resource, when, with which outcome.
//!
//! Fields are declared in the order of their JSON names, which is also the order of the canonical bytes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::time::Timestamp;

/// An immutable fact. `recorded_at` and `stream_version` are given by the log when it appends the event;
/// before that they are [`Timestamp::EPOCH`] and 0. Its position in the log is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The verb, such as `create`, `login` or `start`.
    pub action: String,
    /// Who acted, as of the event.
    pub actor: Actor,
    /// Id of the event that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<String>,
    /// What changed, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Request id that ties the events of one request together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The type's own payload.
    #[serde(default)]
    pub data: Value,
    /// CloudEvents extension attributes of other systems, kept as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
    /// Unique within `source`. Chancery's own are `UUIDv7`.
    pub id: String,
    /// Set when the event was read from another system's log, not reported by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// When it happened, as the source says.
    pub occurred_at: Timestamp,
    /// Name of the organization it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Whether it succeeded, failed, or was stopped by policy.
    pub outcome: Outcome,
    /// Policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyReference>,
    /// Why, in words for an auditor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the log appended it. Never decreases along the log.
    #[serde(default)]
    pub recorded_at: Timestamp,
    /// What was acted on.
    pub resource: Resource,
    /// Version of the type's payload schema.
    #[serde(default = "one")]
    pub schema: u16,
    /// CloudEvents source: the system that reports it.
    pub source: String,
    /// All events of one resource, `kind/id`; the unit of ordering.
    pub stream: String,
    /// Dense count within the stream, from 1.
    #[serde(default)]
    pub stream_version: u64,
    /// Event type, `area.thing.past-participle`.
    #[serde(rename = "type")]
    pub event_type: String,
}

fn one() -> u16 {
    1
}

/// Who acted. Captured at the time of the event and never joined later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// E-mail address at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub email: Option<String>,
    /// Groups at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Stable identifier.
    #[serde(default)]
    pub id: String,
    /// Network address the action came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub ip: Option<std::net::IpAddr>,
    /// What kind of actor.
    #[serde(default)]
    pub kind: ActorKind,
    /// Login name at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub name: Option<String>,
    /// Name of the actor this one acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub on_behalf_of: Option<String>,
    /// Roles at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Session the action belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The kinds of actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    #[default]
    User,
    /// A program with credentials of its own.
    Service,
    /// An identity provider pushing changes.
    Idp,
    /// A runner.
    Runner,
    /// Chancery itself, or a host's own software.
    System,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::User, Self::Service, Self::Idp, Self::Runner, Self::System];

    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Idp => "idp",
            Self::Runner => "runner",
            Self::System => "system",
        }
    }
}

/// What was acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Stable identifier within the kind.
    pub id: String,
    /// `user`, `workspace`, `template`, `session`, …
    pub kind: String,
    /// Name at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the person it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub owner: Option<String>,
}

impl Resource {
    /// A resource with a kind and an id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { id: id.into(), kind: kind.into(), name: None, owner: None }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The same with an owner.
    #[must_use]
    pub fn owned_by(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// The stream of this resource's events.
    pub fn stream(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    #[default]
    Success,
    /// It was tried and did not work.
    Failure,
    /// It was stopped by a rule.
    Denied,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Denied];

    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// One changed attribute. `null` is a value; an absent side means there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Value after the change.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub new: Option<Value>,
    /// Value before the change.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub old: Option<Value>,
    /// Dotted path of the attribute.
    pub path: String,
    /// The values were secret and are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

impl Change {
    /// A change from one value to another.
    pub fn new(path: impl Into<String>, old: impl Into<Value>, new: impl Into<Value>) -> Self {
        Self { new: Some(new.into()), old: Some(old.into()), path: path.into(), secret: false }
    }
}

/// Keeps an explicit `null` apart from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A policy and the version of it that took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReference {
    /// Policy id.
    pub id: String,
    /// Its version.
    pub version: u64,
}

/// Marks an event that was read from a log of another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// Import format, such as `sshd` or `cloudtrail`.
    pub format: String,
    /// Where in the input it was found, such as `auth.log:120`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Event {
    /// A new event of `event_type` about `resource`, successful, with the type's usual action and the
    /// catalogue's current schema version. The caller sets what else it knows.
    pub fn new(
        event_type: &str,
        id: impl Into<String>,
        source: impl Into<String>,
        occurred_at: Timestamp,
        actor: Actor,
        resource: Resource,
    ) -> Self {
        let info = crate::catalogue::find(event_type);
        Self {
            action: info.map_or_else(|| crate::catalogue::default_action(event_type), |i| i.action).to_owned(),
            actor,
            causation: None,
            changes: Vec::new(),
            correlation: None,
            data: Value::Object(serde_json::Map::new()),
            extensions: BTreeMap::new(),
            id: id.into(),
            imported: None,
            occurred_at,
            organization: None,
            outcome: crate::catalogue::default_outcome(event_type),
            policies: Vec::new(),
            reason: None,
            recorded_at: Timestamp::EPOCH,
            stream: resource.stream(),
            resource,
            schema: info.map_or(1, |i| i.version),
            source: source.into(),
            stream_version: 0,
            event_type: event_type.to_owned(),
        }
    }
}

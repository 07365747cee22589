//! The catalogue of event types: name, version, usual action, payload type and its JSON Schema.
//!
//! Adding a type is one line in an `event_types!` table of its area under `events/` and its payload struct;
//! decoding, validation on ingest and the generated files in `schemas/` follow from that line.

use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::{Event, Outcome};
use crate::events;
use crate::upcast;

/// What is known about one event type.
#[derive(Debug, Clone, Copy)]
pub struct TypeInfo {
    /// Type name, `area.thing.past-participle`.
    pub name: &'static str,
    /// Current version of its payload.
    pub version: u16,
    /// The action such an event usually carries.
    pub action: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// JSON Schema of the current payload.
    pub schema: fn() -> Schema,
    /// Checks a payload of the current version.
    pub check: fn(&Value) -> Result<(), PayloadError>,
}

/// A payload does not have the shape of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at `{pointer}`")]
pub struct PayloadError {
    /// JSON pointer (RFC 6901) inside the payload.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

/// An event's payload, by area.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Users, groups, tokens, organizations, sign-ins.
    Identity(events::identity::IdentityEvent),
    /// Connections of identity providers and what they push.
    Directory(events::directory::DirectoryEvent),
    /// Templates and their versions.
    Template(events::templates::TemplateEvent),
    /// Workspaces and builds.
    Workspace(events::workspaces::WorkspaceEvent),
    /// Sessions into workspaces and hosts.
    Session(events::sessions::SessionEvent),
    /// Quota ledger and budgets.
    Quota(events::quotas::QuotaEvent),
    /// Policies and settings.
    Policy(events::policy::PolicyEvent),
    /// Runners and jobs.
    Runner(events::runners::RunnerEvent),
    /// Nodes of a cluster.
    Node(events::nodes::NodeEvent),
    /// The audit trail's own life.
    Audit(events::audit::AuditEvent),
    /// A type this version does not know: kept, archived, searched, and skipped by projections.
    Unknown,
}

/// Every type of the catalogue.
pub fn all() -> impl Iterator<Item = &'static TypeInfo> {
    [
        events::identity::TYPES,
        events::directory::TYPES,
        events::templates::TYPES,
        events::workspaces::TYPES,
        events::sessions::TYPES,
        events::quotas::TYPES,
        events::policy::TYPES,
        events::runners::TYPES,
        events::nodes::TYPES,
        events::audit::TYPES,
    ]
    .into_iter()
    .flatten()
}

/// Looks a type up by name.
pub fn find(name: &str) -> Option<&'static TypeInfo> {
    static BY_NAME: std::sync::LazyLock<std::collections::HashMap<&'static str, &'static TypeInfo>> =
        std::sync::LazyLock::new(|| all().map(|info| (info.name, info)).collect());
    BY_NAME.get(name).copied()
}

/// The action events of this type usually carry.
pub fn usual_action(event_type: &str) -> &str {
    find(event_type).map_or_else(|| default_action(event_type), |info| info.action)
}

/// The action of a type outside the catalogue: the last segment of its name.
pub fn default_action(event_type: &str) -> &str {
    event_type.rsplit('.').next().unwrap_or(event_type)
}

/// The outcome a type's name implies.
pub fn default_outcome(event_type: &str) -> Outcome {
    match event_type.rsplit('.').next() {
        Some("failed" | "expired" | "lost") => Outcome::Failure,
        Some("denied" | "rejected" | "refused") => Outcome::Denied,
        _ => Outcome::Success,
    }
}

/// Decodes an event's payload, bringing older versions up to the current one first.
pub fn decode(event: &Event) -> Result<Payload, PayloadError> {
    let data = upcast::current(&event.event_type, event.schema, &event.data);
    let name = event.event_type.as_str();
    if let Some(payload) = events::identity::IdentityEvent::decode(name, &data) {
        return payload.map(Payload::Identity);
    }
    if let Some(payload) = events::sessions::SessionEvent::decode(name, &data) {
        return payload.map(Payload::Session);
    }
    if let Some(payload) = events::workspaces::WorkspaceEvent::decode(name, &data) {
        return payload.map(Payload::Workspace);
    }
    if let Some(payload) = events::templates::TemplateEvent::decode(name, &data) {
        return payload.map(Payload::Template);
    }
    if let Some(payload) = events::quotas::QuotaEvent::decode(name, &data) {
        return payload.map(Payload::Quota);
    }
    if let Some(payload) = events::directory::DirectoryEvent::decode(name, &data) {
        return payload.map(Payload::Directory);
    }
    if let Some(payload) = events::policy::PolicyEvent::decode(name, &data) {
        return payload.map(Payload::Policy);
    }
    if let Some(payload) = events::runners::RunnerEvent::decode(name, &data) {
        return payload.map(Payload::Runner);
    }
    if let Some(payload) = events::nodes::NodeEvent::decode(name, &data) {
        return payload.map(Payload::Node);
    }
    if let Some(payload) = events::audit::AuditEvent::decode(name, &data) {
        return payload.map(Payload::Audit);
    }
    Ok(Payload::Unknown)
}

/// Decodes a payload struct; a failure is decoded once more with its path.
pub(crate) fn payload<T: DeserializeOwned>(data: &Value) -> Result<T, PayloadError> {
    T::deserialize(data).or_else(|_| {
        serde_path_to_error::deserialize(data)
            .map_err(|error| PayloadError { pointer: pointer(error.path()), reason: error.inner().to_string() })
    })
}

/// A serde path as a JSON pointer.
pub(crate) fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// The JSON Schema of a payload struct.
pub(crate) fn schema_of<T: JsonSchema>() -> Schema {
    schemars::schema_for!(T)
}

/// Declares the event types of one area: the enum, its table of [`TypeInfo`] and its decoder.
macro_rules! event_types {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $( #[doc = $text:literal] $type_name:literal v $version:literal $action:literal => $variant:ident($payload:ty), )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "type", content = "data")]
        pub enum $name {
            $( #[doc = $text] #[serde(rename = $type_name)] $variant($payload), )+
        }

        /// The types of this area.
        pub static TYPES: &[$crate::catalogue::TypeInfo] = &[
            $( $crate::catalogue::TypeInfo {
                name: $type_name,
                version: $version,
                action: $action,
                description: $text.trim_ascii(),
                schema: $crate::catalogue::schema_of::<$payload>,
                check: |data| $crate::catalogue::payload::<$payload>(data).map(drop),
            }, )+
        ];

        impl $name {
            /// Decodes a current payload; `None` when the type belongs to another area.
            pub fn decode(
                event_type: &str,
                data: &serde_json::Value,
            ) -> Option<Result<Self, $crate::catalogue::PayloadError>> {
                match event_type {
                    $( $type_name => Some($crate::catalogue::payload(data).map(Self::$variant)), )+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use event_types;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_follow_the_grammar() {
        let mut seen = std::collections::HashSet::new();
        for info in all() {
            assert!(seen.insert(info.name), "{} is declared twice", info.name);
            assert!(info.name.split('.').count() >= 2, "{}", info.name);
            assert!(info.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-'), "{}", info.name);
            assert!(!info.description.is_empty(), "{}", info.name);
        }
        assert!(seen.len() > 70);
    }

    #[test]
    fn a_wrong_payload_is_pointed_at() {
        let info = find("session.closed").unwrap();
        let error = (info.check)(&serde_json::json!({"kind": "ssh", "duration_ms": "long"})).unwrap_err();
        assert_eq!(error.pointer, "/duration_ms");
    }
}

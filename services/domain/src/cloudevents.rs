//! CloudEvents 1.0 on the wire.
//!
//! Attributes carry `id`, `source`, `type`, `time` (occurred at), `subject` (stream) and `dataschema`
//! (payload version). For types of the catalogue, `data` is an [`AuditData`]: the rest of the envelope with
//! the type's payload in `details`. For types of other systems `data` is kept verbatim.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::catalogue;
use crate::event::{Actor, ActorKind, Change, Event, Imported, Outcome, PolicyReference, Resource};
use crate::time::Timestamp;
use crate::validate::{self, Violation};

/// Prefix of the `dataschema` of Chancery's own types; `<type>.v<version>.json` follows.
pub const SCHEMA_BASE: &str = "https://chancery.dev/schemas/events/";

/// The `dataschema` by which a type outside the catalogue says that its `data` is an [`AuditData`], too.
pub const ENVELOPE_SCHEMA: &str = "https://chancery.dev/schemas/events/envelope.v1.json";

/// The `data` of a CloudEvent whose type is in the catalogue or whose `dataschema` is [`ENVELOPE_SCHEMA`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditData {
    /// The verb; the type's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who acted.
    #[serde(default)]
    pub actor: Actor,
    /// Id of the event that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<String>,
    /// What changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The type's payload.
    #[serde(default)]
    pub details: Value,
    /// Set when it was read from another system's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// Organization name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Outcome; the one the type's name implies when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyReference>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was acted on; taken from `subject` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

/// A CloudEvent as it came, `data` not yet looked into.
#[derive(Debug, Default)]
pub struct CloudEvent {
    /// `specversion`.
    pub spec_version: String,
    /// `id`.
    pub id: String,
    /// `source`.
    pub source: String,
    /// `type`.
    pub event_type: String,
    /// `time`.
    pub time: Option<String>,
    /// `subject`.
    pub subject: Option<String>,
    /// `datacontenttype`.
    pub data_content_type: Option<String>,
    /// `dataschema`.
    pub data_schema: Option<String>,
    /// `data`, unparsed JSON.
    pub data: Option<Box<RawValue>>,
    /// `data_base64`.
    pub data_base64: Option<String>,
    /// Everything else.
    pub extensions: BTreeMap<String, Value>,
}

impl CloudEvent {
    /// Reads one event in the JSON format.
    pub fn parse(json: &str) -> Result<Self, Violation> {
        serde_json::from_str(json).map_err(|error| Violation::new("", error.to_string()))
    }

    /// Sets an attribute by its CloudEvents name; unknown names become extensions.
    pub fn set(&mut self, name: &str, value: String) {
        match name {
            "specversion" => self.spec_version = value,
            "id" => self.id = value,
            "source" => self.source = value,
            "type" => self.event_type = value,
            "time" => self.time = Some(value),
            "subject" => self.subject = Some(value),
            "datacontenttype" => self.data_content_type = Some(value),
            "dataschema" => self.data_schema = Some(value),
            _ => {
                self.extensions.insert(name.to_owned(), Value::String(value));
            }
        }
    }

    /// Turns it into an [`Event`] and checks it. `now` stands in for an absent `time`.
    pub fn into_event(self, now: Timestamp) -> Result<Event, Violation> {
        if self.spec_version != "1.0" {
            return Err(Violation::new("/specversion", "must be `1.0`"));
        }
        let occurred_at = match &self.time {
            Some(time) => time.parse().map_err(|e: crate::time::TimeError| Violation::new("/time", e.to_string()))?,
            None => now,
        };
        let known = catalogue::find(&self.event_type);
        let audited = known.is_some() || self.data_schema.as_deref() == Some(ENVELOPE_SCHEMA);
        let event = match known {
            Some(info) => {
                let schema = self.schema_version(info)?;
                self.into_audited(schema, occurred_at)?
            }
            None if self.data_schema.as_deref() == Some(ENVELOPE_SCHEMA) => self.into_audited(1, occurred_at)?,
            None => self.into_foreign(occurred_at)?,
        };
        validate::check(&event)
            .map_err(|violation| Violation { pointer: on_the_wire(audited, violation.pointer), ..violation })?;
        Ok(event)
    }

    fn into_audited(self, schema: u16, occurred_at: Timestamp) -> Result<Event, Violation> {
        let audit: AuditData = match &self.data {
            None => return Err(Violation::new("/data", "is required for this type")),
            Some(raw) => {
                let mut json = serde_json::Deserializer::from_str(raw.get());
                serde_path_to_error::deserialize(&mut json).map_err(|error| {
                    Violation::new(format!("/data{}", catalogue::pointer(error.path())), error.inner().to_string())
                })?
            }
        };
        let resource = match (audit.resource, &self.subject) {
            (Some(resource), _) => resource,
            (None, Some(subject)) => resource_of(subject),
            (None, None) => return Err(Violation::new("/subject", "or `/data/resource` is required")),
        };
        let details = if audit.details.is_null() { Value::Object(Map::new()) } else { audit.details };
        Ok(Event {
            action: audit.action.unwrap_or_else(|| catalogue::usual_action(&self.event_type).to_owned()),
            actor: audit.actor,
            causation: audit.causation,
            changes: audit.changes,
            correlation: audit.correlation,
            data: details,
            extensions: self.extensions,
            id: self.id,
            imported: audit.imported,
            occurred_at,
            organization: audit.organization,
            outcome: audit.outcome.unwrap_or_else(|| catalogue::default_outcome(&self.event_type)),
            policies: audit.policies,
            reason: audit.reason,
            recorded_at: Timestamp::EPOCH,
            stream: self.subject.unwrap_or_else(|| resource.stream()),
            resource,
            schema,
            source: self.source,
            stream_version: 0,
            event_type: self.event_type,
        })
    }

    /// The payload version named by `dataschema`; the current one without.
    fn schema_version(&self, info: &catalogue::TypeInfo) -> Result<u16, Violation> {
        let Some(uri) = &self.data_schema else { return Ok(info.version) };
        uri.strip_suffix(".json")
            .and_then(|rest| rest.rsplit_once(".v"))
            .filter(|(name, _)| name.ends_with(info.name))
            .and_then(|(_, version)| version.parse().ok())
            .ok_or_else(|| {
                Violation::new(
                    "/dataschema",
                    format!("must end in `{}.v{}.json` or an earlier version", info.name, info.version),
                )
            })
    }

    fn into_foreign(self, occurred_at: Timestamp) -> Result<Event, Violation> {
        let data = match (self.data, self.data_base64) {
            (Some(raw), _) => {
                serde_json::from_str(raw.get()).map_err(|error| Violation::new("/data", error.to_string()))?
            }
            (None, Some(base64)) => json!({ "base64": base64, "content_type": self.data_content_type }),
            (None, None) => Value::Object(Map::new()),
        };
        let resource = self.subject.as_deref().map_or_else(|| Resource::new("source", &self.source), resource_of);
        let mut extensions = self.extensions;
        let mut actor = Actor { id: self.source.clone(), kind: ActorKind::Service, ..Actor::default() };
        // The CloudEvents authcontext extension names the principal.
        if let Some(Value::String(id)) = extensions.remove("authid") {
            actor.name = Some(id.clone());
            actor.id = id;
        }
        if let Some(Value::String(kind)) = extensions.get("authtype") {
            actor.kind = match kind.as_str() {
                "user" | "app_user" => ActorKind::User,
                "system" => ActorKind::System,
                _ => ActorKind::Service,
            };
        }
        let mut event = Event::new(&self.event_type, self.id, self.source, occurred_at, actor, resource);
        event.data = data;
        event.extensions = extensions;
        if let Some(subject) = self.subject {
            event.stream = subject;
        }
        Ok(event)
    }
}

/// `kind/id` as a resource; a subject without a slash is an id of kind `subject`.
fn resource_of(subject: &str) -> Resource {
    match subject.split_once('/') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Resource::new(kind, id),
        _ => Resource::new("subject", subject),
    }
}

/// Where a member of the envelope stands in the CloudEvent.
fn on_the_wire(audited: bool, pointer: String) -> String {
    match pointer.as_str() {
        "/stream" => "/subject".to_owned(),
        "/schema" => "/dataschema".to_owned(),
        "/action" | "/resource/kind" => format!("/data{pointer}"),
        _ if audited && pointer.starts_with("/data") => pointer.replacen("/data", "/data/details", 1),
        _ if pointer.starts_with("/changes") => format!("/data{pointer}"),
        _ => pointer,
    }
}

/// Writes an event as a CloudEvent in the JSON format.
pub fn to_cloudevent(event: &Event) -> Value {
    let data = json!(AuditData {
        action: Some(event.action.clone()),
        actor: event.actor.clone(),
        causation: event.causation.clone(),
        changes: event.changes.clone(),
        correlation: event.correlation.clone(),
        details: event.data.clone(),
        imported: event.imported.clone(),
        organization: event.organization.clone(),
        outcome: Some(event.outcome),
        policies: event.policies.clone(),
        reason: event.reason.clone(),
        resource: Some(event.resource.clone()),
    });
    let schema = match catalogue::find(&event.event_type) {
        Some(_) => format!("{SCHEMA_BASE}{}.v{}.json", event.event_type, event.schema),
        None => ENVELOPE_SCHEMA.to_owned(),
    };
    let mut cloudevent = Map::new();
    for (name, extension) in &event.extensions {
        cloudevent.insert(name.clone(), extension.clone());
    }
    cloudevent.insert("specversion".into(), "1.0".into());
    cloudevent.insert("id".into(), event.id.clone().into());
    cloudevent.insert("source".into(), event.source.clone().into());
    cloudevent.insert("type".into(), event.event_type.clone().into());
    cloudevent.insert("time".into(), event.occurred_at.to_string().into());
    cloudevent.insert("subject".into(), event.stream.clone().into());
    cloudevent.insert("datacontenttype".into(), "application/json".into());
    cloudevent.insert("dataschema".into(), schema.into());
    cloudevent.insert("data".into(), data);
    Value::Object(cloudevent)
}

impl<'de> Deserialize<'de> for CloudEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attributes;
        impl<'de> Visitor<'de> for Attributes {
            type Value = CloudEvent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a CloudEvent object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CloudEvent, A::Error> {
                let mut event = CloudEvent::default();
                while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    match name.as_ref() {
                        "specversion" => event.spec_version = map.next_value()?,
                        "id" => event.id = map.next_value()?,
                        "source" => event.source = map.next_value()?,
                        "type" => event.event_type = map.next_value()?,
                        "time" => event.time = map.next_value()?,
                        "subject" => event.subject = map.next_value()?,
                        "datacontenttype" => event.data_content_type = map.next_value()?,
                        "dataschema" => event.data_schema = map.next_value()?,
                        "data" => event.data = map.next_value()?,
                        "data_base64" => event.data_base64 = map.next_value()?,
                        "" => drop(map.next_value::<IgnoredAny>()?),
                        _ => {
                            event.extensions.insert(name.into_owned(), map.next_value()?);
                        }
                    }
                }
                for (attribute, value) in [
                    ("specversion", &event.spec_version),
                    ("id", &event.id),
                    ("source", &event.source),
                    ("type", &event.event_type),
                ] {
                    if value.is_empty() {
                        return Err(de::Error::custom(format!("missing attribute `{attribute}`")));
                    }
                }
                Ok(event)
            }
        }
        deserializer.deserialize_map(Attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn login() -> Value {
        json!({
            "specversion": "1.0", "id": "1", "source": "/sshd/web-1", "type": "user.login.failed",
            "time": "2026-01-31T10:00:00+01:00", "subject": "user/ada", "tracestate": "x",
            "data": {"actor": {"name": "ada", "ip": "203.0.113.9"}, "details": {"method": "password"}}
        })
    }

    fn parse(json: &Value) -> Result<Event, Violation> {
        CloudEvent::parse(&json.to_string())?.into_event(NOW)
    }

    #[test]
    fn a_known_type_fills_the_envelope() {
        let event = parse(&login()).unwrap();
        assert_eq!(event.stream, "user/ada");
        assert_eq!(event.outcome, Outcome::Failure);
        assert_eq!(event.action, "login");
        assert_eq!(event.extensions["tracestate"], "x");
    }

    #[test]
    fn wire_form_round_trips() {
        let event = parse(&login()).unwrap();
        assert_eq!(parse(&to_cloudevent(&event)).unwrap(), event);
    }

    #[test]
    fn every_mistake_is_pointed_at() {
        for (pointer, value, at) in [
            ("/time", json!("10000-01-01T00:00:00Z"), "/time"),
            ("/data/actor/ip", json!("999.1.1.1"), "/data/actor/ip"),
            ("/data/details/method", json!(7), "/data/details/method"),
            ("/subject", json!(""), "/subject"),
            ("/specversion", json!("0.3"), "/specversion"),
        ] {
            let mut event = login();
            *event.pointer_mut(pointer).unwrap() = value;
            assert_eq!(parse(&event).unwrap_err().pointer, at);
        }
    }

    #[test]
    fn foreign_types_are_kept_verbatim() {
        let event = parse(&json!({
            "specversion": "1.0", "id": "x", "source": "urn:shop", "type": "com.example.order.placed",
            "authtype": "user", "authid": "bob", "data": {"total": 12.5}
        }))
        .unwrap();
        assert_eq!(event.data, json!({"total": 12.5}));
        assert_eq!(event.actor.name.as_deref(), Some("bob"));
        assert_eq!(event.action, "placed");
    }

    #[test]
    fn a_foreign_type_with_a_whole_envelope_round_trips() {
        let mut event = parse(&login()).unwrap();
        event.event_type = "sshd.connection.dropped".to_owned();
        assert_eq!(parse(&to_cloudevent(&event)).unwrap(), event);
    }

    #[test]
    fn integers_beyond_doubles_are_refused_not_rounded() {
        let event = json!({
            "specversion": "1.0", "id": "x", "source": "s", "type": "a.b", "data": {"n": 9_007_199_254_740_993_u64}
        });
        assert_eq!(parse(&event).unwrap_err().pointer, "/data/n");
    }
}

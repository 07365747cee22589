//! One audit record, read from an API page or from a log line: the same facts under different names.

use std::net::IpAddr;

use chancery_domain::{Change, Timestamp};
use serde_json::{Map, Value};

use super::NIL;
use crate::shape;

/// What both forms say.
#[derive(Debug)]
pub(super) struct AuditRecord {
    pub(super) id: String,
    pub(super) time: Timestamp,
    pub(super) action: String,
    pub(super) resource_type: String,
    pub(super) resource_id: Option<String>,
    pub(super) target: String,
    pub(super) user_id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) ip: Option<IpAddr>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) status_code: u64,
    pub(super) fields: Map<String, Value>,
    pub(super) changes: Vec<Change>,
}

impl AuditRecord {
    /// Reads an element of `audit_logs`, or the `fields` of a log line.
    pub(super) fn read(record: &Value) -> Result<Self, String> {
        let text = |api: &str, log: &str| member(record, &[api]).or_else(|| member(record, &[log]));
        let required = |api: &str, log: &str| text(api, log).ok_or_else(|| format!("has no `{api}`"));
        let user = |name: &str| member(record, &["user", name]).or_else(|| member(record, &["actor", name]));
        let time = required("time", "Time")?.parse().map_err(|error| format!("`time` {error}"))?;
        let organization = member(record, &["organization", "name"])
            .or_else(|| text("organization_id", "OrganizationID"))
            .filter(|id| *id != NIL);
        Ok(Self {
            id: shape::id(required("id", "ID")?),
            time,
            action: shape::type_segment(required("action", "Action")?),
            resource_type: shape::type_segment(required("resource_type", "ResourceType")?),
            resource_id: text("resource_id", "ResourceID").filter(|id| *id != NIL).map(shape::id),
            target: text("resource_target", "ResourceTarget").map(shape::name).unwrap_or_default(),
            user_id: user("id").or_else(|| text("user_id", "UserID")).filter(|id| *id != NIL).map(shape::id),
            username: user("username").map(shape::name),
            email: user("email").map(shape::name),
            organization: organization.map(shape::name),
            ip: text("ip", "Ip").and_then(address),
            user_agent: text("user_agent", "UserAgent").and_then(nullable).map(shape::name),
            request_id: text("request_id", "RequestID").filter(|id| *id != NIL).map(shape::id),
            status_code: either(record, "status_code", "StatusCode").and_then(Value::as_u64).unwrap_or(200),
            fields: object(either(record, "additional_fields", "AdditionalFields")),
            changes: changes(&object(either(record, "diff", "Diff"))),
        })
    }

    /// A member of `additional_fields`, numbers as text.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) if !text.is_empty() => Some(shape::name(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The change of a field.
    pub(super) fn change(&self, path: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.path == path)
    }

    /// The new value of a field, when it is a text that says something.
    pub(super) fn new_text(&self, path: &str) -> Option<String> {
        let text = self.change(path)?.new.as_ref()?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The text at a path, unless it is empty.
pub(super) fn member<'a>(record: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(record, |value, name| value.get(name))?.as_str().filter(|text| !text.is_empty())
}

fn either<'a>(record: &'a Value, api: &str, log: &str) -> Option<&'a Value> {
    record.get(api).or_else(|| record.get(log))
}

/// An object, also one that was written as JSON text.
fn object(value: Option<&Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members.clone(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Map::new(),
    }
}

/// An address; older log lines hold `{IPNet:{IP:192.0.2.1 Mask:ffffffff} Valid:true}`.
fn address(text: &str) -> Option<IpAddr> {
    shape::ip(text).or_else(|| shape::ip(text.split("IP:").nth(1)?.split([' ', '}']).next()?))
}

/// Older log lines print nullable text as `{String:curl Valid:true}`.
fn nullable(text: &str) -> Option<&str> {
    let Some(inner) = text.strip_prefix("{String:") else { return Some(text) };
    inner.strip_suffix(" Valid:true}").filter(|text| !text.is_empty())
}

/// Coder's diff `{"field": {"old", "new", "secret"}}`. Values of secret fields are left out.
fn changes(diff: &Map<String, Value>) -> Vec<Change> {
    let side = |change: &Value, names: [&str; 2]| {
        names.iter().find_map(|name| change.get(name)).map(|value| shape::bounded(value.clone()))
    };
    diff.iter()
        .map(|(path, change)| {
            let secret = ["secret", "Secret"].iter().any(|name| change.get(name) == Some(&Value::Bool(true)));
            Change {
                new: if secret { None } else { side(change, ["new", "New"]) },
                old: if secret { None } else { side(change, ["old", "Old"]) },
                path: shape::name(path),
                secret,
            }
        })
        .collect()
}

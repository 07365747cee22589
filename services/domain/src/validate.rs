//! Bounds every event must keep, whoever sends it.

use serde_json::Value;

use crate::catalogue;
use crate::event::Event;

/// Longest `id`, in bytes.
pub const MAX_ID: usize = 256;
/// Longest `source`, `stream` and other names, in bytes.
pub const MAX_NAME: usize = 1024;
/// Longest canonical form, in bytes: the limit of a tlog-tiles entry.
pub const MAX_EVENT: usize = 65_535;
/// Deepest nesting of JSON values inside an event.
pub const MAX_DEPTH: usize = 32;
/// Largest integer that JSON canonicalisation (RFC 8785, IEEE 754 doubles) keeps exactly.
pub const MAX_INTEGER: u64 = 1 << 53;

/// An event breaks a bound; `pointer` (RFC 6901) says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at `{pointer}`")]
pub struct Violation {
    /// JSON pointer into the event as it was sent.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

impl Violation {
    /// A violation at `pointer`.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }
}

/// Checks an event's bounds and, when its type and version are known, its payload.
pub fn check(event: &Event) -> Result<(), Violation> {
    text("/id", &event.id, MAX_ID)?;
    text("/source", &event.source, MAX_NAME)?;
    text("/stream", &event.stream, MAX_NAME)?;
    text("/action", &event.action, MAX_ID)?;
    text("/resource/kind", &event.resource.kind, MAX_ID)?;
    type_name(&event.event_type)?;
    value(&event.data, "/data", 0)?;
    for (name, extension) in &event.extensions {
        value(extension, &format!("/{name}"), 0)?;
    }
    for (index, change) in event.changes.iter().enumerate() {
        for (side, changed) in [("old", &change.old), ("new", &change.new)] {
            if let Some(changed) = changed {
                value(changed, &format!("/changes/{index}/{side}"), 0)?;
            }
        }
    }
    payload(event)
}

/// A payload of a known version must have its type's shape, also when that version is an old one.
fn payload(event: &Event) -> Result<(), Violation> {
    let Some(info) = catalogue::find(&event.event_type) else { return Ok(()) };
    if event.schema == 0 || event.schema > info.version {
        let reason = format!("`{}` has versions 1 to {}", info.name, info.version);
        return Err(Violation::new("/schema", reason));
    }
    let current = crate::upcast::current(&event.event_type, event.schema, &event.data);
    (info.check)(&current).map_err(|error| Violation::new(format!("/data{}", error.pointer), error.reason))
}

fn text(pointer: &str, text: &str, limit: usize) -> Result<(), Violation> {
    if text.is_empty() {
        return Err(Violation::new(pointer, "must not be empty"));
    }
    if text.len() > limit {
        return Err(Violation::new(pointer, format!("is longer than {limit} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Violation::new(pointer, "must not contain control characters"));
    }
    Ok(())
}

fn type_name(name: &str) -> Result<(), Violation> {
    text("/type", name, MAX_ID)?;
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':')) {
        Ok(())
    } else {
        Err(Violation::new("/type", "may contain letters, digits, `.`, `-`, `_` and `:` only"))
    }
}

pub(crate) fn value(json: &Value, pointer: &str, depth: usize) -> Result<(), Violation> {
    if depth > MAX_DEPTH {
        return Err(Violation::new(pointer, format!("is nested deeper than {MAX_DEPTH} levels")));
    }
    match json {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match magnitude {
                Some(magnitude) if magnitude > MAX_INTEGER => {
                    Err(Violation::new(pointer, "is an integer beyond 2^53; send it as a string"))
                }
                _ => Ok(()),
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| value(item, &format!("{pointer}/{index}"), depth + 1))
        }
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            let nested = match member {
                // Formatting a pointer for every leaf would dominate ingest; scalars that cannot fail skip it.
                Value::Null | Value::Bool(_) | Value::String(_) => return Ok(()),
                _ => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
            };
            value(member, &nested, depth + 1)
        }),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

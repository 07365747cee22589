//! Makes an event fit the bounds that every event keeps.

use std::net::IpAddr;

use chancery_domain::{Event, Imported, validate};
use chancery_evidence::Sealed;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Format;

/// Longest name or free text taken over from a log, in bytes.
const MAX_TEXT: usize = 512;
/// An event read from a record shorter than this is within the limit for sure.
const SURELY_FITS: usize = 24 * 1024;

/// A text from a log as a name: without control characters, not longer than names need to be.
pub(crate) fn name(text: &str) -> String {
    let mut clean: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if clean.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT - 3).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or_default();
        clean.truncate(end);
        clean.push('…');
    }
    clean
}

/// The same as an id or part of one: shorter, and `unknown` when empty.
pub(crate) fn id(text: &str) -> String {
    let clean = name(text);
    if clean.is_empty() {
        "unknown".to_owned()
    } else if clean.len() > validate::MAX_ID {
        format!("sha256:{}", sha256(clean.as_bytes()))
    } else {
        clean
    }
}

/// A text with what type names don't allow replaced by `-`.
pub(crate) fn type_segment(text: &str) -> String {
    let segment: String =
        text.chars().take(100).map(|c| if c.is_ascii_alphanumeric() || "-_:".contains(c) { c } else { '-' }).collect();
    if segment.is_empty() { "unknown".to_owned() } else { segment }
}

/// An address, also with a prefix length or inside other text's brackets.
pub(crate) fn ip(text: &str) -> Option<IpAddr> {
    let address = text.trim().trim_start_matches('[').trim_end_matches(']');
    address.split(['/', '%']).next()?.parse().ok()
}

/// Lower-case hex SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A value within the bounds of JSON values: integers beyond 2^53 as strings, what is nested too deep as
/// JSON text.
pub(crate) fn bounded(value: Value) -> Value {
    bounded_at(value, 2)
}

fn bounded_at(value: Value, depth: usize) -> Value {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|m| m > validate::MAX_INTEGER) {
                Value::String(number.to_string())
            } else {
                Value::Number(number)
            }
        }
        Value::Array(_) | Value::Object(_) if depth >= validate::MAX_DEPTH - 1 => Value::String(value.to_string()),
        Value::Array(items) => items.into_iter().map(|item| bounded_at(item, depth + 1)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, member)| (key, bounded_at(member, depth + 1))).collect()
        }
        other => other,
    }
}

/// What stands in for a value that is too large to keep.
pub(crate) fn truncated(value: &Value) -> Value {
    json!({ "truncated": true, "sha256": sha256(value.to_string().as_bytes()) })
}

/// Marks an event as imported and checks it. `shrink` makes it smaller, step by step, until it answers
/// `false`; it is asked when the event is beyond the limit.
pub(crate) fn finish(
    mut event: Event,
    format: Format,
    size: usize,
    mut shrink: impl FnMut(&mut Event, usize) -> bool,
) -> Result<Event, String> {
    event.imported.get_or_insert_with(|| Imported { format: format.as_str().to_owned(), origin: None });
    validate::check(&event).map_err(|violation| violation.to_string())?;
    if size > SURELY_FITS {
        let mut step = 0;
        while let Err(error) = Sealed::new(&event) {
            if !shrink(&mut event, step) {
                return Err(error.to_string());
            }
            step += 1;
        }
    }
    Ok(event)
}

//! What the texts of values mean: instants, and texts without case.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The instant of an `xsd:dateTime`. One without an offset is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let local: DateTime = text.parse().ok()?;
    if !text.contains(['T', 't', ' ']) {
        return None;
    }
    Offset::UTC.to_timestamp(local).ok()
}

/// The text as it compares where case does not matter.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return text.to_ascii_lowercase().into();
        }
        return text.into();
    }
    text.to_lowercase().into()
}

//! Finding and reading claims.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::OidcError;

/// A claim by its name as it is, or else as a path through objects: names of some providers are URLs, with dots.
pub(crate) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
}

/// A claim that is a text with something in it.
pub(crate) fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    find(claims, name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A claim that is a list of texts, or one text.
pub(crate) fn texts(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    let values = find(claims, name).map_or_else(Vec::new, many);
    values.into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A claim that is a list of texts, or texts in one with spaces between.
pub(crate) fn words(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    texts(claims, name).iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

/// Turns away who lacks one of these claims, or has none of the values that it must have.
pub(crate) fn require(claims: &Map<String, Value>, required: &BTreeMap<String, Vec<String>>) -> Result<(), OidcError> {
    match required.iter().find(|(name, values)| !has_one_of(claims, name, values)) {
        Some((name, _)) => Err(OidcError::NotAllowed(format!("the claim `{name}` has no value that it must have"))),
        None => Ok(()),
    }
}

/// Whether a claim, or a member of the list that it is, is one of these. No values means that it is there.
fn has_one_of(claims: &Map<String, Value>, name: &str, wanted: &[String]) -> bool {
    let is_wanted = |value: &Value| match value {
        Value::String(text) => wanted.contains(text),
        Value::Bool(_) | Value::Number(_) => wanted.contains(&value.to_string()),
        _ => false,
    };
    find(claims, name).is_some_and(|value| wanted.is_empty() || many(value).into_iter().any(is_wanted))
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

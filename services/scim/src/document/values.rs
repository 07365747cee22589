//! Values: from what a client sent to what the attribute's type allows.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use crate::error::ScimError;
use crate::filter::{instant, is_empty};
use crate::profile::Profile;
use crate::schema::{Attribute, AttributeType};

/// Most elements of one multi-valued attribute. Members of groups are not among them.
const MAX_ELEMENTS: usize = 5_000;

/// Reads values for attributes, and remembers what it ignored.
pub(crate) struct Reader<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) ignored: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(profile: &'a Profile) -> Self {
        Self { profile, ignored: Vec::new() }
    }

    /// The whole of an attribute: none where the value says there is none.
    pub(crate) fn attribute(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        if !attribute.multi_valued {
            return self.single(attribute, value);
        }
        let items = match value {
            Value::Null => return Ok(None),
            Value::Array(items) => items,
            single if self.profile.loose_cardinality => vec![single],
            other => return Err(unfit(attribute, "a list", &other)),
        };
        let elements = self.elements(attribute, items)?;
        Ok((!elements.is_empty()).then_some(Value::Array(elements)))
    }

    /// The elements of a multi-valued attribute, at most one of them primary.
    pub(crate) fn elements(&mut self, attribute: &Attribute, items: Vec<Value>) -> Result<Vec<Value>, ScimError> {
        check_length(attribute, items.len())?;
        let mut elements = Vec::with_capacity(items.len());
        let mut has_primary = false;
        for item in items {
            let Some(mut element) = self.element(attribute, item)? else { continue };
            if primary_of(&element) {
                if has_primary && !self.profile.first_primary_wins {
                    return Err(ScimError::value(format!("`{}`: at most one value is primary", attribute.name)));
                }
                if has_primary {
                    element["primary"] = Value::Bool(false);
                }
                has_primary = true;
            }
            elements.push(element);
        }
        Ok(elements)
    }

    fn single(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        match value {
            Value::Array(mut items) if self.profile.loose_cardinality => match items.pop() {
                None => Ok(None),
                Some(item) if items.is_empty() => self.element(attribute, item),
                Some(_) => Err(ScimError::value(format!("`{}` has a single value", attribute.name))),
            },
            other => self.element(attribute, other),
        }
    }

    /// One value, or one element of a list.
    pub(crate) fn element(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        match value {
            Value::Null => Ok(None),
            Value::String(text)
                if text.is_empty() && attribute.kind != AttributeType::String && self.profile.empty_text_removes =>
            {
                Ok(None)
            }
            value if attribute.is_complex() => self.complex(attribute, value),
            value => scalar(attribute, value, self.profile).map(Some),
        }
    }

    fn complex(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        let members = self.members(attribute, value)?;
        let mut object = Map::new();
        for (name, value) in members {
            let Some(sub) = self.sub(attribute, &name)? else { continue };
            if sub.is_read_only() || sub.is_secret() {
                continue;
            }
            if let Some(value) = self.attribute(sub, value).map_err(|error| error.within(&attribute.name))? {
                object.insert(sub.name.clone(), value);
            }
        }
        let value_is_gone = self.profile.empty_text_removes
            && attribute.sub("value").is_some()
            && object.get("value").is_some_and(is_empty);
        if object.is_empty() || value_is_gone {
            return Ok(None);
        }
        if let Some(missing) = attribute.sub_attributes.iter().find(|sub| is_missing(sub, &object)) {
            return Err(ScimError::value(format!("`{}.{}` is required", attribute.name, missing.name)));
        }
        Ok(Some(Value::Object(object)))
    }

    /// The members of a value for a complex attribute: a text may stand for its `value`.
    pub(crate) fn members(&self, attribute: &Attribute, value: Value) -> Result<Map<String, Value>, ScimError> {
        match value {
            Value::Object(members) => {
                check_spelling(&members)?;
                Ok(members)
            }
            Value::String(_) | Value::Number(_)
                if self.profile.bare_complex_values && attribute.sub("value").is_some() =>
            {
                Ok(Map::from_iter([("value".to_owned(), value)]))
            }
            other => Err(unfit(attribute, "an object", &other)),
        }
    }

    /// The sub-attribute of that name; none where it is unknown and may be ignored.
    pub(crate) fn sub<'r>(&mut self, attribute: &'r Attribute, name: &str) -> Result<Option<&'r Attribute>, ScimError> {
        match attribute.sub(name) {
            Some(sub) => Ok(Some(sub)),
            None => self.unknown(&format!("{}.{name}", attribute.name)).map(|()| None),
        }
    }

    /// An attribute no schema knows.
    pub(crate) fn unknown(&mut self, path: &str) -> Result<(), ScimError> {
        if !self.profile.ignore_unknown_attributes {
            return Err(ScimError::syntax(format!("there is no attribute `{path}`")));
        }
        self.ignored.push(path.to_owned());
        Ok(())
    }
}

/// Refuses lists that are too long.
pub(crate) fn check_length(attribute: &Attribute, length: usize) -> Result<(), ScimError> {
    if length > MAX_ELEMENTS {
        return Err(ScimError::too_large(format!("`{}` has at most {MAX_ELEMENTS} values", attribute.name)));
    }
    Ok(())
}

/// A required sub-attribute that clients set and that is not there.
fn is_missing(sub: &Attribute, object: &Map<String, Value>) -> bool {
    sub.required && !sub.is_read_only() && !object.contains_key(&sub.name)
}

/// Refuses an object with two spellings of one name.
pub(crate) fn check_spelling(object: &Map<String, Value>) -> Result<(), ScimError> {
    const FEW: usize = 64;
    if object.len() > FEW {
        let mut seen = HashSet::with_capacity(object.len());
        let repeated = object.keys().find(|name| !seen.insert(name.to_ascii_lowercase()));
        return repeated.map_or(Ok(()), |name| Err(twice(name)));
    }
    for (position, name) in object.keys().enumerate() {
        if object.keys().skip(position + 1).any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(twice(name));
        }
    }
    Ok(())
}

/// The refusal of two spellings of one name in one object.
pub(crate) fn twice(name: &str) -> ScimError {
    ScimError::syntax(format!("`{name}` is given twice, in different spellings"))
}

/// Whether an element is the primary one.
pub(crate) fn primary_of(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// The boolean a value means.
pub(crate) fn boolean_of(value: &Value, profile: &Profile) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if profile.loose_booleans => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        Value::Number(number) if profile.loose_booleans => match number.as_u64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A value of a simple type.
fn scalar(attribute: &Attribute, value: Value, profile: &Profile) -> Result<Value, ScimError> {
    let loose = profile.loose_scalars;
    let expected = match (attribute.kind, value) {
        (AttributeType::String | AttributeType::Reference, Value::String(text)) => return Ok(Value::String(text)),
        (AttributeType::String | AttributeType::Reference, scalar @ (Value::Number(_) | Value::Bool(_))) if loose => {
            return Ok(Value::String(scalar.to_string()));
        }
        (AttributeType::Boolean, value) => match boolean_of(&value, profile) {
            Some(boolean) => return Ok(Value::Bool(boolean)),
            None => ("true or false", value),
        },
        (AttributeType::Integer, value) => match number_of(&value, loose).and_then(|number| whole(&number)) {
            Some(number) => return Ok(Value::Number(number)),
            None => ("a whole number", value),
        },
        (AttributeType::Decimal, value) => match number_of(&value, loose) {
            Some(number) => return Ok(Value::Number(number)),
            None => ("a number", value),
        },
        (AttributeType::DateTime, Value::String(text)) if instant(&text).is_some() => return Ok(Value::String(text)),
        (AttributeType::DateTime, value) => ("a date and time", value),
        (AttributeType::Binary, Value::String(text)) if is_base64(&text) => return Ok(Value::String(text)),
        (AttributeType::Binary, value) => ("base64", value),
        (_, value) => ("a text", value),
    };
    Err(unfit(attribute, expected.0, &expected.1))
}

fn number_of(value: &Value, loose: bool) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) if loose => serde_json::from_str(text.trim()).ok(),
        _ => None,
    }
}

/// The number as a whole one, where it has no fraction.
fn whole(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return Some(number.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the exact range")]
    let integer = float as i64;
    Some(integer.into())
}

/// Whether a text is base64 of RFC 4648, in either alphabet, with or without padding or line breaks.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches(['\r', '\n', ' ']);
    let unpadded = digits.trim_end_matches('=');
    let mut length = 0;
    for byte in unpadded.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => length += 1,
            b'\r' | b'\n' => {}
            _ => return false,
        }
    }
    length % 4 != 1 && digits.len() - unpadded.len() <= 2
}

/// The value is not of the attribute's type. Long values are cut.
fn unfit(attribute: &Attribute, expected: &str, value: &Value) -> ScimError {
    let found: String = value.to_string().chars().take(60).collect();
    ScimError::value(format!("`{}`: expected {expected}, found {found}", attribute.name))
}

//! Changing an attribute as a whole, a sub-attribute of a single object, or a list.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::given;
use super::request::OperationKind;
use crate::document::{Reader, check_length, primary_of};
use crate::error::ScimError;
use crate::filter::is_empty;
use crate::schema::{Attribute, Mutability, Place};

/// Changes an attribute of `object` by an operation whose path chooses no elements.
pub(super) fn write(
    reader: &mut Reader,
    object: &mut Map<String, Value>,
    kind: OperationKind,
    place: &Place,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let attribute = place.attribute;
    match place.sub {
        Some(sub) => {
            let mut inner = match object.remove(&attribute.name) {
                Some(Value::Object(inner)) => inner,
                _ => Map::new(),
            };
            write_sub(reader, &mut inner, sub, kind, value)?;
            if !inner.is_empty() {
                object.insert(attribute.name.clone(), Value::Object(inner));
            }
            Ok(())
        }
        None if attribute.is_complex() && !attribute.multi_valued => {
            write_object(reader, object, attribute, kind, value)
        }
        None => write_plain(reader, object, attribute, kind, value),
    }
}

/// Changes a sub-attribute in the object that has it.
pub(super) fn write_sub(
    reader: &mut Reader,
    inner: &mut Map<String, Value>,
    sub: &Attribute,
    kind: OperationKind,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let before = inner.get(&sub.name).cloned();
    write_plain(reader, inner, sub, kind, value)?;
    let after = inner.get(&sub.name);
    if before.is_some() && after != before.as_ref() {
        if sub.mutability == Mutability::Immutable {
            return Err(ScimError::mutability(format!("`{}` cannot be changed once it is set", sub.name)));
        }
        if sub.required && after.is_none() {
            return Err(ScimError::mutability(format!("`{}` is required and cannot be removed", sub.name)));
        }
        if sub.name == "value" {
            forget_reference(inner);
        }
    }
    Ok(())
}

/// What described the old value does not describe the new one.
fn forget_reference(inner: &mut Map<String, Value>) {
    inner.remove("$ref");
}

/// A single complex attribute: sub-attributes the value does not speak of stay, for `add` and `replace` alike.
fn write_object(
    reader: &mut Reader,
    object: &mut Map<String, Value>,
    attribute: &Attribute,
    kind: OperationKind,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let value = match value {
        Some(Value::Array(mut items)) if reader.profile.loose_cardinality && items.len() < 2 => items.pop(),
        Some(Value::String(text)) if text.is_empty() && reader.profile.empty_text_removes => None,
        other => given(other),
    };
    let Some(value) = value.filter(|_| kind != OperationKind::Remove) else {
        object.remove(&attribute.name);
        return Ok(());
    };
    let mut inner = match object.get(&attribute.name) {
        Some(Value::Object(inner)) => inner.clone(),
        _ => Map::new(),
    };
    merge(reader, &mut inner, attribute, kind, value)?;
    if inner.is_empty() {
        object.remove(&attribute.name);
    } else {
        object.insert(attribute.name.clone(), Value::Object(inner));
    }
    Ok(())
}

/// Writes the sub-attributes a value speaks of into an object.
pub(super) fn merge(
    reader: &mut Reader,
    inner: &mut Map<String, Value>,
    attribute: &Attribute,
    kind: OperationKind,
    value: Value,
) -> Result<(), ScimError> {
    let mut members: Vec<(&Attribute, Value)> = Vec::new();
    for (name, value) in reader.members(attribute, value)? {
        if let Some(sub) = reader.sub(attribute, &name)?
            && !sub.is_read_only()
            && !sub.is_secret()
        {
            members.push((sub, value));
        }
    }
    // The value goes first: a reference that comes with it must not be forgotten with the old one.
    members.sort_by_key(|(sub, _)| sub.name != "value");
    for (sub, value) in members {
        write_sub(reader, inner, sub, kind, Some(value))?;
    }
    let value_is_gone = reader.profile.empty_text_removes && inner.get("value").is_some_and(is_empty);
    if value_is_gone {
        inner.clear();
    }
    Ok(())
}

/// A simple attribute, or a list as a whole.
fn write_plain(
    reader: &mut Reader,
    object: &mut Map<String, Value>,
    attribute: &Attribute,
    kind: OperationKind,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if kind == OperationKind::Remove {
        return remove(reader, object, attribute, given(value));
    }
    let value = value.unwrap_or(Value::Null);
    if !attribute.multi_valued {
        match reader.attribute(attribute, value)? {
            Some(value) => object.insert(attribute.name.clone(), value),
            None => object.remove(&attribute.name),
        };
        return Ok(());
    }
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        single => vec![single],
    };
    let new = reader.elements(attribute, items)?;
    let list = match (kind, object.remove(&attribute.name)) {
        (OperationKind::Add, Some(Value::Array(old))) => appended(old, new),
        (OperationKind::Add, _) => appended(Vec::new(), new),
        _ => new,
    };
    check_length(attribute, list.len())?;
    if !list.is_empty() {
        object.insert(attribute.name.clone(), Value::Array(list));
    }
    Ok(())
}

/// The list with those elements that it does not have yet.
fn appended(mut list: Vec<Value>, mut new: Vec<Value>) -> Vec<Value> {
    if new.iter().any(|element| primary_of(element) && !list.contains(element)) {
        list.iter_mut().for_each(clear_primary);
    }
    let known: HashSet<&Value> = list.iter().collect();
    let mut seen = HashSet::new();
    new.retain(|element| !known.contains(element) && seen.insert(element.clone()));
    list.extend(new);
    list
}

/// Makes an element one that is not primary.
pub(super) fn clear_primary(element: &mut Value) {
    if primary_of(element) {
        element["primary"] = Value::Bool(false);
    }
}

fn remove(
    reader: &mut Reader,
    object: &mut Map<String, Value>,
    attribute: &Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let Some(value) = value else {
        object.remove(&attribute.name);
        return Ok(());
    };
    if !reader.profile.remove_by_value {
        return Err(ScimError::value("a `remove` takes no value, choose by a filter in the path"));
    }
    let Some(Value::Array(list)) = object.get_mut(&attribute.name).filter(|_| attribute.multi_valued) else {
        object.remove(&attribute.name);
        return Ok(());
    };
    let items = match value {
        Value::Array(items) => items,
        single => vec![single],
    };
    let unwanted = reader.elements(attribute, items)?;
    list.retain(|element| !unwanted.iter().any(|unwanted| covers(unwanted, element)));
    if list.is_empty() {
        object.remove(&attribute.name);
    }
    Ok(())
}

/// Whether an element is what a value describes: the same, or an object that agrees in all the value has.
fn covers(description: &Value, element: &Value) -> bool {
    match (description, element) {
        (Value::Object(description), Value::Object(element)) => {
            description.iter().all(|(name, value)| element.get(name) == Some(value))
        }
        _ => description == element,
    }
}

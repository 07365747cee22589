//! What changed between two canonical documents, attribute by attribute.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::document::Document;
use crate::schema::{Attribute, ResourceType};

/// One changed attribute. A side that is absent had no value.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The path, as a PATCH would have it: `name.givenName`, `emails[type eq "work"].value`.
    pub path: String,
    /// The value before.
    pub old: Option<Value>,
    /// The value after.
    pub new: Option<Value>,
}

/// What changed from `old` to `new`, in the order of the schemas.
///
/// Elements of lists are told apart by their `type` where each has one of its own, else by their `value`.
pub fn diff(resource_type: &ResourceType, old: &Document, new: &Document) -> Vec<Change> {
    let mut changes = Vec::new();
    for attribute in resource_type.attributes() {
        attribute_changes(attribute, &attribute.name, old.get(&attribute.name), new.get(&attribute.name), &mut changes);
    }
    for extension in resource_type.extensions() {
        let schema = &extension.schema;
        let side =
            |document: &'_ Document, name: &str| document.get(&schema.id).and_then(|object| object.get(name)).cloned();
        for attribute in &schema.attributes {
            let path = format!("{}:{}", schema.id, attribute.name);
            let (old, new) = (side(old, &attribute.name), side(new, &attribute.name));
            attribute_changes(attribute, &path, old.as_ref(), new.as_ref(), &mut changes);
        }
    }
    changes
}

fn attribute_changes(
    attribute: &Attribute,
    path: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    changes: &mut Vec<Change>,
) {
    if old == new {
        return;
    }
    if attribute.multi_valued {
        let items = |side: Option<&Value>| side.and_then(Value::as_array).cloned().unwrap_or_default();
        return element_changes(attribute, path, &items(old), &items(new), changes);
    }
    let is_object = |side: Option<&Value>| side.is_none_or(Value::is_object);
    if attribute.is_complex() && is_object(old) && is_object(new) {
        return part_changes(attribute, path, old, new, changes);
    }
    changes.push(Change { path: path.to_owned(), old: old.cloned(), new: new.cloned() });
}

/// The changes of an object's sub-attributes.
fn part_changes(
    attribute: &Attribute,
    path: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    changes: &mut Vec<Change>,
) {
    for sub in &attribute.sub_attributes {
        let (old, new) = (old.and_then(|old| old.get(&sub.name)), new.and_then(|new| new.get(&sub.name)));
        if old != new {
            changes.push(Change { path: format!("{path}.{}", sub.name), old: old.cloned(), new: new.cloned() });
        }
    }
}

/// The changes of a list: elements that are equal go in pairs and out, the others are matched by what they are.
fn element_changes(attribute: &Attribute, path: &str, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let first = changes.len();
    let mut counts: HashMap<&Value, usize> = HashMap::new();
    for element in new {
        *counts.entry(element).or_default() += 1;
    }
    let mut common: HashMap<&Value, usize> = HashMap::new();
    let mut gone = Vec::new();
    for element in old {
        match counts.get_mut(element).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                *common.entry(element).or_default() += 1;
            }
            None => gone.push(element),
        }
    }
    let mut come: Vec<&Value> = Vec::new();
    for element in new {
        match common.get_mut(element).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => come.push(element),
        }
    }
    for element in gone {
        let partner = partner(element, old, new, &come);
        let (key, partner) = match partner {
            Some((key, position)) => (key, Some(come.remove(position))),
            None => (selector(element, old), None),
        };
        match partner {
            Some(partner) => part_changes(attribute, &format!("{path}{key}"), Some(element), Some(partner), changes),
            None => changes.push(Change { path: format!("{path}{key}"), old: Some(element.clone()), new: None }),
        }
    }
    for element in come {
        let path = format!("{path}{}", selector(element, new));
        changes.push(Change { path, old: None, new: Some(element.clone()) });
    }
    if changes.len() == first {
        let list = |side: &[Value]| Some(Value::Array(side.to_vec()));
        changes.push(Change { path: path.to_owned(), old: list(old), new: list(new) });
    }
}

/// The element that an old one became, by the first of `type` and `value` that tells both apart from the others.
fn partner(element: &Value, old: &[Value], new: &[Value], come: &[&Value]) -> Option<(String, usize)> {
    ["type", "value"].into_iter().find_map(|name| {
        let key = element.get(name)?;
        let is_same = |other: &Value| other.get(name) == Some(key);
        let alone = |side: &[Value]| side.iter().filter(|other| is_same(other)).count() == 1;
        let position = come.iter().position(|other| is_same(other))?;
        (alone(old) && alone(new)).then(|| (format!("[{name} eq {key}]"), position))
    })
}

/// What tells an element apart from the others of its list.
fn selector(element: &Value, list: &[Value]) -> String {
    let Value::Object(object) = element else { return format!("[value eq {element}]") };
    for name in ["type", "value"] {
        if let Some(key) = object.get(name)
            && list.iter().filter(|other| other.get(name) == Some(key)).count() == 1
        {
            return format!("[{name} eq {key}]");
        }
    }
    let terms: Vec<String> = scalars(object).map(|(name, value)| format!("{name} eq {value}")).collect();
    format!("[{}]", terms.join(" and "))
}

fn scalars(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(_, value)| !value.is_array() && !value.is_object())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Registry;
    use crate::schema::ENTERPRISE_SCHEMA;

    fn changes(old: &Value, new: &Value) -> Vec<(String, Value, Value)> {
        let registry = Registry::standard().unwrap();
        let user = registry.resource_type("User").unwrap();
        let changes = diff(user, old.as_object().unwrap(), new.as_object().unwrap());
        let side = Option::unwrap_or_default;
        changes.into_iter().map(|change| (change.path, side(change.old), side(change.new))).collect()
    }

    fn change(path: &str, old: Value, new: Value) -> (String, Value, Value) {
        (path.to_owned(), old, new)
    }

    #[test]
    fn single_values_and_parts_have_dotted_paths() {
        let old = json!({"userName": "a", "name": {"givenName": "A", "familyName": "B"}});
        let new = json!({"userName": "b", "name": {"givenName": "C", "familyName": "B"}, "active": true});
        assert_eq!(
            changes(&old, &new),
            [
                change("userName", json!("a"), json!("b")),
                change("name.givenName", json!("A"), json!("C")),
                change("active", Value::Null, json!(true)),
            ]
        );
        assert_eq!(changes(&old, &old), []);
    }

    #[test]
    fn elements_are_told_apart_by_type() {
        let old = json!({"emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "h"}]});
        let new = json!({"emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "b"}]});
        assert_eq!(changes(&old, &new), [change("emails[type eq \"work\"].value", json!("a"), json!("b"))]);
    }

    #[test]
    fn elements_without_a_type_of_their_own_are_told_apart_by_value() {
        let old = json!({"roles": [{"value": "a"}, {"value": "b"}]});
        let new = json!({"roles": [{"value": "b", "primary": true}, {"value": "c"}]});
        assert_eq!(
            changes(&old, &new),
            [
                change("roles[value eq \"a\"]", json!({"value": "a"}), Value::Null),
                change("roles[value eq \"b\"].primary", Value::Null, json!(true)),
                change("roles[value eq \"c\"]", Value::Null, json!({"value": "c"})),
            ]
        );
    }

    #[test]
    fn extension_attributes_have_their_urn() {
        let old = json!({(ENTERPRISE_SCHEMA): {"department": "x", "manager": {"value": "1"}}});
        assert_eq!(
            changes(&old, &json!({})),
            [
                change(&format!("{ENTERPRISE_SCHEMA}:department"), json!("x"), Value::Null),
                change(&format!("{ENTERPRISE_SCHEMA}:manager.value"), json!("1"), Value::Null),
            ]
        );
    }

    #[test]
    fn a_list_in_another_order_is_a_change_of_the_whole() {
        let old = json!({"roles": [{"value": "a"}, {"value": "b"}]});
        let new = json!({"roles": [{"value": "b"}, {"value": "a"}]});
        let changes = changes(&old, &new);
        assert_eq!((changes.len(), changes[0].0.as_str()), (1, "roles"));
    }
}

//! SCIM attributes as events carry them, and what the rest of the system takes from them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::event::Change;

/// The attributes of a SCIM resource, by canonical name; extensions are objects under their URN.
pub type Attributes = Map<String, Value>;

/// What tables and other events know of a resource's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `userName`.
    pub username: Option<String>,
    /// `displayName`, else `name.formatted`.
    pub display_name: Option<String>,
    /// The primary e-mail address, else the first.
    pub email: Option<String>,
    /// `externalId`.
    pub external_id: Option<String>,
    /// `active`.
    pub active: Option<bool>,
}

impl Summary {
    /// The summary of some attributes.
    pub fn of(attributes: &Attributes) -> Self {
        let name = attributes.get("name");
        Self {
            username: text(attributes.get("userName")),
            display_name: text(attributes.get("displayName"))
                .or_else(|| text(name))
                .or_else(|| text(name.and_then(|name| name.get("formatted")))),
            email: email(attributes.get("emails")),
            external_id: text(attributes.get("externalId")),
            active: attributes.get("active").and_then(Value::as_bool),
        }
    }
}

/// All e-mail addresses of a resource, as they are compared.
pub fn addresses(attributes: &Attributes) -> BTreeSet<String> {
    let emails = attributes.get("emails").and_then(Value::as_array).into_iter().flatten();
    emails.filter_map(|email| text(email.get("value"))).map(|address| key(&address)).collect()
}

/// The form in which names are compared: they differ in more than case, or are the same.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

/// What differs between two sets of attributes, old and new value of each; of an object member by member. The members
/// of extensions are named as in SCIM paths, `urn:…:User:department`.
pub fn changes(old: &Attributes, new: &Attributes) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", old, new, &mut changes);
    changes
}

fn compare(prefix: &str, old: &Attributes, new: &Attributes, changes: &mut Vec<Change>) {
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(name, value)| (name, Some(value), None));
    let rest = new.iter().map(|(name, value)| (name, old.get(name), Some(value)));
    for (name, before, after) in gone.chain(rest).filter(|(_, before, after)| before != after) {
        let path = format!("{prefix}{name}");
        if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
            let separator = if name.starts_with("urn:") { ':' } else { '.' };
            compare(&format!("{path}{separator}"), before, after, changes);
        } else {
            changes.push(Change { new: after.cloned(), old: before.cloned(), path, secret: false });
        }
    }
}

/// Without the one character that PostgreSQL cannot keep in a text.
fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.replace('\0', "");
    (!text.is_empty()).then_some(text)
}

/// Puts a main e-mail address in place of the one there is.
pub(crate) fn set_main_address(attributes: &mut Attributes, address: &str) {
    let emails = attributes.entry("emails").or_insert_with(|| Value::Array(Vec::new()));
    if !emails.is_array() {
        *emails = Value::Array(Vec::new());
    }
    let Some(emails) = emails.as_array_mut() else { return };
    let primary = emails.iter().position(|email| email.get("primary") == Some(&Value::Bool(true)));
    match emails.get_mut(primary.unwrap_or(0)).and_then(Value::as_object_mut) {
        Some(main) => drop(main.insert("value".to_owned(), address.into())),
        None => emails.insert(0, serde_json::json!({"value": address, "primary": true})),
    }
}

fn email(emails: Option<&Value>) -> Option<String> {
    let emails = emails?.as_array()?;
    let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
    text(primary.or_else(|| emails.first())?.get("value"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(value: Value) -> Attributes {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_summary_takes_the_primary_address_and_the_formatted_name() {
        let summary = Summary::of(&attributes(json!({
            "userName": "Ada", "externalId": "7", "active": false, "name": {"formatted": "Ada\u{0} L."},
            "emails": [{"value": "first@example.com"}, {"value": "main@example.com", "primary": true}],
        })));
        assert_eq!(summary.display_name.as_deref(), Some("Ada L."));
        assert_eq!(summary.email.as_deref(), Some("main@example.com"));
        assert_eq!((summary.external_id.as_deref(), summary.active), (Some("7"), Some(false)));
        assert_eq!(Summary::of(&attributes(json!({"emails": [], "active": "yes"}))), Summary::default());
    }

    #[test]
    fn all_addresses_are_known_as_they_are_compared() {
        let emails = json!({"emails": [{"value": "A@x"}, {"value": "b@x"}, {"value": ""}, {"type": "home"}, "c@x"]});
        assert_eq!(addresses(&attributes(emails)), BTreeSet::from(["a@x".into(), "b@x".into()]));
        assert!(addresses(&attributes(json!({"emails": "a@x"}))).is_empty());
    }

    #[test]
    fn changes_name_the_members_that_differ() {
        let old =
            attributes(json!({"name": {"givenName": "A", "familyName": "B"}, "title": "x", "urn:e:User": {"d": 1}}));
        let new =
            attributes(json!({"name": {"givenName": "C", "familyName": "B"}, "urn:e:User": {"d": 2}, "nick": null}));
        let mut changes = changes(&old, &new);
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["name.givenName", "nick", "title", "urn:e:User:d"]);
        assert_eq!((&changes[2].old, &changes[2].new), (&Some(json!("x")), &None));
        assert_eq!((&changes[1].old, &changes[1].new), (&None, &Some(Value::Null)));
        assert_eq!(super::changes(&old, &old), []);
    }
}

//! Which attributes an answer has: `attributes`, `excludedAttributes` and each attribute's `returned`
//! (RFC 7644 section 3.9).

use serde_json::{Map, Value};

use crate::document::Document;
use crate::error::ScimError;
use crate::schema::{Attribute, Located, ResourceType, Returned};

/// The names a client asks for or excludes. Unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projection {
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Projection {
    /// A projection of the attributes asked for and those excluded; not both at once.
    pub fn new(attributes: Vec<String>, excluded: Vec<String>) -> Result<Self, ScimError> {
        if !attributes.is_empty() && !excluded.is_empty() {
            return Err(ScimError::value("`attributes` and `excludedAttributes` exclude each other"));
        }
        Ok(Self { attributes, excluded })
    }

    /// The same from query parameters: names divided by commas.
    pub fn from_parameters(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        Self::new(names(attributes.unwrap_or_default()), names(excluded.unwrap_or_default()))
    }

    /// Whether the client asks for certain attributes: a PATCH then answers with the resource
    /// (RFC 7644 section 3.5.2).
    pub fn is_explicit(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// The projection for a resource type.
    pub fn view<'r>(&self, resource_type: &'r ResourceType) -> View<'r> {
        let choices = |names: &[String]| names.iter().filter_map(|name| choice(resource_type, name)).collect();
        let (asked, excluded) = (choices(&self.attributes), choices(&self.excluded));
        View { resource_type, asked: self.is_explicit().then_some(asked), excluded }
    }
}

/// Names divided by commas.
pub(crate) fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A projection resolved with a resource type.
#[derive(Debug, Clone)]
pub struct View<'r> {
    resource_type: &'r ResourceType,
    /// None where the client asks for nothing certain.
    asked: Option<Vec<Choice<'r>>>,
    excluded: Vec<Choice<'r>>,
}

/// A name a client gave: an extension, an attribute, or a part of one.
#[derive(Debug, Clone, Copy)]
struct Choice<'r> {
    extension: Option<&'r str>,
    attribute: Option<&'r str>,
    sub: Option<&'r str>,
}

impl Choice<'_> {
    fn is_of(&self, extension: Option<&str>, attribute: &str) -> bool {
        self.extension == extension && self.attribute == Some(attribute)
    }
}

fn choice<'r>(resource_type: &'r ResourceType, name: &str) -> Option<Choice<'r>> {
    Some(match resource_type.locate(name, true)? {
        Located::Extension(schema) => Choice { extension: Some(&schema.id), attribute: None, sub: None },
        Located::Attribute(place) => Choice {
            extension: place.extension.map(|extension| extension.id.as_str()),
            attribute: Some(&place.attribute.name),
            sub: place.sub.map(|sub| sub.name.as_str()),
        },
    })
}

/// What of an attribute is shown.
enum Shown<'c> {
    Nothing,
    Everything,
    /// These parts alone.
    Only(Vec<&'c str>),
    /// All but these parts.
    Without(Vec<&'c str>),
}

impl View<'_> {
    /// Whether the answer has the attribute outside extensions, so that what it costs can be saved where not.
    pub fn wants(&self, attribute: &str) -> bool {
        let known = self.resource_type.attribute(attribute);
        known.is_some_and(|attribute| !matches!(self.shown(None, attribute), Shown::Nothing))
    }

    /// The rendered resource, cut.
    pub fn apply(&self, resource: Document) -> Document {
        let mut cut = Document::new();
        for (name, value) in resource {
            if let Some(attribute) = self.resource_type.attribute(&name) {
                if let Some(value) = self.part(None, attribute, value) {
                    cut.insert(name, value);
                }
            } else if let (Some(extension), Value::Object(members)) = (self.resource_type.extension(&name), value) {
                let schema = &extension.schema;
                let mut object = Map::new();
                for (member, value) in members {
                    if let Some(attribute) = schema.attribute(&member)
                        && let Some(value) = self.part(Some(&schema.id), attribute, value)
                    {
                        object.insert(member, value);
                    }
                }
                if !object.is_empty() {
                    cut.insert(name, Value::Object(object));
                }
            }
        }
        cut
    }

    fn shown(&self, extension: Option<&str>, attribute: &Attribute) -> Shown<'_> {
        let is_whole = |choice: &Choice| {
            choice.is_of(extension, &attribute.name) && choice.sub.is_none()
                || extension.is_some() && choice.extension == extension && choice.attribute.is_none()
        };
        let parts = |choices: &'_ [Choice<'_>]| choices.iter().any(is_whole);
        match (attribute.returned, &self.asked) {
            (Returned::Never, _) | (Returned::Request, None) => Shown::Nothing,
            (Returned::Always, _) => Shown::Everything,
            (_, Some(asked)) if parts(asked) => Shown::Everything,
            (_, Some(asked)) => {
                let subs = subs_of(asked, extension, attribute);
                if subs.is_empty() { Shown::Nothing } else { Shown::Only(subs) }
            }
            (Returned::Default, None) if parts(&self.excluded) => Shown::Nothing,
            (Returned::Default, None) => {
                let subs = subs_of(&self.excluded, extension, attribute);
                if subs.is_empty() { Shown::Everything } else { Shown::Without(subs) }
            }
        }
    }

    fn part(&self, extension: Option<&str>, attribute: &Attribute, value: Value) -> Option<Value> {
        let shown = self.shown(extension, attribute);
        if matches!(shown, Shown::Nothing) {
            return None;
        }
        if !attribute.is_complex() {
            return Some(value);
        }
        let keeps = |name: &str| {
            let Some(sub) = attribute.sub(name) else { return false };
            let is_shown = match &shown {
                Shown::Only(subs) => subs.contains(&name),
                Shown::Without(subs) => !subs.contains(&name) && sub.returned != Returned::Request,
                Shown::Nothing | Shown::Everything => sub.returned != Returned::Request,
            };
            sub.returned != Returned::Never && (is_shown || sub.returned == Returned::Always)
        };
        let cut = match value {
            Value::Array(items) => {
                let items = items.into_iter().filter_map(|item| pruned(item, &keeps));
                let items: Vec<Value> = items.collect();
                return (!items.is_empty()).then_some(Value::Array(items));
            }
            single => single,
        };
        pruned(cut, &keeps)
    }
}

fn subs_of<'c>(choices: &'c [Choice<'_>], extension: Option<&str>, attribute: &Attribute) -> Vec<&'c str> {
    let choices = choices.iter().filter(|choice| choice.is_of(extension, &attribute.name));
    choices.filter_map(|choice| choice.sub).collect()
}

/// The object with the members that are kept; none where there are none.
fn pruned(value: Value, keeps: &impl Fn(&str) -> bool) -> Option<Value> {
    let Value::Object(mut object) = value else { return Some(value) };
    object.retain(|name, _| keeps(name));
    (!object.is_empty()).then_some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Registry;
    use crate::schema::{ENTERPRISE_SCHEMA, USER_SCHEMA};

    fn cut(attributes: &str, excluded: &str) -> Value {
        let registry = Registry::standard().unwrap();
        let user = registry.resource_type("User").unwrap();
        let resource = json!({
            "schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA], "id": "1", "userName": "bob", "password": "x",
            "name": {"givenName": "B", "familyName": "C"},
            "emails": [{"value": "b@x", "type": "work"}, {"type": "home"}],
            (ENTERPRISE_SCHEMA): {"department": "d", "manager": {"value": "2"}},
        });
        let projection = Projection::from_parameters(Some(attributes), Some(excluded)).unwrap();
        let Value::Object(resource) = resource else { unreachable!() };
        let mut cut = Value::Object(projection.view(user).apply(resource));
        for always in ["schemas", "id"] {
            assert!(cut.as_object_mut().unwrap().remove(always).is_some(), "{always} is always returned");
        }
        cut
    }

    #[test]
    fn the_password_is_never_returned() {
        assert_eq!(cut("password", ""), json!({}));
        assert!(cut("", "").get("password").is_none());
    }

    #[test]
    fn attributes_asked_for_come_alone_and_in_any_spelling() {
        assert_eq!(
            cut("USERNAME, Emails.Value,nonsense", ""),
            json!({"userName": "bob", "emails": [{"value": "b@x"}]})
        );
        assert_eq!(
            cut(&format!("{ENTERPRISE_SCHEMA}:manager.value"), ""),
            json!({
            (ENTERPRISE_SCHEMA): {"manager": {"value": "2"}}})
        );
        assert_eq!(cut(&format!("{USER_SCHEMA}:name.givenName"), ""), json!({"name": {"givenName": "B"}}));
        assert_eq!(cut(ENTERPRISE_SCHEMA, "")[ENTERPRISE_SCHEMA]["department"], "d");
        assert_eq!(cut("nonsense", ""), json!({}));
    }

    #[test]
    fn excluded_attributes_are_missing_but_for_those_always_returned() {
        let cut = cut("", &format!("id,emails,name.familyName,{ENTERPRISE_SCHEMA}:manager"));
        assert_eq!(
            cut,
            json!({"userName": "bob", "name": {"givenName": "B"}, (ENTERPRISE_SCHEMA): {"department": "d"}})
        );
    }

    #[test]
    fn both_at_once_are_refused() {
        assert!(Projection::from_parameters(Some("a"), Some("b")).is_err());
    }

    #[test]
    fn what_is_not_wanted_is_known_before_it_is_read() {
        let registry = Registry::standard().unwrap();
        let group = registry.resource_type("Group").unwrap();
        let wants = |attributes, excluded| {
            Projection::from_parameters(attributes, excluded).unwrap().view(group).wants("members")
        };
        assert!(wants(None, None) && wants(Some("members.value"), None));
        assert!(!wants(None, Some("members")) && !wants(Some("displayName"), None));
    }
}

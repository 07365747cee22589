//! Attribute mappings of a connection: values of the incoming document copied into other attributes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::Document;
use crate::error::ScimError;
use crate::filter::Query;
use crate::patch::{self, Operation, OperationKind, PatchRequest, Target, resolve};
use crate::profile::Profile;
use crate::schema::{Place, ResourceType};

/// The target that stands for the names of groups the user is a member of, beside those pushed as groups.
pub const GROUPS: &str = "groups";

/// One mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The path it writes, such as `displayName` or `emails[type eq "work"].value`; or [`GROUPS`].
    pub to: String,
    /// The path it reads. Either this or a constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// Whether a value that is there already stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_if_missing: bool,
}

/// The mappings of a connection, resolved for a resource type.
#[derive(Debug, Clone)]
pub struct Mappings<'r> {
    resource_type: &'r ResourceType,
    mappings: Vec<Resolved<'r>>,
}

#[derive(Debug, Clone)]
struct Resolved<'r> {
    /// What is written; none for the names of groups.
    to: Option<(String, Reading<'r>)>,
    source: Source<'r>,
    only_if_missing: bool,
}

#[derive(Debug, Clone)]
enum Source<'r> {
    Path(Reading<'r>),
    Constant(Value),
}

/// A path to read.
#[derive(Debug, Clone)]
struct Reading<'r> {
    place: Place<'r>,
    query: Option<Query<'r>>,
}

/// What the mappings make of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The document with the attributes written.
    pub document: Document,
    /// Names of groups the mappings give.
    pub groups: Vec<String>,
}

impl<'r> Mappings<'r> {
    /// Resolves mappings, and refuses those that read or write what is not there or cannot be written.
    pub fn new(mappings: &[Mapping], resource_type: &'r ResourceType) -> Result<Self, ScimError> {
        let resolved =
            mappings.iter().map(|mapping| Resolved::new(mapping, resource_type)).collect::<Result<_, _>>()?;
        Ok(Self { resource_type, mappings: resolved })
    }

    /// Applies the mappings in order, each to the result of the one before.
    pub fn apply(&self, document: Document) -> Result<Mapped, ScimError> {
        let mut mapped = Mapped { document, groups: Vec::new() };
        for mapping in &self.mappings {
            let values = match &mapping.source {
                Source::Constant(value) => vec![value.clone()],
                Source::Path(reading) => reading.values(&mapped.document),
            };
            match &mapping.to {
                None => mapped.groups.extend(values.iter().filter_map(Value::as_str).map(str::to_owned)),
                Some((_, reading)) if mapping.only_if_missing && !reading.values(&mapped.document).is_empty() => {}
                Some((path, reading)) => {
                    if let Some(value) = written(reading, values) {
                        mapped.document = self.write(&mapped.document, path, value)?;
                    }
                }
            }
        }
        mapped.groups.sort_unstable();
        mapped.groups.dedup();
        Ok(mapped)
    }

    fn write(&self, document: &Document, path: &str, value: Value) -> Result<Document, ScimError> {
        let operation = Operation { kind: OperationKind::Replace, path: Some(path.to_owned()), value: Some(value) };
        let request = PatchRequest { operations: vec![operation] };
        Ok(patch::apply(self.resource_type, document, request, &Profile::default())?.document)
    }
}

/// What is written: all values into a list, else the first.
fn written(reading: &Reading, values: Vec<Value>) -> Option<Value> {
    let is_list = reading.place.sub.is_none() && reading.query.is_none() && reading.place.attribute.multi_valued;
    if is_list && !values.is_empty() { Some(Value::Array(values)) } else { values.into_iter().next() }
}

impl<'r> Resolved<'r> {
    fn new(mapping: &Mapping, resource_type: &'r ResourceType) -> Result<Self, ScimError> {
        let source = match (&mapping.from, &mapping.constant) {
            (Some(from), None) => Source::Path(Reading::new(from, resource_type)?),
            (None, Some(value)) => Source::Constant(value.clone()),
            _ => return Err(ScimError::value(format!("mapping to `{}`: give either from or constant", mapping.to))),
        };
        let to = if resource_type.is_user() && mapping.to == GROUPS {
            None
        } else {
            let reading = Reading::new(&mapping.to, resource_type)?;
            if reading.place.attribute.is_read_only() || reading.place.leaf().is_read_only() {
                return Err(ScimError::mutability(format!("`{}` cannot be written", mapping.to)));
            }
            Some((mapping.to.clone(), reading))
        };
        Ok(Self { to, source, only_if_missing: mapping.only_if_missing })
    }
}

impl<'r> Reading<'r> {
    fn new(path: &str, resource_type: &'r ResourceType) -> Result<Self, ScimError> {
        let profile = Profile::default();
        let unknown = || ScimError::path(format!("there is no attribute `{path}`"));
        match resolve(resource_type, path, &profile)?.ok_or_else(unknown)? {
            Target::Attribute { place, .. } if place.leaf().is_secret() || resource_type.is_membership(&place) => {
                Err(ScimError::path(format!("`{path}` cannot be mapped")))
            }
            Target::Attribute { place, filter } => {
                let query = filter.map(|filter| filter.compile_element(place.attribute, &profile)).transpose()?;
                Ok(Self { place, query })
            }
            Target::Extension(_) => Err(unknown()),
        }
    }

    fn values(&self, document: &Document) -> Vec<Value> {
        let object = match self.place.extension {
            Some(extension) => document.get(&extension.id).and_then(Value::as_object),
            None => Some(document),
        };
        let elements = match object.and_then(|object| object.get(&self.place.attribute.name)) {
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        let chosen =
            elements.iter().filter(|element| self.query.as_ref().is_none_or(|query| query.matches_element(element)));
        let parts = chosen.filter_map(|element| match self.place.sub {
            Some(sub) => element.get(&sub.name),
            None => Some(element),
        });
        parts.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Registry;
    use crate::schema::ENTERPRISE_SCHEMA;

    fn map(mappings: Value, document: &Value) -> Result<Mapped, ScimError> {
        let registry = Registry::standard().unwrap();
        let mappings: Vec<Mapping> = serde_json::from_value(mappings).unwrap();
        let mappings = Mappings::new(&mappings, registry.resource_type("User").unwrap())?;
        mappings.apply(document.as_object().unwrap().clone())
    }

    #[test]
    fn a_value_is_copied_from_path_to_path() {
        let document = json!({"userName": "a", (ENTERPRISE_SCHEMA): {"department": "Ops"},
            "emails": [{"type": "work", "value": "a@x"}, {"type": "home", "value": "a@y"}]});
        let mappings = json!([
            {"from": "emails[type eq \"work\"].value", "to": "userName"},
            {"from": format!("{ENTERPRISE_SCHEMA}:department"), "to": "groups"},
            {"constant": "Employee", "to": "userType"},
            {"from": "userName", "to": "phoneNumbers[type eq \"work\"].value"},
        ]);
        let mapped = map(mappings, &document).unwrap();
        assert_eq!((&mapped.document["userName"], &mapped.document["userType"]), (&json!("a@x"), &json!("Employee")));
        assert_eq!(mapped.document["phoneNumbers"], json!([{"type": "work", "value": "a@x"}]));
        assert_eq!(mapped.groups, ["Ops"]);
    }

    #[test]
    fn a_value_that_is_there_can_stay_and_a_missing_one_writes_nothing() {
        let document = json!({"displayName": "A"});
        let mappings = json!([
            {"constant": "B", "to": "displayName", "only_if_missing": true},
            {"constant": "B", "to": "nickName", "only_if_missing": true},
            {"from": "title", "to": "displayName"},
        ]);
        let mapped = map(mappings, &document).unwrap();
        assert_eq!(Value::Object(mapped.document), json!({"displayName": "A", "nickName": "B"}));
    }

    #[test]
    fn mappings_that_cannot_work_are_refused_when_they_are_read() {
        for mapping in [
            json!({"from": "nonsense", "to": "title"}),
            json!({"from": "title", "to": "id"}),
            json!({"from": "password", "to": "title"}),
            json!({"from": "title", "constant": 1, "to": "nickName"}),
            json!({"to": "nickName"}),
        ] {
            assert!(map(json!([mapping]), &json!({})).is_err(), "{mapping}");
        }
    }
}

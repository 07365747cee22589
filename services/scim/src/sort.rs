//! The order of results (RFC 7644 section 3.4.2.3).

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::document::{Document, primary_of};
use crate::error::ScimError;
use crate::filter::{folded, instant, is_empty, numbers};
use crate::profile::Profile;
use crate::schema::{Attribute, AttributeType, Place, Registry, ResourceType};

/// How documents of one resource type are ordered.
#[derive(Debug, Clone)]
pub struct Sorter<'r> {
    place: Place<'r>,
    leaf: &'r Attribute,
    descending: bool,
}

/// What a document is ordered by. Nothing comes last.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// False before true.
    Boolean(bool),
    /// By size.
    Number(Number),
    /// By time.
    Instant(jiff::Timestamp),
    /// By code point; in lower case where case does not matter.
    Text(String),
    /// The document has no value.
    Missing,
}

impl Eq for SortKey {}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(left), Self::Boolean(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => numbers(left, right).unwrap_or(Ordering::Equal),
            (Self::Instant(left), Self::Instant(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl SortKey {
    fn rank(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Number(_) => 1,
            Self::Instant(_) => 2,
            Self::Text(_) => 3,
            Self::Missing => 4,
        }
    }
}

impl<'r> Sorter<'r> {
    /// The order by an attribute or sub-attribute. A complex attribute is ordered by its `value`.
    pub fn new(
        resource_type: &'r ResourceType,
        sort_by: &str,
        descending: bool,
        profile: &Profile,
    ) -> Result<Self, ScimError> {
        let refuse = |reason: &str| ScimError::value(format!("cannot sort by `{sort_by}`: {reason}"));
        let place = resource_type
            .place(sort_by, profile.unprefixed_extensions)
            .ok_or_else(|| refuse("there is no such attribute"))?;
        if place.attribute.is_secret() || place.leaf().is_secret() {
            return Err(refuse("it is not shown to anybody"));
        }
        let leaf = match place.leaf() {
            complex if complex.is_complex() => complex.sub("value").ok_or_else(|| refuse("choose one of its parts"))?,
            simple => simple,
        };
        let sub = place.sub.or_else(|| place.attribute.is_complex().then_some(leaf));
        Ok(Self { place: Place { sub, ..place }, leaf, descending })
    }

    /// The same in a query over all resource types: none where only others have the attribute, so that all
    /// documents of this one are [`SortKey::Missing`].
    pub fn among(
        registry: &Registry,
        resource_type: &'r ResourceType,
        sort_by: &str,
        descending: bool,
        profile: &Profile,
    ) -> Result<Option<Self>, ScimError> {
        let has = |other: &ResourceType| other.place(sort_by, profile.unprefixed_extensions).is_some();
        if !has(resource_type) && registry.resource_types().iter().any(has) {
            return Ok(None);
        }
        Self::new(resource_type, sort_by, descending, profile).map(Some)
    }

    /// The path documents are ordered by, in its canonical spelling.
    pub fn path(&self) -> String {
        self.place.path()
    }

    /// Whether the order is descending.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// What a document is ordered by: of a multi-valued attribute the primary value, else the first.
    pub fn key(&self, document: &Document) -> SortKey {
        let object = match self.place.extension {
            Some(extension) => document.get(&extension.id).and_then(Value::as_object),
            None => Some(document),
        };
        let value = object.and_then(|object| object.get(&self.place.attribute.name)).and_then(chosen);
        let value = match self.place.sub {
            Some(sub) => value.and_then(|value| value.get(&sub.name)).and_then(chosen),
            None => value,
        };
        value.filter(|value| !is_empty(value)).map_or(SortKey::Missing, |value| self.key_of(value))
    }

    /// The order of two keys: documents without a value last ascending, first descending.
    pub fn order(&self, left: &SortKey, right: &SortKey) -> Ordering {
        let order = left.cmp(right);
        if self.descending { order.reverse() } else { order }
    }

    /// The order of two documents.
    pub fn compare(&self, left: &Document, right: &Document) -> Ordering {
        self.order(&self.key(left), &self.key(right))
    }

    fn key_of(&self, value: &Value) -> SortKey {
        match (self.leaf.kind, value) {
            (_, Value::Bool(value)) => SortKey::Boolean(*value),
            (_, Value::Number(number)) => SortKey::Number(number.clone()),
            (AttributeType::DateTime, Value::String(text)) => instant(text).map_or(SortKey::Missing, SortKey::Instant),
            (_, Value::String(text)) if self.leaf.is_case_exact() => SortKey::Text(text.clone()),
            (_, Value::String(text)) => SortKey::Text(folded(text).into_owned()),
            _ => SortKey::Missing,
        }
    }
}

fn chosen(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(items) => items.iter().find(|item| primary_of(item)).or_else(|| items.first()),
        single => Some(single),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::ENTERPRISE_SCHEMA;

    fn sorted(sort_by: &str, descending: bool, documents: &[Value]) -> Vec<usize> {
        let registry = Registry::standard().unwrap();
        let user = registry.resource_type("User").unwrap();
        let sorter = Sorter::new(user, sort_by, descending, &Profile::default()).unwrap();
        let document = |position: &usize| documents[*position].as_object().unwrap();
        let mut positions: Vec<usize> = (0..documents.len()).collect();
        positions.sort_by(|left, right| sorter.compare(document(left), document(right)));
        positions
    }

    #[test]
    fn missing_values_are_last_ascending_and_first_descending() {
        let documents = [json!({}), json!({"title": "b"}), json!({"title": "A"})];
        assert_eq!(sorted("title", false, &documents), [2, 1, 0]);
        assert_eq!(sorted("TITLE", true, &documents), [0, 1, 2]);
    }

    #[test]
    fn case_matters_where_the_attribute_says_so() {
        let documents = [json!({"externalId": "b"}), json!({"externalId": "C"}), json!({"externalId": "a"})];
        assert_eq!(sorted("externalId", false, &documents), [1, 2, 0]);
    }

    #[test]
    fn a_multi_valued_attribute_is_ordered_by_its_primary_value_or_its_first() {
        let documents = [
            json!({"emails": [{"value": "c"}, {"value": "z"}]}),
            json!({"emails": [{"value": "a"}, {"value": "d", "primary": true}]}),
        ];
        assert_eq!(sorted("emails", false, &documents), [0, 1]);
        assert_eq!(sorted("emails.value", true, &documents), [1, 0]);
    }

    #[test]
    fn dates_are_ordered_as_instants_and_extensions_by_their_urn() {
        let dates = ["2026-01-01T01:00:00+02:00", "2026-01-01T00:00:00Z"];
        let documents = dates.map(|date| json!({"meta": {"created": date}}));
        assert_eq!(sorted("meta.created", false, &documents), [0, 1]);
        let documents = ["2", "1"].map(|number| json!({(ENTERPRISE_SCHEMA): {"employeeNumber": number}}));
        assert_eq!(sorted(&format!("{ENTERPRISE_SCHEMA}:employeeNumber"), false, &documents), [1, 0]);
    }

    #[test]
    fn in_a_root_query_other_types_can_have_the_attribute() {
        let registry = Registry::standard().unwrap();
        let group = registry.resource_type("Group").unwrap();
        let among = |sort_by| Sorter::among(&registry, group, sort_by, false, &Profile::default());
        assert!(among("userName").unwrap().is_none() && among("displayName").unwrap().is_some());
        assert!(among("nonsense").is_err());
    }

    #[test]
    fn what_has_no_order_is_refused() {
        let registry = Registry::standard().unwrap();
        let user = registry.resource_type("User").unwrap();
        for sort_by in ["nonsense", "password", "name", "addresses"] {
            assert!(Sorter::new(user, sort_by, false, &Profile::default()).is_err(), "{sort_by}");
        }
    }
}

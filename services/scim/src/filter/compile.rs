//! Resolving a filter: its paths with the schemas, its values with the attributes' types.

use serde_json::{Number, Value};

use super::query::{Check, Node, Query, Test};
use super::value::{folded, instant};
use super::{Filter, Operator};
use crate::document::boolean_of;
use crate::error::ScimError;
use crate::profile::Profile;
use crate::schema::{Attribute, AttributeType, Place, Registry, ResourceType};

/// What paths are resolved in.
#[derive(Clone, Copy)]
enum Scope<'r> {
    /// Documents of a resource type.
    Documents(&'r ResourceType),
    /// The same in a query over several types, where an attribute of another counts as having no value.
    AmongTypes(&'r ResourceType, &'r Registry),
    /// Elements of an attribute.
    Elements(&'r Attribute),
}

impl Filter {
    /// The filter as a question about documents of a resource type.
    ///
    /// `invalidFilter` where it names an attribute the type does not have, one that cannot be asked about, or
    /// compares what cannot be compared.
    pub fn compile<'r>(&self, resource_type: &'r ResourceType, profile: &Profile) -> Result<Query<'r>, ScimError> {
        Compiler { scope: Scope::Documents(resource_type), profile }.query(self)
    }

    /// The same in a query over all resource types: an attribute that only others have counts as having no value
    /// (RFC 7644 section 3.4.2.1).
    pub fn compile_among<'r>(
        &self,
        registry: &'r Registry,
        resource_type: &'r ResourceType,
        profile: &Profile,
    ) -> Result<Query<'r>, ScimError> {
        Compiler { scope: Scope::AmongTypes(resource_type, registry), profile }.query(self)
    }

    /// The filter as a question about elements of a multi-valued attribute.
    pub(crate) fn compile_element<'r>(
        &self,
        attribute: &'r Attribute,
        profile: &Profile,
    ) -> Result<Query<'r>, ScimError> {
        Compiler { scope: Scope::Elements(attribute), profile }.query(self)
    }
}

struct Compiler<'r, 'p> {
    scope: Scope<'r>,
    profile: &'p Profile,
}

/// The values a path leads to.
struct Target<'r> {
    steps: Vec<&'r str>,
    attribute: &'r Attribute,
}

impl<'r> Compiler<'r, '_> {
    fn query(&self, filter: &Filter) -> Result<Query<'r>, ScimError> {
        Ok(Query { root: self.node(filter)? })
    }

    fn node(&self, filter: &Filter) -> Result<Node<'r>, ScimError> {
        Ok(match filter {
            Filter::And(filters) => Node::All(self.nodes(filters)?),
            Filter::Or(filters) => Node::Any(self.nodes(filters)?),
            Filter::Not(filter) => Node::Not(Box::new(self.node(filter)?)),
            Filter::Present { path } => match self.target(path)? {
                Some(Target { steps, .. }) => Node::Test(Test { steps, check: Check::Present }),
                None => Node::Lacking(false),
            },
            Filter::Compare { path, operator, value } => match self.target(path)? {
                Some(target) => Node::Test(self.test(path, target, *operator, value)?),
                None => {
                    Node::Lacking(matches!((operator, value.is_null()), (Operator::Ne, false) | (Operator::Eq, true)))
                }
            },
            Filter::Element { path, filter } => self.element(path, filter)?,
        })
    }

    fn nodes(&self, filters: &[Filter]) -> Result<Vec<Node<'r>>, ScimError> {
        filters.iter().map(|filter| self.node(filter)).collect()
    }

    fn element(&self, path: &str, filter: &Filter) -> Result<Node<'r>, ScimError> {
        let Some(Target { steps, attribute }) = self.target(path)? else { return Ok(Node::Lacking(false)) };
        if !attribute.is_complex() && !attribute.multi_valued {
            return Err(ScimError::filter(format!("`{path}` has no elements to choose from")));
        }
        let inner = filter.compile_element(attribute, self.profile)?.root;
        Ok(Node::Element { steps, inner: Box::new(inner) })
    }

    /// Where a path leads, none where it leads into other resource types alone.
    fn target(&self, path: &str) -> Result<Option<Target<'r>>, ScimError> {
        let place = match self.scope {
            Scope::Elements(attribute) => return element_target(attribute, path).map(Some),
            Scope::Documents(resource_type) | Scope::AmongTypes(resource_type, _) => self.place(resource_type, path),
        };
        match (place, self.scope) {
            (Some(place), _) if place.attribute.is_secret() || place.leaf().is_secret() => {
                Err(ScimError::filter(format!("`{path}` cannot be asked about")))
            }
            (Some(place), _) => Ok(Some(Target { steps: place.steps(), attribute: place.leaf() })),
            (None, Scope::AmongTypes(_, registry))
                if registry.resource_types().iter().any(|other| self.place(other, path).is_some()) =>
            {
                Ok(None)
            }
            (None, _) => Err(ScimError::filter(format!("there is no attribute `{path}`"))),
        }
    }

    fn place(&self, resource_type: &'r ResourceType, path: &str) -> Option<Place<'r>> {
        resource_type.place(path, self.profile.unprefixed_extensions)
    }

    fn test(&self, path: &str, target: Target<'r>, operator: Operator, value: &Value) -> Result<Test<'r>, ScimError> {
        let Target { mut steps, mut attribute } = target;
        if attribute.is_complex() {
            let unfit = || ScimError::filter(format!("`{path}` is complex, compare one of its parts"));
            attribute = attribute.sub("value").ok_or_else(unfit)?;
            steps.push(&attribute.name);
        }
        if value.is_null() {
            let check = match operator {
                Operator::Eq => Check::Absent,
                Operator::Ne => Check::Present,
                _ => return Err(ScimError::filter(format!("`{path}`: null can only be equal or not"))),
            };
            return Ok(Test { steps, check });
        }
        Ok(Test { steps, check: self.check(path, attribute, operator, value)? })
    }

    fn check(&self, path: &str, attribute: &Attribute, operator: Operator, value: &Value) -> Result<Check, ScimError> {
        let mismatch = || ScimError::filter(format!("`{path}` cannot be compared with {value}"));
        let kind = attribute.kind;
        let orderless = matches!(kind, AttributeType::Boolean | AttributeType::Binary);
        let textual = matches!(kind, AttributeType::String | AttributeType::Reference | AttributeType::DateTime);
        if orderless && operator.is_order() || operator.is_part() && !textual {
            return Err(ScimError::filter(format!("`{path}` cannot be compared with `{}`", operator.as_str())));
        }
        match kind {
            AttributeType::Boolean => {
                let value = boolean_of(value, self.profile).ok_or_else(mismatch)?;
                Ok(Check::Boolean { equal: operator == Operator::Eq, value })
            }
            AttributeType::Integer | AttributeType::Decimal => {
                Ok(Check::Number { operator, value: self.number(value).ok_or_else(mismatch)? })
            }
            AttributeType::DateTime if !operator.is_part() => {
                let value = value.as_str().and_then(instant).ok_or_else(mismatch)?;
                Ok(Check::Instant { operator, value })
            }
            _ => {
                let exact = attribute.is_case_exact();
                let text = self.text(value).ok_or_else(mismatch)?;
                let value = if exact { text } else { folded(&text).into_owned() };
                Ok(Check::Text { operator, value, exact })
            }
        }
    }

    fn number(&self, value: &Value) -> Option<Number> {
        match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) if self.profile.loose_scalars => serde_json::from_str(text.trim()).ok(),
            _ => None,
        }
    }

    fn text(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) if self.profile.loose_scalars => Some(value.to_string()),
            _ => None,
        }
    }
}

/// A path inside brackets: a sub-attribute, or `value` for the elements of a simple attribute.
fn element_target<'r>(attribute: &'r Attribute, path: &str) -> Result<Target<'r>, ScimError> {
    if !attribute.is_complex() && path.eq_ignore_ascii_case("value") {
        return Ok(Target { steps: Vec::new(), attribute });
    }
    match attribute.sub(path) {
        Some(sub) if !sub.is_secret() => Ok(Target { steps: vec![&sub.name], attribute: sub }),
        Some(_) => Err(ScimError::filter(format!("`{}.{path}` cannot be asked about", attribute.name))),
        None => Err(ScimError::filter(format!("`{}` has no sub-attribute `{path}`", attribute.name))),
    }
}

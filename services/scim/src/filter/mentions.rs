//! What storage can learn from a query before it reads documents: equalities for its indexes, and which of an
//! attribute's values matter.

use serde_json::Value;

use super::Operator;
use super::query::{Check, Node, Query, Test};

/// A condition every matching document satisfies: one of the values at the path equals the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Equality {
    /// The path in its canonical spelling, such as `emails.value`.
    pub path: String,
    /// The value. A text is in lower case unless `case_exact`.
    pub value: Value,
    /// Whether case matters.
    pub case_exact: bool,
}

/// How a query depends on the values at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mentions {
    /// Not at all.
    None,
    /// Only on which of these it has: a document holding just the elements with these values answers the same.
    Values(Vec<String>),
    /// In other ways.
    All,
}

impl Query<'_> {
    /// The equalities every match satisfies: those of the top-level conjunction, into brackets.
    pub fn required_equalities(&self) -> Vec<Equality> {
        let mut equalities = Vec::new();
        self.root.require(&[], &mut equalities);
        equalities
    }

    /// How the query depends on the elements of an attribute that are told apart by their `value`, such as
    /// `members` or `groups`.
    pub fn mentions(&self, attribute: &str) -> Mentions {
        let mut values = Vec::new();
        if !self.root.mention(attribute, &mut values) {
            return Mentions::All;
        }
        if values.is_empty() { Mentions::None } else { Mentions::Values(values) }
    }
}

impl Node<'_> {
    fn require(&self, outer: &[&str], equalities: &mut Vec<Equality>) {
        match self {
            Self::All(nodes) => nodes.iter().for_each(|node| node.require(outer, equalities)),
            Self::Element { steps, inner } => inner.require(steps, equalities),
            Self::Test(Test { steps, check }) => {
                let equality = match check {
                    Check::Text { operator: Operator::Eq, value, exact } => (Value::from(value.as_str()), *exact),
                    Check::Number { operator: Operator::Eq, value } => (Value::Number(value.clone()), true),
                    Check::Boolean { equal: true, value } => (Value::Bool(*value), true),
                    _ => return,
                };
                let path = path_of(outer, steps);
                equalities.push(Equality { path, value: equality.0, case_exact: equality.1 });
            }
            Self::Any(_) | Self::Not(_) | Self::Lacking(_) => {}
        }
    }

    /// Whether the node asks about the attribute by equal values alone, which are added.
    fn mention(&self, attribute: &str, values: &mut Vec<String>) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().all(|node| node.mention(attribute, values)),
            Self::Not(node) => node.mention(attribute, values),
            Self::Lacking(_) => true,
            Self::Test(Test { steps, .. }) if steps.first() != Some(&attribute) => true,
            Self::Test(Test { steps, check: Check::Text { operator: Operator::Eq, value, exact: true } }) => {
                values.push(value.clone());
                steps.get(1..) == Some(&["value"])
            }
            Self::Test(_) => false,
            Self::Element { steps, .. } if steps.first() != Some(&attribute) => true,
            Self::Element { inner, .. } => {
                let mut equalities = Vec::new();
                inner.require(&[], &mut equalities);
                let value = equalities.iter().find(|equality| equality.path == "value" && equality.case_exact);
                let value = value.and_then(|equality| equality.value.as_str());
                values.extend(value.map(str::to_owned));
                value.is_some()
            }
        }
    }
}

/// The canonical path of steps. The first is a URN where it has a colon: names of attributes have none.
fn path_of(outer: &[&str], steps: &[&str]) -> String {
    let mut path = String::new();
    let mut separator = None;
    for step in outer.iter().chain(steps) {
        path.extend(separator);
        path.push_str(step);
        separator = Some(if step.contains(':') { ':' } else { '.' });
    }
    path
}

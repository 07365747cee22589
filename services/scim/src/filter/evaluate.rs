//! Asking a document.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::Operator;
use super::query::{Check, Node, Query, Test};
use super::value::{folded, instant};

impl Query<'_> {
    /// Whether a canonical document matches: `id`, `meta`, `groups` and `members` only where they are in it.
    pub fn matches(&self, document: &Map<String, Value>) -> bool {
        self.root.matches(Subject::Document(document))
    }

    /// Whether an element of the attribute the query was made for matches.
    pub fn matches_element(&self, element: &Value) -> bool {
        self.root.matches(Subject::Element(element))
    }
}

#[derive(Clone, Copy)]
enum Subject<'d> {
    Document(&'d Map<String, Value>),
    Element(&'d Value),
}

impl<'d> Subject<'d> {
    /// Follows the first step, where there is one.
    fn enter<'s>(self, steps: &'s [&'s str]) -> (Option<&'d Value>, &'s [&'s str]) {
        match (self, steps.split_first()) {
            (Self::Document(document), Some((first, rest))) => (document.get(*first), rest),
            (Self::Document(_), None) => (None, steps),
            (Self::Element(element), _) => (Some(element), steps),
        }
    }
}

impl Node<'_> {
    fn matches(&self, subject: Subject) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(subject)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(subject)),
            Self::Not(node) => !node.matches(subject),
            Self::Test(Test { steps, check }) => {
                let (value, rest) = subject.enter(steps);
                passes(value, rest, check)
            }
            Self::Element { steps, inner } => {
                let (value, rest) = subject.enter(steps);
                any_element(value, rest, inner)
            }
            Self::Lacking(answer) => *answer,
        }
    }
}

/// Whether any of the values at the end of the steps passes. Lists on the way are gone through.
fn passes(value: Option<&Value>, steps: &[&str], check: &Check) -> bool {
    match value {
        None | Some(Value::Null) => check.on_nothing(),
        Some(Value::Array(items)) if items.is_empty() => check.on_nothing(),
        Some(Value::Array(items)) => items.iter().any(|item| passes(Some(item), steps, check)),
        Some(value) => match steps.split_first() {
            None => check.on(value),
            Some((step, rest)) => passes(value.get(*step), rest, check),
        },
    }
}

fn any_element(value: Option<&Value>, steps: &[&str], inner: &Node) -> bool {
    match (value, steps.split_first()) {
        (None | Some(Value::Null), _) => false,
        (Some(Value::Array(items)), None) => items.iter().any(|item| inner.matches(Subject::Element(item))),
        (Some(value), None) => inner.matches(Subject::Element(value)),
        (Some(value), Some((step, rest))) => any_element(value.get(*step), rest, inner),
    }
}

impl Check {
    /// What the absence of a value answers.
    fn on_nothing(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Present => false,
            Self::Text { operator, .. } | Self::Instant { operator, .. } | Self::Number { operator, .. } => {
                *operator == Operator::Ne
            }
            Self::Boolean { equal, .. } => !equal,
        }
    }

    fn on(&self, value: &Value) -> bool {
        match self {
            Self::Present => !is_empty(value),
            Self::Absent => is_empty(value),
            Self::Boolean { equal, value: wanted } => (value.as_bool() == Some(*wanted)) == *equal,
            Self::Text { operator, value: wanted, exact } => match value.as_str() {
                Some(text) if *exact => text_passes(*operator, text, wanted),
                Some(text) => folded_text_passes(*operator, text, wanted),
                None => *operator == Operator::Ne,
            },
            Self::Instant { operator, value: wanted } => {
                ordered(*operator, value.as_str().and_then(instant).map(|instant| instant.cmp(wanted)))
            }
            Self::Number { operator, value: wanted } => match value {
                Value::Number(number) => ordered(*operator, numbers(number, wanted)),
                _ => *operator == Operator::Ne,
            },
        }
    }
}

fn folded_text_passes(operator: Operator, text: &str, wanted: &str) -> bool {
    if matches!(operator, Operator::Eq | Operator::Ne) && text.is_ascii() {
        return text.eq_ignore_ascii_case(wanted) == (operator == Operator::Eq);
    }
    text_passes(operator, &folded(text), wanted)
}

fn text_passes(operator: Operator, text: &str, wanted: &str) -> bool {
    match operator {
        Operator::Co => text.contains(wanted),
        Operator::Sw => text.starts_with(wanted),
        Operator::Ew => text.ends_with(wanted),
        _ => ordered(operator, Some(text.cmp(wanted))),
    }
}

/// Whether the order is what the operator asks for. What cannot be compared is only not equal.
fn ordered(operator: Operator, order: Option<Ordering>) -> bool {
    match operator {
        Operator::Eq => order == Some(Ordering::Equal),
        Operator::Ne => order != Some(Ordering::Equal),
        Operator::Gt => order == Some(Ordering::Greater),
        Operator::Ge => order.is_some_and(Ordering::is_ge),
        Operator::Lt => order == Some(Ordering::Less),
        Operator::Le => order.is_some_and(Ordering::is_le),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

/// The order of two numbers: exact for whole numbers, else as floating point.
pub(crate) fn numbers(left: &Number, right: &Number) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return Some(left.cmp(&right));
    }
    if let (Some(left), Some(right)) = (left.as_u64(), right.as_u64()) {
        return Some(left.cmp(&right));
    }
    left.as_f64()?.partial_cmp(&right.as_f64()?)
}

/// Whether a value is none: null, an empty text, or a list or object of nothing else.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

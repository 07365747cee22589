//! A filter resolved with a resource type: what evaluation asks.

use jiff::Timestamp;
use serde_json::Number;

use super::Operator;

/// A filter whose paths are resolved and whose values have the types of their attributes.
#[derive(Debug, Clone)]
pub struct Query<'r> {
    pub(super) root: Node<'r>,
}

#[derive(Debug, Clone)]
pub(super) enum Node<'r> {
    /// All of these.
    All(Vec<Node<'r>>),
    /// Any of these.
    Any(Vec<Node<'r>>),
    /// Not this.
    Not(Box<Node<'r>>),
    /// The values at the end of the steps pass the check.
    Test(Test<'r>),
    /// One element at the end of the steps matches.
    Element { steps: Vec<&'r str>, inner: Box<Node<'r>> },
    /// The attribute exists in other resource types alone: what no value answers.
    Lacking(bool),
}

#[derive(Debug, Clone)]
pub(super) struct Test<'r> {
    /// Member names from the document, or from the element, to the values. None at all: the element itself.
    pub(super) steps: Vec<&'r str>,
    pub(super) check: Check,
}

#[derive(Debug, Clone)]
pub(super) enum Check {
    /// It has a value.
    Present,
    /// It has no value.
    Absent,
    /// A text. The value is folded unless case matters.
    Text { operator: Operator, value: String, exact: bool },
    /// A date and time.
    Instant { operator: Operator, value: Timestamp },
    /// A number.
    Number { operator: Operator, value: Number },
    /// A boolean, equal or not.
    Boolean { equal: bool, value: bool },
}

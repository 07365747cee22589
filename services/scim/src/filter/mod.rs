//! The filter language (RFC 7644 section 3.4.2.2).
//!
//! [`Filter`] is the syntax tree: its paths are the texts the client wrote. [`Filter::compile`] resolves them with a
//! resource type into a [`Query`], which is asked of documents.

mod compile;
mod display;
mod evaluate;
mod literal;
mod mentions;
mod parse;
#[cfg(test)]
mod properties;
mod query;
#[cfg(test)]
mod tests;
mod value;

pub use mentions::{Equality, Mentions};
pub use parse::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS, Syntax};
pub use query::Query;

pub(crate) use evaluate::{is_empty, numbers};
pub(crate) use parse::value_path;
pub(crate) use value::{folded, instant};

use serde_json::Value;

/// How an attribute is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// Whether it asks about order.
    pub(crate) fn is_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Whether it asks about a part of a text.
    pub(crate) fn is_part(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// A filter as it was written.
///
/// ```
/// use chancery_scim::{Filter, Syntax};
///
/// let filter = Filter::parse(r#"userName SW "J" and emails[type eq "work"]"#, Syntax::STRICT)?;
/// assert_eq!(filter.to_string(), r#"userName sw "J" and emails[type eq "work"]"#);
/// # Ok::<(), chancery_scim::ScimError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of at least two.
    And(Vec<Filter>),
    /// Any of at least two.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// An attribute compares with a value: a text, number, boolean or null.
    Compare {
        /// The attribute's path.
        path: String,
        /// How they are compared.
        operator: Operator,
        /// The value.
        value: Value,
    },
    /// An attribute has a value.
    Present {
        /// The attribute's path.
        path: String,
    },
    /// One element of a multi-valued attribute matches: `path[filter]`.
    Element {
        /// The attribute's path.
        path: String,
        /// What the element matches; its paths are sub-attributes.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// All of these: nested conjunctions become one, a single filter stays itself.
    pub fn all(filters: Vec<Filter>) -> Self {
        let flat = filters.into_iter().flat_map(|filter| match filter {
            Self::And(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Self::And)
    }

    /// Any of these: nested disjunctions become one, a single filter stays itself.
    pub fn any(filters: Vec<Filter>) -> Self {
        let flat = filters.into_iter().flat_map(|filter| match filter {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Self::Or)
    }

    /// The `eq` terms, where the filter is a conjunction of nothing else.
    pub(crate) fn eq_terms(&self) -> Option<Vec<(&str, &Value)>> {
        let terms = match self {
            Self::And(terms) => terms.as_slice(),
            other => std::slice::from_ref(other),
        };
        terms
            .iter()
            .map(|term| match term {
                Self::Compare { path, operator: Operator::Eq, value } => Some((path.as_str(), value)),
                _ => None,
            })
            .collect()
    }
}

fn single(mut filters: Vec<Filter>) -> Result<Filter, Vec<Filter>> {
    match filters.pop() {
        Some(filter) if filters.is_empty() => Ok(filter),
        Some(filter) => {
            filters.push(filter);
            Err(filters)
        }
        None => Err(filters),
    }
}

//! A filter as text: what the parser reads back as the same filter.

use std::fmt;

use super::Filter;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(filters) => joined(f, filters, " and "),
            Self::Or(filters) => joined(f, filters, " or "),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Compare { path, operator, value } => write!(f, "{path} {} {value}", operator.as_str()),
            Self::Present { path } => write!(f, "{path} pr"),
            Self::Element { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

/// `and` binds tighter than `or`, so that only a disjunction inside a conjunction needs parentheses.
fn joined(f: &mut fmt::Formatter<'_>, filters: &[Filter], word: &str) -> fmt::Result {
    for (position, filter) in filters.iter().enumerate() {
        if position > 0 {
            f.write_str(word)?;
        }
        match filter {
            Filter::Or(_) => write!(f, "({filter})")?,
            other => write!(f, "{other}")?,
        }
    }
    Ok(())
}

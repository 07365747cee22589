//! The typed form of a filter. Everything relative (`-7d`, `today`, `me`) is resolved in it, so the same
//! [`Filter`] always asks the same question.

use chancery_domain::Timestamp;
use ipnet::IpNet;

use crate::fields::Field;
use crate::pattern::Pattern;

/// A parsed filter. `Display` writes it in canonical form, which parses back to the same expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The question.
    pub root: Expr,
}

/// A boolean question about one event.
///
/// Positive predicates never match where the event has no value; [`Expr::Not`] is plain negation, so
/// `-reason:x` matches events without a reason.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Every event.
    All,
    /// All of two or more; never directly holds another `And`.
    And(Vec<Expr>),
    /// Any of two or more; never directly holds another `Or`.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// Free text: one of [`Field::FREE_TEXT`] *contains* the pattern, which has no `*` at its ends and is
    /// lower-case already; the columns are lower-cased for the comparison.
    Text(Pattern),
    /// A column of the envelope.
    Field {
        /// Which.
        field: Field,
        /// What is asked of it; one that fits [`Field::kind`].
        predicate: Predicate,
    },
    /// A value inside the payload, the extensions or the changes.
    Path {
        /// Where.
        path: Path,
        /// What is asked of it.
        predicate: Predicate,
    },
    /// A `session.opened` whose stream has no `session.closed`. Single events cannot tell; the lake answers it
    /// with an anti-join, [`Filter::matches`] says that a session is ongoing when it opens.
    OngoingSession,
}

/// What is asked of a value. Texts asked of a case-insensitive field or of a path are stored lower-cased
/// (`str::to_lowercase`), to be compared with the lower-cased value.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// There is a value: present, not `null`, not the empty text, not the empty list.
    Exists,
    /// Equal text. On a path it also equals a number of the same value, `true`, `false` and `null`.
    Equals(String),
    /// The whole text matches the pattern.
    Wildcard(Pattern),
    /// An integer field lies in the range.
    Integer(Range<i64>),
    /// A time lies in the range. On a path the value is a text in RFC 3339.
    During(Range<Timestamp>),
    /// A number at a path lies in the interval.
    Number(Interval),
    /// An address lies in the network; a single address is a network of its full length. IPv4 addresses mapped
    /// into IPv6 count as IPv4.
    Network(IpNet),
    /// Any of two or more predicates, none of them an `AnyOf`.
    AnyOf(Vec<Predicate>),
}

/// A half-open range of a discrete type. Both ends absent never occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<T> {
    /// First value inside.
    pub from: Option<T>,
    /// First value beyond.
    pub until: Option<T>,
}

impl<T: PartialOrd> Range<T> {
    /// Whether `value` lies inside.
    pub fn contains(&self, value: &T) -> bool {
        self.from.as_ref().is_none_or(|from| value >= from) && self.until.as_ref().is_none_or(|until| value < until)
    }
}

/// An interval of numbers. Both ends absent never occurs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: std::ops::Bound<f64>,
    /// Upper end.
    pub upper: std::ops::Bound<f64>,
}

impl Interval {
    /// Whether no number lies inside.
    pub fn is_empty(&self) -> bool {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        match (self.lower, self.upper) {
            (Unbounded, _) | (_, Unbounded) => false,
            (Included(lower), Included(upper)) => lower > upper,
            (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper)) => lower >= upper,
        }
    }

    /// Whether `value` lies inside.
    pub fn contains(&self, value: f64) -> bool {
        std::ops::RangeBounds::contains(&(self.lower, self.upper), &value)
    }
}

/// A place inside an event that is not a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// What it starts from.
    pub root: PathRoot,
    /// Member names, one or more. A list on the way stands for each of its items; a number picks one item.
    pub segments: Vec<String>,
}

/// Where a [`Path`] starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathRoot {
    /// The payload as stored, in the version it was stored in.
    Data,
    /// The extension attributes.
    Extensions,
    /// The changes: the segments joined by `.` are the path that changed. With [`Predicate::Exists`] on
    /// [`Side::Either`] a change below it counts too.
    Changes(Side),
}

impl PathRoot {
    /// The member of an event's JSON that holds it.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Extensions => "extensions",
            Self::Changes(_) => "changes",
        }
    }
}

/// Which value of a change is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The old one or the new one.
    Either,
    /// The one before the change.
    Old,
    /// The one after the change.
    New,
}

impl Expr {
    /// All of `terms`, flattened; [`Expr::All`] when there are none.
    pub fn and(terms: Vec<Expr>) -> Expr {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match term {
                Expr::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() > 1 { Expr::And(flat) } else { flat.pop().unwrap_or(Expr::All) }
    }

    /// Any of `terms`, flattened; [`Expr::All`] when there are none.
    pub fn or(terms: Vec<Expr>) -> Expr {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match term {
                Expr::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() > 1 { Expr::Or(flat) } else { flat.pop().unwrap_or(Expr::All) }
    }

    /// The opposite of `self`.
    #[must_use]
    pub fn negated(self) -> Expr {
        Expr::Not(Box::new(self))
    }

    /// Free text: `pattern` somewhere in the text columns.
    pub fn text(pattern: &Pattern) -> Expr {
        let inner = pattern.to_lowercase().trimmed();
        if inner.parts().is_empty() { Expr::All } else { Expr::Text(inner) }
    }

    /// A question about a column.
    pub fn field(field: Field, predicate: Predicate) -> Expr {
        Expr::Field { field, predicate }
    }
}

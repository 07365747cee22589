//! A report: a table, and what has to be said about it.

use crate::Amount;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with six places.
    Amount,
    /// Moments.
    Time,
    /// Yes and no.
    Flag,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Column {
    /// A column of texts.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    /// A column of whole numbers.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, kind: Kind::Integer }
    }

    /// A column of numbers with six places.
    pub const fn amount(name: &'static str) -> Self {
        Self { name, kind: Kind::Amount }
    }

    /// A column of moments.
    pub const fn time(name: &'static str) -> Self {
        Self { name, kind: Kind::Time }
    }

    /// A column of yes and no.
    pub const fn flag(name: &'static str) -> Self {
        Self { name, kind: Kind::Flag }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing is known, or applies.
    Null,
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with six places.
    Amount(Amount),
    /// A moment, in microseconds since 1970 UTC.
    Time(i64),
    /// Yes or no.
    Flag(bool),
}

impl Cell {
    /// A text, or nothing.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    /// A count.
    pub fn count(number: impl TryInto<i64>) -> Self {
        Self::Integer(number.try_into().unwrap_or(i64::MAX))
    }

    /// An amount, or nothing.
    pub fn amount(amount: Option<Amount>) -> Self {
        amount.map_or(Self::Null, Self::Amount)
    }

    /// A moment, or nothing.
    pub fn time(moment: Option<i64>) -> Self {
        moment.map_or(Self::Null, Self::Time)
    }
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: &'static str,
    /// The position of the log that it is computed at: asked again with it, it is the same.
    pub position: String,
    /// When the last event up to there was recorded.
    pub as_of: i64,
    /// What was asked.
    pub parameters: Vec<(&'static str, String)>,
    /// How it is meant.
    pub notes: Vec<String>,
    /// The columns of its table.
    pub columns: Vec<Column>,
    /// The rows of its table.
    pub rows: Vec<Vec<Cell>>,
    /// What all rows are together, where that says something.
    pub totals: Option<Vec<Cell>>,
}

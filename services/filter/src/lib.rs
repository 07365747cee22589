//! The audit filter language: from the text an auditor types to a typed question about events.
//!
//! [`Filter::parse`] reads a filter such as
//!
//! ```text
//! type:user.login.failed ip:10.0.0.0/8 time:-7d -actor:(alice, bob)
//! ```
//!
//! into a [`Filter`], whose [`Expr`] others translate: the lake into columns of its table, sinks by asking
//! [`Filter::matches`] of every event. That function is also the reference for what a filter means, and
//! `GRAMMAR.md` beside this crate says it in words.
//!
//! * `ast`, `fields` and `pattern` are the typed form.
//! * `cursor` reads words, `keys` what stands before a colon, `raw` what stands after it, `parser` the grammar
//!   around them; `values` knows what a value means, with `time` and `network` for two kinds of them, and `coder`
//!   the keys of Coder's own filters.
//! * `display` writes the canonical text, `evaluate` asks an event.
//!
//! The crate reads no clock: now, the caller's name and the time zone come in a [`Context`]. (Named time zones
//! are looked up in the platform's time zone database.) Everything is bounded, and a mistake is a
//! [`FilterError`] that points at it.

mod ast;
mod coder;
mod cursor;
mod display;
mod error;
mod evaluate;
mod fields;
mod keys;
mod network;
mod parser;
mod pattern;
mod raw;
#[cfg(test)]
mod tests;
mod time;
mod values;

pub use ast::{Expr, Filter, Interval, Path, PathRoot, Predicate, Range, Side};
pub use error::FilterError;
pub use fields::{Case, Field, FieldKind};
pub use network::parse as parse_network;
pub use parser::{Context, MAX_DEPTH, MAX_LENGTH, MAX_LIST, MAX_TERMS};
pub use pattern::{Part, Pattern};

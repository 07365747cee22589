//! The audit filter language.

mod ast;
mod fields;
mod pattern;

pub use ast::{Expr, Filter, Interval, Path, PathRoot, Predicate, Range, Side};
pub use fields::{Case, Field, FieldKind};
pub use pattern::{Part, Pattern};

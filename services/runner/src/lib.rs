//! The isolated runner.
mod containment;
pub use containment::*;

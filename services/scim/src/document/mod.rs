//! From the body of a POST or PUT to the document that is kept.
//!
//! A **canonical document** has attribute names in their canonical spelling, values of the attributes' types, no
//! nulls, empty lists or empty objects, extension attributes under their URN, and neither `schemas`, `id`, `meta`
//! nor what only the server sets. Passwords and the like are never in it, nor are the members of a group.

mod accept;
mod keep;
mod members;
#[cfg(test)]
mod tests;
mod values;

use serde_json::{Map, Value};

pub use accept::accept;
pub use members::{Member, MemberKind};

pub(crate) use members::{member_values, read_members};
pub(crate) use values::{Reader, boolean_of, check_length, check_spelling, primary_of};

/// A JSON object: a canonical document, or what is rendered from one.
pub type Document = Map<String, Value>;

/// What a body is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// A new resource.
    Create,
    /// The whole of an existing resource anew (RFC 7644 section 3.5.1).
    Replace {
        /// Its canonical document as it is.
        current: &'a Document,
    },
}

/// What a body says.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The canonical document.
    pub document: Document,
    /// The members, where the resource is a group and the body speaks of them; empty where it says there are none.
    pub members: Option<Vec<Member>>,
    /// Whether a password was given. It is not kept.
    pub password_given: bool,
    /// Paths that were ignored because no schema has them.
    pub ignored: Vec<String>,
}

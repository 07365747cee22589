//! PATCH (RFC 7644 section 3.5.2): a request of operations, and what becomes of a document by them.
//!
//! [`PatchRequest::parse`] reads the body, [`apply`] carries the operations out, all of them or none. A group's
//! members are not in its document: what happens to them is returned as [`MemberEdit`]s, in order, so that a change
//! costs what it changes and not what the group has.

mod apply;
mod elements;
mod members;
mod pathless;
#[cfg(test)]
mod properties;
mod request;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vendor_tests;
mod write;

use serde_json::Value;

pub(crate) use target::{Target, resolve};

pub use request::{MAX_OPERATIONS, Operation, OperationKind, PatchRequest};

use crate::document::{Document, Member};
use crate::error::ScimError;
use crate::filter::{Filter, Query};
use crate::profile::Profile;
use crate::schema::ResourceType;

/// URN of the message of a PATCH.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A change of a group's members.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberEdit {
    /// These become members; those who are stay so.
    Add(Vec<Member>),
    /// These are no members any more; it does not matter whether they were.
    Remove(Vec<String>),
    /// Members that match are none any more. [`member_query`] makes the filter a question.
    RemoveMatching(Filter),
    /// These and no others are members.
    Replace(Vec<Member>),
    /// Nobody is a member.
    Clear,
}

/// What a document becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// The canonical document after the operations.
    pub document: Document,
    /// What happens to the members of a group, in order.
    pub members: Vec<MemberEdit>,
    /// Whether the document is what it was, and nothing happens to members.
    pub unchanged: bool,
    /// Whether a password was given. It is not kept.
    pub password_given: bool,
    /// Paths that were ignored because no schema has them.
    pub ignored: Vec<String>,
}

/// Carries out the operations of a request, each on the result of the one before. If one fails, nothing happened.
pub fn apply(
    resource_type: &ResourceType,
    current: &Document,
    request: PatchRequest,
    profile: &Profile,
) -> Result<Patched, ScimError> {
    let mut applier = apply::Applier::new(resource_type, current.clone(), profile);
    let count = request.operations.len();
    for (position, operation) in request.operations.into_iter().enumerate() {
        let place = |error: ScimError| match count {
            1 => error,
            _ => error.within(&format!("operation {}", position + 1)),
        };
        applier.operation(operation).map_err(place)?;
    }
    Ok(applier.finish(current))
}

/// The question a [`MemberEdit::RemoveMatching`] asks of each member, by [`Member::to_value`] and
/// [`Query::matches_element`].
pub fn member_query<'r>(group: &'r ResourceType, filter: &Filter, profile: &Profile) -> Result<Query<'r>, ScimError> {
    match group.attribute("members") {
        Some(members) => filter.compile_element(members, profile),
        None => Err(ScimError::filter("this resource type has no members")),
    }
}

/// Whether there is a value at all: null stands for none.
fn given(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null())
}

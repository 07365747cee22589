//! Bulk requests (RFC 7644 section 3.7).
//!
//! [`BulkRequest::parse`] reads the body within limits. [`BulkRequest::plan`] gives each new resource an id before
//! anything is done, puts these ids in place of the references to `bulkId`s, forward and circular ones too, and
//! orders the operations so that what is referred to is made first. [`BulkResponse`] answers in the order of the
//! request.

mod plan;
mod request;
mod response;
mod substitute;
#[cfg(test)]
mod tests;

pub use plan::{BulkTarget, Plan, Step};
pub use request::{BulkLimits, BulkOperation, BulkRequest, Method};
pub use response::{BulkResponse, BulkResult};

/// URN of the message of a bulk request.
pub const BULK_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the message of the answer to one.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

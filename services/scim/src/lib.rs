//! The SCIM 2.0 protocol engine: RFC 7643, 7644, 9865 and 9967, exact by the letter and lenient by a profile.
//!
//! Nothing here speaks HTTP or SQL, reads a clock or makes an id. What a server does with it:
//!
//! * [`Registry`] holds the schemas and resource types, standard ones and those added as data; everything below is
//!   driven by them. [`discovery`] shows them to clients.
//! * [`Profile`] says which deviations a client is allowed.
//! * [`accept`] makes the body of a POST or PUT a canonical document, [`patch::apply`] changes one,
//!   [`render`] shows it to clients again, cut by a [`Projection`].
//! * [`ListQuery`] reads what a list request asks: [`Filter::compile`] makes its filter a [`Query`] that documents are
//!   asked, [`Sorter`] orders them, [`ListResponse`] is the answer.
//! * [`bulk`] plans and answers bulk requests, [`Mappings`] copies attributes into others for one connection.
//!
//! A canonical document holds what clients set; `id`, `meta`, `schemas` and the groups of a user are added when it is
//! rendered. Members of a group are never in a document: they come as lists ([`Accepted::members`]) or as edits
//! ([`patch::MemberEdit`]), so that no request costs the size of a group.
//!
//! Every refusal is a [`ScimError`] with the status and `scimType` of the RFC.

pub mod bulk;
pub mod cursor;
pub mod discovery;
pub mod document;
mod error;
mod events;
mod filter;
mod mapping;
pub mod patch;
mod profile;
mod projection;
mod query;
mod render;
pub mod schema;
mod sort;

pub use cursor::Cursor;
pub use document::{Accepted, Document, Member, MemberKind, Purpose, accept};
pub use error::{ERROR_SCHEMA, ScimError, ScimType};
pub use events::ScimEvent;
pub use filter::{Equality, Filter, MAX_DEPTH, MAX_LENGTH, MAX_TERMS, Mentions, Operator, Query, Syntax};
pub use mapping::{GROUPS, Mapped, Mapping, Mappings};
pub use patch::{MemberEdit, PatchRequest, Patched};
pub use profile::{Preset, Profile, ProfileSettings};
pub use projection::{Projection, View};
pub use query::{LIST_SCHEMA, ListQuery, ListResponse, Page, SEARCH_SCHEMA};
pub use render::{Identity, render, schemas_of};
pub use schema::{Registry, RegistryError, ResourceType};
pub use sort::{SortKey, Sorter};

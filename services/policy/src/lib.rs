//! Who may do what: authorization as policy, in [Cedar](https://www.cedarpolicy.com).
//!
//! A [`PolicySet`] answers a [`Request`]: may this [`Principal`] use that [`Permission`] on this [`Resource`], under
//! these circumstances ([`Context`])? It is made of three kinds of policies, all of them Cedar:
//!
//! * the built-in ones of `schemas/policy/`: the roles, what people may do with their own things, access to
//!   templates, and the scopes of tokens;
//! * custom roles ([`CustomRole`]), which are data and become policies here;
//! * published policies ([`PublishedPolicy`]), texts that administrators write at run time.
//!
//! What nothing permits is denied, and a `forbid` beats everything. Invariants:
//!
//! * A set is valid as a whole or does not come to be: a broken policy is refused with line and column and never
//!   passed over. A rule that forbids and fails while it is evaluated forbids.
//! * A role in an organization reaches nothing that is not in that organization.
//! * The scopes of a token only take away: no policy gives a token what its scopes do not cover.
//! * The crate does no IO, knows no clock and remembers nothing between two requests.
//!
//! `permission`, `principal`, `resource` and `request` are the words of a question and its answer; `schema` and
//! `entities` say them in Cedar. `builtin`, `custom` and `published` are the policies (`nesting` keeps what is published shallow), `set` has them all. `visible`
//! says which organizations a list may show, `granting` who may give which role, `simulate` what would be if, and
//! `recorded` which permission an event is the record of. `table` writes the documentation's table.

mod browser_only;
mod builtin;
mod custom;
mod entities;
mod error;
mod granting;
mod nesting;
mod permission;
mod principal;
mod published;
mod recorded;
mod request;
mod resource;
mod schema;
mod set;
mod simulate;
mod table;
#[cfg(test)]
mod tests;
mod visible;

pub use browser_only::{BROWSER_KINDS, BROWSER_ONLY, BrowserOnly, Exempt};
pub use builtin::{BUILT_IN, BUILT_IN_ROLES, BUILT_IN_VERSION};
pub use custom::{CustomRole, MAX_ROLES};
pub use error::{Finding, PolicyError};
pub use granting::GrantRefusal;
pub use permission::{Permission, Reach};
pub use principal::{Bearer, Grant, Principal, Runner, Scope, User};
pub use published::{MAX_POLICIES, MAX_RULES, MAX_TEXT, PublishedPolicy};
pub use recorded::permission_of;
pub use request::{Connecting, Context, Decision, PolicyRef, Request};
pub use resource::{Access, Resource, Template};
pub use schema::{SCHEMA, generate_schema};
pub use set::PolicySet;
pub use simulate::{Change, Comparison, Holder, MAX_CHANGES, RecordedRequest, compare, who_can};
pub use table::role_table;
pub use visible::Visible;

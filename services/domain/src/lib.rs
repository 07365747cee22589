//! The pure core: events, commands and decisions of a remote-development platform's audit trail.
//!
//! Nothing here does IO, reads a clock or draws a random number; time and ids are passed in, so that every
//! decision can be replayed.
//!
//! * [`Event`] is the envelope: who ([`Actor`]) did what to which [`Resource`], with which [`Outcome`].
//! * [`catalogue`] lists the event types; their payloads live in [`events`], one module per area.
//! * [`upcast`] brings payloads of older versions up to the current one when they are read.
//! * [`cloudevents`] is the form events have on the wire, [`validate`] the bounds they must keep.
//! * A [`decision`] turns a command and the state it read into events, or a refusal: about [`users`], [`groups`],
//!   [`roles`], [`connections`], [`policies`], [`organizations`], [`tokens`], [`runners`] and [`sessions`]. [`directory`] holds what they read.
//!
//! INVARIANT: a decision's events follow from its arguments alone.

pub mod attributes;
pub mod browser_only;
pub mod catalogue;
pub mod cloudevents;
pub mod connections;
mod consequences;
pub mod decision;
pub mod directory;
mod event;
pub mod events;
pub mod groups;
pub mod organizations;
pub mod policies;
pub mod quotas;
pub mod roles;
pub mod runners;
pub mod session_keys;
pub mod sessions;
pub mod states;
pub mod templates;
mod time;
pub mod tokens;
pub mod upcast;
pub mod usage;
pub mod users;
pub mod validate;
pub mod workspaces;

pub use event::{Actor, ActorKind, Change, Event, Imported, Outcome, PolicyReference, Resource};
pub use time::{TimeError, Timestamp};

/// CloudEvents source of Chancery's own events. Nobody else may send events under it, and only events under it
/// decide about credentials.
pub const OWN_SOURCE: &str = "/chancery";

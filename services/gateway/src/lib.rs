//! The HTTP API.
//!
//! A request passes one [`middleware`]: it gets its id, is authenticated, judged by the policies for the permission that
//! the route table in [`routes`] names ([`authorization`]), handled, measured and logged. Handlers are small and live in
//! one file per area: [`ingest`](mod@ingest), [`audit`], [`tokens`], [`connections`], [`organizations`], [`users`],
//! [`workspaces`], [`jobs`], [`building`], [`runners`], [`quotas`], [`templates`], [`sessions`], [`browser_only`], [`reports`], [`roles`],
//! [`policies`], [`simulate`], [`resources`], [`operations`]; what identity providers push is [`scim`]'s, how people
//! get in [`sign_in`]'s.
//!
//! Every failure is an [`ApiError`] and leaves as `application/problem+json` (RFC 9457). Every read of the
//! audit trail is itself an event; if the log cannot take it, the read is refused.

mod audit;
mod authorization;
mod browser_only;
mod building;
mod connections;
mod error;
mod gateway;
mod groups;
mod ingest;
mod jobs;
mod middleware;
mod operations;
mod organizations;
mod policies;
mod quotas;
mod reports;
mod resources;
mod roles;
mod routes;
mod runners;
mod scim;
mod server;
mod sessions;
mod sign_in;
mod simulate;
mod templates;
mod tokens;
mod trail;
mod users;
mod workspaces;

pub use building::{StateSettings, upkeep};
pub use error::ApiError;
pub use gateway::{Gateway, Settings};
pub use metrics_exporter_prometheus::PrometheusHandle;
pub use operations::{metrics_recorder, openapi};
pub use runners::RunnerSettings;
pub use runners::attend::attend;
pub use server::serve;
pub use sessions::{SessionSettings, guard};
pub use sign_in::SignIn;
pub use tokens::{NewToken, new_token};

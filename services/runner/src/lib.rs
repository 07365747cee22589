//! The isolated runner: takes builds from the server by outbound requests, and does them with Terraform or `OpenTofu`.
//!
//! ```text
//! acquire → archive, verified by its digest → init → plan → what it costs → may it? → apply of that very plan → report
//! ```
//!
//! * [`serve`] is the loop; a [`Server`] is what it asks, and [`HttpServer`] the one over HTTPS.
//! * `job` does one job: its directory, its state, its steps, and what is left to do after a crash.
//! * `containment` runs every command under a supervisor ([`contain`]) that bounds it and ends all it has started.
//! * `terraform` knows binaries, environment, plans and states; `template` unpacks and reads what is built.
//! * `logs` keeps secrets out, and chains the lines.
//!
//! INVARIANT: nothing is applied but the plan that the server has accepted, and nothing of one job is left for the next.

mod arguments;
mod containment;
mod http;
mod identity;
mod job;
mod logs;
mod runner;
mod server;
mod settings;
mod template;
mod terraform;
mod wire;

pub use arguments::RunnerArguments;
pub use chancery_terraform::Limits as ArchiveLimits;
pub use containment::{ContainmentError, Ended, Exit, Limits, contain};
pub use http::{Connection, HttpServer};
pub use identity::Identity;
pub use logs::{Chain, Level, LogChunk, LogLine, Masker, Stage};
pub use runner::{RunnerError, Shutdown, serve};
pub use server::{
    Acquire, Finished, Instruction, Job, Named, Outcome, Owner, Planned, PlannedResource, Server, ServerError,
    StateBackend, TemplateOutput, Transition, Verdict,
};
pub use settings::Settings;
pub use terraform::{Binaries, Engine, Mirror, NoBinary};

//! Terraform and `OpenTofu`: which one, with what around it, and what they say.

mod binaries;
mod configuration;
mod environment;
mod plan;
mod shown;
mod ui;
mod version;

pub use binaries::{Binaries, Engine, NoBinary};
pub use configuration::Mirror;
pub(crate) use configuration::{backend_override, cli_configuration};
pub(crate) use environment::environment;
pub(crate) use plan::read_plan;
pub(crate) use shown::read_state;
pub(crate) use ui::said;

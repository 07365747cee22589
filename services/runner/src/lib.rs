//! The isolated runner.
#![allow(dead_code)]
mod containment;
mod job;
mod logs;
mod server;
mod settings;
mod template;
mod terraform;
pub use containment::*;
pub use settings::*;
pub use server::*;
pub use terraform::*;
pub use template::*;
pub use logs::*;

//! The runner with real Terraform: everything but the server, whose part is played by what the tests record.

mod archives;
mod builds;
mod containment;
mod faults;
mod logs;
mod server;
mod templates;
#[path = "../../../../tests/src/terraform.rs"]
mod terraform;
mod world;

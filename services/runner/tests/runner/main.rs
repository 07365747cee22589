//! The runner with real Terraform: everything but the server, whose part is played by what the tests record.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod archives;
mod builds;
mod containment;
mod faults;
mod http;
mod logs;
mod server;
mod templates;
#[path = "../../../../tests/src/terraform.rs"]
#[expect(unreachable_pub, reason = "the end-to-end tests share it")]
mod terraform;
mod world;

//! The harness of the end-to-end tests: the real binary, alone or as a cluster, and the servers it works with.

mod api;
mod balancer;
mod cluster;
mod host;
mod kafka;
mod network;
mod oidc;
mod postgres;
mod python;
mod runner;
mod s3;
mod scim;
mod server;
mod terraform;
mod tools;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use api::Api;
pub use balancer::Balancer;
pub use cluster::{Cluster, ClusterPlan, NodePlan};
pub use host::{Home, Host, Process, free_port};
pub use kafka::{KAFKA_CREDENTIALS, Kafka, KafkaAccess};
pub use network::Network;
pub use oidc::{OIDC_CLIENT, OIDC_DEVICE_CLIENT, OIDC_MACHINE, OpenIdProvider};
pub use postgres::Postgres;
pub use python::{deploying, pyspark, python, scim_tools};
pub use runner::SignedRunner;
pub use s3::{S3, S3_CREDENTIALS};
pub use scim::{Answer, ENTERPRISE, ERROR, GROUP, LIST, PATCH, Provider, USER};
pub use server::{Launch, Server};
pub use terraform::terraform;
pub use tools::helm;

/// The admin token every test server is given.
pub const TOKEN: &str = "chy_e2eadmintoken_0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef";

/// The binary under test, built beside the tests.
///
/// # Panics
/// When it was not built.
#[expect(clippy::panic, clippy::expect_used, reason = "a test cannot go on without the binary")]
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().expect("the test knows its own path");
    // Tests are built in target/…/deps, the benchmark beside the binary.
    let candidates = tests.ancestors().skip(1).take(2).map(|directory| directory.join("chancery"));
    let Some(binary) = { candidates }.find(|binary| binary.is_file()) else {
        panic!("the binary is not built: run `make build` or `make test`");
    };
    binary
}

/// A directory of this name in `target`, filled by `make` unless it was before with the same `contents`. Tests of one
/// binary run side by side: one at a time makes something.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn made_once(name: &str, contents: &str, make: impl FnOnce(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name);
    let ready = directory.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == contents) {
        return directory;
    }
    std::fs::create_dir_all(&directory).expect("target can be written to");
    make(&directory);
    std::fs::write(ready, contents).expect("target can be written to");
    directory
}

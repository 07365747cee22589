//! How a runner is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chancery_terraform::Limits as ArchiveLimits;

use crate::containment::Limits;
use crate::terraform::{Engine, Mirror};

/// Everything a runner is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where jobs run, and where states are kept that the server does not keep.
    pub data_directory: PathBuf,
    /// The server's address, as templates see it.
    pub server: String,
    /// Name of the organization whose jobs it takes.
    pub organization: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Jobs at the same time.
    pub jobs: usize,
    /// What each command of a job may use.
    pub limits: Limits,
    /// What a template may hold.
    pub archive: ArchiveLimits,
    /// How often the server is told that a job goes on, and asked whether it should.
    pub heartbeat: Duration,
    /// Bytes of a job's log.
    pub log_bytes: usize,
    /// Binaries to choose from, and a directory of more; those on the path without.
    pub binaries: Vec<PathBuf>,
    /// A directory of binaries in several versions.
    pub versions: Option<PathBuf>,
    /// Which of the two runs templates that take both.
    pub engine: Engine,
    /// Where Terraform, providers and scripts look for programs.
    pub path: String,
    /// Where providers come from.
    pub mirror: Mirror,
    /// Where providers are kept between jobs.
    pub plugin_cache: Option<PathBuf>,
    /// Environment that every job is given.
    pub environment: BTreeMap<String, String>,
    /// User and group that jobs run as; needs a runner that may change them.
    pub run_as: Option<(u32, u32)>,
    /// Directory of control groups that the runner may make its own in.
    pub cgroup: Option<PathBuf>,
    /// The binary that `runner-exec` is a command of; this one, normally.
    pub supervisor: PathBuf,
}

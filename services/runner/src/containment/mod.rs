//! Containment: what a template starts is bounded in time, memory, processes and output, and is gone afterwards.
//!
//! ```text
//! runner ──stdin: what to run, then orders; end of file: the runner is gone──► supervisor (`runner-exec`)
//!    ▲                                                                          │ own session, adopts every orphan,
//!    └──────────── stdout and stderr, straight from the command ◄── command ◄───┘ watches, ends, and kills what is left
//! ```
//!
//! The supervisor is the same binary, started again. It outlives the command, and never the runner: when the runner
//! dies, the order to interrupt comes by itself, and Terraform has its grace to write its state.

mod cgroup;
mod command;
mod helper;
mod processes;
mod supervisor;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use command::ContainmentError;
pub(crate) use command::{Stream, run};
pub use helper::contain;

/// What one command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long it may run.
    pub wall_clock: Duration,
    /// How long it is given between the interrupt, the request to terminate and the kill.
    pub grace: Duration,
    /// Seconds of processor time per process.
    pub cpu_seconds: u64,
    /// Bytes of memory, of all its processes together.
    pub memory_bytes: u64,
    /// The largest file it may write, in bytes.
    pub file_bytes: u64,
    /// Processes at the same time.
    pub processes: u64,
    /// Open files per process.
    pub open_files: u64,
    /// Bytes of output before it is ended.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_clock: Duration::from_hours(1),
            grace: Duration::from_secs(30),
            cpu_seconds: 3_600,
            memory_bytes: 4 << 30,
            file_bytes: 4 << 30,
            processes: 512,
            open_files: 4_096,
            output_bytes: 64 << 20,
        }
    }
}

/// A command and everything it is given: nothing is inherited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Specification {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    /// The user and group it runs as, where the runner may choose.
    pub(crate) run_as: Option<(u32, u32)>,
    pub(crate) limits: Limits,
    /// A directory of the second version of control groups in which a group may be made.
    pub(crate) cgroup: Option<PathBuf>,
    /// Where the supervisor says how it ended.
    pub(crate) report: PathBuf,
}

/// Why a command was ended before it ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It was canceled.
    Canceled,
    /// It ran too long.
    TimeLimit,
    /// It used too much memory.
    MemoryLimit,
    /// It started too many processes.
    ProcessLimit,
    /// It wrote too much.
    OutputLimit,
    /// The runner went away.
    RunnerGone,
    /// Its supervisor was killed.
    SupervisorGone,
}

impl Ended {
    /// What a person reads.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Canceled => "the build was canceled",
            Self::TimeLimit => "the command ran longer than this runner allows",
            Self::MemoryLimit => "the command used more memory than this runner allows",
            Self::ProcessLimit => "the command started more processes than this runner allows",
            Self::OutputLimit => "the command wrote more output than this runner allows",
            Self::RunnerGone => "the runner went away",
            Self::SupervisorGone => "the supervisor of the command was killed",
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it was made to end.
    pub ended: Option<Ended>,
    /// Processes that were still there after it, and were killed.
    pub left_over: u64,
}

impl Exit {
    /// It ended by itself and well.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.ended.is_none()
    }
}

//! `runner-exec`: the supervisor, and the last step before the command.

use std::io::{self, BufRead, Read};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::{Limits, Specification, supervisor};

/// The first argument that makes this binary a supervisor; the rest is for its own use.
pub(crate) const SUBCOMMAND: &str = "runner-exec";

/// The longest specification that is read.
const LONGEST: u64 = 4 << 20;

/// Does what a runner started this binary for, if one did: whatever has a runner in it calls this first, with its whole
/// command line. Without more arguments it supervises a command that standard input specifies; with limits and a command
/// it becomes that command.
pub fn contain(arguments: impl Iterator<Item = String>) -> Option<io::Result<()>> {
    let mut arguments = arguments.skip(1);
    (arguments.next().as_deref() == Some(SUBCOMMAND)).then(|| exec(&arguments.collect::<Vec<_>>()))
}

fn exec(arguments: &[String]) -> io::Result<()> {
    let [limits, program, arguments @ ..] = arguments else {
        return supervise();
    };
    let limits: Limits = serde_json::from_str(limits).map_err(io::Error::other)?;
    // The supervisor is killed: so is the command.
    set_parent_process_death_signal(Some(Signal::Kill))?;
    bound(&limits)?;
    Err(Command::new(program).args(arguments).exec())
}

fn supervise() -> io::Result<()> {
    let mut input = io::BufReader::new(io::stdin());
    let mut line = String::new();
    input.by_ref().take(LONGEST).read_line(&mut line)?;
    let specification: Specification = serde_json::from_str(&line).map_err(io::Error::other)?;
    supervisor::run(&specification, input)
}

/// Bounds this process and what it starts. Nothing here bounds all of them together; that the supervisor does.
fn bound(limits: &Limits) -> io::Result<()> {
    let bounds = [
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
    ];
    for (resource, most) in bounds {
        // What is already lower stays: a process without privileges may not raise it again.
        let hard = rustix::process::getrlimit(resource).maximum.map_or(most, |now| now.min(most));
        setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })?;
    }
    Ok(())
}

//! The runner's side of a contained command.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use super::helper::SUBCOMMAND;
use super::{Ended, Exit, Specification, cgroup, processes};

/// Bytes read at once.
const CHUNK: usize = 16 << 10;
/// How long output is waited for after everything that could write it has been killed.
const DRAIN: Duration = Duration::from_secs(5);

/// What the runner tells a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// End the command in good order: interrupt it first.
    Cancel,
    /// It wrote too much: kill it.
    TooMuchOutput,
}

impl Order {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::TooMuchOutput => "too-much-output",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Cancel, Self::TooMuchOutput].into_iter().find(|order| order.as_str() == name)
    }
}

/// Where a command wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
#[error("a command cannot be run: {doing}: {source}")]
pub struct ContainmentError {
    doing: &'static str,
    source: std::io::Error,
}

impl ContainmentError {
    fn when(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self { doing, source }
    }
}

/// Runs a command under a supervisor and hands over what it writes, until it and all that it started are gone.
///
/// When the future is dropped the supervisor ends the command by itself.
pub(crate) async fn run(
    supervisor: &PathBuf,
    specification: &Specification,
    cancel: &CancellationToken,
    mut take: impl FnMut(Stream, &[u8]),
) -> Result<Exit, ContainmentError> {
    let mut child = start(supervisor)?;
    let id = child.id();
    let (Some(mut orders), Some(mut output), Some(mut errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(ContainmentError::when("its pipes")(std::io::ErrorKind::BrokenPipe.into()));
    };
    let mut line = serde_json::to_vec(specification)
        .map_err(|error| ContainmentError::when("its specification")(std::io::Error::other(error)))?;
    line.push(b'\n');
    orders.write_all(&line).await.map_err(ContainmentError::when("its supervisor does not listen"))?;

    let mut buffers = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut written, mut open, mut canceled) = (0_u64, (true, true), false);
    let mut ended = false;
    let mut last_words = Box::pin(tokio::time::sleep(Duration::MAX));
    while open.0 || open.1 || !ended {
        let (stream, read) = tokio::select! {
            read = next(&mut output, &mut buffers.0), if open.0 => (Stream::Output, read),
            read = next(&mut errors, &mut buffers.1), if open.1 => (Stream::Errors, read),
            () = cancel.cancelled(), if !canceled => {
                canceled = true;
                tell(&mut orders, Order::Cancel).await;
                continue;
            }
            _ = child.wait(), if !ended => {
                ended = true;
                last_words = Box::pin(tokio::time::sleep(DRAIN));
                continue;
            }
            () = &mut last_words => break,
        };
        let bytes = match stream {
            Stream::Output => buffers.0.get(..read),
            Stream::Errors => buffers.1.get(..read),
        };
        if read == 0 {
            *(if stream == Stream::Output { &mut open.0 } else { &mut open.1 }) = false;
            continue;
        }
        let before = written;
        written += u64::try_from(read).unwrap_or(u64::MAX);
        if written <= specification.limits.output_bytes {
            take(stream, bytes.unwrap_or_default());
        } else if before <= specification.limits.output_bytes {
            tell(&mut orders, Order::TooMuchOutput).await;
        }
    }
    Ok(exit(specification, id).await)
}

fn start(supervisor: &PathBuf) -> Result<Child, ContainmentError> {
    let mut command = Command::new(supervisor);
    command.arg(SUBCOMMAND).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(ContainmentError::when("its supervisor does not start"))
}

/// A supervisor that is gone needs no order.
async fn tell(orders: &mut ChildStdin, order: Order) {
    orders.write_all(format!("{}\n", order.as_str()).as_bytes()).await.ok();
    orders.flush().await.ok();
}

async fn next(from: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> usize {
    from.read(buffer).await.unwrap_or(0)
}

/// What the supervisor reported. One that was killed reports nothing; what was in its session is killed in its place.
async fn exit(specification: &Specification, supervisor: Option<u32>) -> Exit {
    if let (Some(parent), Some(id)) = (specification.cgroup.clone(), supervisor) {
        tokio::task::spawn_blocking(move || cgroup::remove(&parent, id)).await.ok();
    }
    let report = tokio::fs::read(&specification.report).await.ok();
    if let Some(exit) = report.and_then(|report| serde_json::from_slice::<Exit>(&report).ok()) {
        tokio::fs::remove_file(&specification.report).await.ok();
        return exit;
    }
    let session = supervisor.and_then(|id| i32::try_from(id).ok());
    let left_over = tokio::task::spawn_blocking(move || session.map_or(0, kill_session)).await.unwrap_or(0);
    Exit { code: None, signal: None, ended: Some(Ended::SupervisorGone), left_over }
}

fn kill_session(session: i32) -> u64 {
    let mut first = 0;
    for round in 0..100 {
        let mut found = processes::all();
        found.retain(|process| process.session == session && !process.ended);
        if round == 0 {
            first = found.len();
        }
        if found.is_empty() {
            break;
        }
        for process in &found {
            processes::signal(process.pid, Signal::Kill);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    u64::try_from(first).unwrap_or(u64::MAX)
}

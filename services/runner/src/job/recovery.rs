//! What a runner does when it starts again: it keeps the states of jobs that it had begun, and reports their end.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::{JobDirectory, Marker, file_name, write_durably};
use super::states::{States, is_safe};
use crate::server::{Finished, Server, ServerError};

/// A report on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    job: String,
    finished: Finished,
}

/// Reports the end of a job, so that it arrives even if this process does not live to see it.
pub(crate) async fn report<S: Server>(server: &S, data: &Path, job: &str, finished: &Finished) {
    let path = data.join("reports").join(format!("{}.json", file_name(job)));
    let report = Report { job: job.to_owned(), finished: finished.clone() };
    let kept = serde_json::to_vec(&report).map_err(io::Error::other).and_then(|bytes| write_durably(&path, &bytes));
    if let Err(error) = kept {
        tracing::warn!(job, %error, "a report cannot be kept on disk");
    }
    deliver(server, &path, &report).await;
}

async fn deliver<S: Server>(server: &S, path: &Path, report: &Report) {
    match server.finished(&report.job, &report.finished).await {
        Err(error @ (ServerError::Unreachable(_) | ServerError::Unauthorized(_))) => {
            tracing::warn!(job = report.job, %error, "the report of a job is kept for the next start");
            return;
        }
        Err(error) => tracing::warn!(job = report.job, %error, "the server does not take the report of a job"),
        Ok(()) => {}
    }
    fs::remove_file(path).ok();
}

/// Makes the directories of a runner, and puts in order what an earlier process has left in them.
///
/// # Errors
/// When they cannot be made.
pub(crate) async fn recover<S: Server>(server: &S, data: &Path, run_as: bool) -> io::Result<()> {
    let make = |name: &str, mode: u32| DirBuilder::new().recursive(true).mode(mode).create(data.join(name));
    // Whoever jobs run as must be able to reach their directories, and can list none.
    let open = if run_as { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(open).create(data)?;
    make("jobs", open)?;
    make("states", 0o700)?;
    make("reports", 0o700)?;
    for entry in fs::read_dir(data.join("reports"))?.flatten() {
        let report = fs::read(entry.path()).ok().and_then(|bytes| serde_json::from_slice::<Report>(&bytes).ok());
        if let Some(report) = report {
            deliver(server, &entry.path(), &report).await;
        }
    }
    for (directory, marker) in JobDirectory::left_behind(&data.join("jobs")) {
        let state_is_safe = match marker {
            Some(marker) => end(server, data, &directory, &marker).await,
            None => true,
        };
        if state_is_safe {
            directory.remove()?;
        }
    }
    Ok(())
}

/// Ends a job that was interrupted by the end of this runner. Whether its state is safe.
async fn end<S: Server>(server: &S, data: &Path, directory: &JobDirectory, marker: &Marker) -> bool {
    tracing::warn!(job = marker.job, applying = marker.applying, "a job was interrupted by the end of this runner");
    // What the server did not take is nowhere else: someone has to look at it.
    let mut state_is_safe = marker.keeps_state || !directory.stranded().exists();
    if !state_is_safe {
        tracing::error!(job = marker.job, file = %directory.stranded().display(), "a state was not handed over");
    }
    if marker.keeps_state && marker.applying {
        let states = States::new(data.join("states"));
        let kept = states.lock(&marker.workspace).and_then(|locked| match locked {
            Some(locked) => locked.put_from(&directory.state()),
            None => Err(io::Error::other("it is locked")),
        });
        state_is_safe = is_safe(&kept);
        if let Err(error) = kept {
            tracing::error!(job = marker.job, %error, "the state of an interrupted job cannot be kept");
        }
    }
    if data.join("reports").join(format!("{}.json", file_name(&marker.job))).exists() {
        return state_is_safe;
    }
    let reason = "the runner was stopped during the build".to_owned();
    let mut finished = Finished::failed(reason, true);
    finished.applied = marker.applying;
    report(server, data, &marker.job, &finished).await;
    state_is_safe
}

//! A job from its acquisition to its report.

mod build;
mod commands;
mod directory;
mod parameters;
mod prepare;
mod recovery;
mod states;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use build::Build;
use directory::{JobDirectory, Marker};
pub(crate) use recovery::{recover, report};

use crate::logs::{Journal, Level, Masker, Stage, ship};
use crate::server::{Finished, Instruction, Job, Outcome, Server, ServerError};
use crate::settings::Settings;
use crate::terraform::Binaries;

/// Does a job and reports how it ended; `cancel` ends it early.
pub(crate) async fn run<S: Server>(
    server: Arc<S>,
    settings: &Settings,
    binaries: &Binaries,
    job: &Job,
    cancel: CancellationToken,
) {
    if JobDirectory::exists(&settings.data_directory.join("jobs"), &job.id) {
        // It runs here, or its state waits to be kept. Whoever began it reports its end.
        tracing::warn!(job = job.id, "a job that this runner has begun already is not begun again");
        return;
    }
    let mut masker = Masker::default();
    masker.add(job.secrets.values().map(String::as_str));
    masker.add(job.state.iter().map(|state| state.password.as_str()));
    let (journal, sender) = Journal::new(masker, settings.log_bytes);
    let shipping = tokio::spawn({
        let (server, id) = (Arc::clone(&server), job.id.clone());
        async move { ship(&*server, &id, sender).await }
    });
    let beating = tokio::spawn(heartbeats(Arc::clone(&server), job.id.clone(), settings.heartbeat, cancel.clone()));
    let (mut finished, directory) = build(&*server, settings, binaries, job, &journal, &cancel).await;
    beating.abort();
    match &finished.error {
        Some(error) => journal.write(Stage::Finish, Level::Error, error),
        None => journal.write(Stage::Finish, Level::Info, "done"),
    }
    (finished.log_lines, finished.log_digest) = journal.close();
    shipping.await.ok();
    tracing::info!(job = job.id, outcome = ?finished.outcome, applied = finished.applied, "a job has ended");
    report(&*server, &settings.data_directory, &job.id, &finished).await;
    if let Some(directory) = directory
        && let Err(error) = directory.remove()
    {
        tracing::warn!(job = job.id, %error, "the directory of a job cannot be removed");
    }
}

async fn build<S: Server>(
    server: &S,
    settings: &Settings,
    binaries: &Binaries,
    job: &Job,
    journal: &Journal,
    cancel: &CancellationToken,
) -> (Finished, Option<JobDirectory>) {
    let marker = Marker {
        job: job.id.clone(),
        workspace: job.workspace.id.clone(),
        keeps_state: job.state.is_none(),
        applying: false,
    };
    match JobDirectory::make(&settings.data_directory.join("jobs"), &marker, settings.run_as) {
        Ok(directory) => {
            let build = Build { server, settings, binaries, job, directory: &directory, journal, cancel };
            let (finished, state_is_safe) = build.run().await;
            // Otherwise the next start tries again.
            (finished, state_is_safe.then_some(directory))
        }
        Err(error) => {
            let reason = format!("the job's directory cannot be made: {error}");
            (Finished::failed(reason, job.build_number > 1), None)
        }
    }
}

/// Tells the server that the job goes on, and does what it says.
async fn heartbeats<S: Server>(server: Arc<S>, job: String, every: Duration, cancel: CancellationToken) {
    loop {
        tokio::time::sleep(every).await;
        match server.heartbeat(&job).await {
            Ok(Instruction::Continue) | Err(ServerError::Unreachable(_)) => {}
            Ok(Instruction::Cancel) => cancel.cancel(),
            Err(error) => {
                tracing::warn!(job, %error, "a job is ended");
                cancel.cancel();
            }
        }
    }
}

impl Finished {
    /// A job that failed before its apply.
    pub(crate) fn failed(error: String, resources_remain: bool) -> Self {
        Self {
            outcome: Outcome::Failed,
            applied: false,
            resources_remain,
            daily_cost: None,
            error: Some(error),
            resources: Vec::new(),
            outputs: std::collections::BTreeMap::new(),
            log_lines: 0,
            log_digest: String::new(),
        }
    }
}

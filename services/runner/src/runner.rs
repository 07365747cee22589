//! The runner: takes jobs while it has hands free, and ends in good order.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::jitter;
use crate::job;
use crate::server::{Acquire, Server, ServerError};
use crate::settings::Settings;
use crate::terraform::Binaries;

/// Shortest time between two questions for a job that were answered with none.
const IDLE: Duration = Duration::from_secs(2);
/// How long canceled jobs are waited for besides the time they are given.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a runner stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// Its directories cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Directory(#[from] io::Error),
    /// The server does not want it.
    #[error("{0}")]
    Unauthorized(ServerError),
}

/// How a runner is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// It takes no more jobs, and ends when those that it has are done.
    pub drain: CancellationToken,
    /// It cancels those that it has.
    pub now: CancellationToken,
}

/// Runs until it is told to stop, or the server no longer accepts it.
///
/// # Errors
/// When the data directory cannot be used, or the key was revoked.
pub async fn serve<S: Server>(
    server: Arc<S>,
    settings: Arc<Settings>,
    binaries: Arc<Binaries>,
    shutdown: Shutdown,
) -> Result<(), RunnerError> {
    let recovering = job::recover(&*server, &settings.data_directory, settings.run_as.is_some());
    match shutdown.drain.run_until_cancelled(recovering).await {
        Some(recovered) => recovered?,
        None => return Ok(()),
    }
    let (hands, jobs) = (Arc::new(Semaphore::new(settings.jobs.max(1))), TaskTracker::new());
    let request = Acquire { organization: settings.organization.clone(), tags: settings.tags.clone() };
    let mut pause = FIRST_PAUSE;
    let stopped = loop {
        let hand = tokio::select! {
            hand = Arc::clone(&hands).acquire_owned() => hand,
            () = shutdown.drain.cancelled() => break Ok(()),
        };
        let asked = Instant::now();
        // A job that is handed out while this is dropped is not begun; its lease ends, and another runner takes it.
        let acquired = tokio::select! {
            acquired = server.acquire(&request) => acquired,
            () = shutdown.drain.cancelled() => break Ok(()),
        };
        match acquired {
            Ok(Some(job)) => {
                pause = FIRST_PAUSE;
                tracing::info!(job = job.id, workspace = job.workspace.id, "a job begins");
                let (server, settings, binaries) = (Arc::clone(&server), Arc::clone(&settings), Arc::clone(&binaries));
                let cancel = shutdown.now.child_token();
                jobs.spawn(async move {
                    job::run(server, &settings, &binaries, &job, cancel).await;
                    drop(hand);
                });
            }
            Ok(None) => {
                pause = FIRST_PAUSE;
                // A server that does not hold back its answer is not asked all the time.
                let rest = IDLE.saturating_sub(asked.elapsed());
                shutdown.drain.run_until_cancelled(tokio::time::sleep(rest + jitter(rest))).await;
            }
            Err(error @ ServerError::Unauthorized(_)) => break Err(RunnerError::Unauthorized(error)),
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "no job can be asked for");
                shutdown.drain.run_until_cancelled(tokio::time::sleep(pause + jitter(pause))).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    };
    if stopped.is_err() {
        // Whatever it runs is no longer its own.
        shutdown.now.cancel();
    }
    jobs.close();
    tracing::info!(jobs = jobs.len(), "no more jobs are taken");
    // Reports that cannot be delivered are on disk; nobody waits for them after the second signal.
    let patience = settings.limits.grace * 2 + PATIENCE;
    tokio::select! {
        () = jobs.wait() => {}
        () = async { shutdown.now.cancelled().await; tokio::time::sleep(patience).await } => {
            tracing::warn!(jobs = jobs.len(), "not every job has ended; what is left is done at the next start");
        }
    }
    stopped
}

//! What builds leave behind when they end without a word: locks of states that nobody will give back, and logs that nobody
//! closes. Of all nodes one looks after them.

use std::sync::Arc;
use std::time::Duration;

use chancery_domain::states::BreakLock;
use chancery_domain::workspaces::builds::BuildRecord;
use tokio_util::sync::CancellationToken;

use super::logs;
use super::reports::SaidLog;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);
/// How long a job that has ended may still write what it has done, in microseconds; another build has the lock at once.
const LATE: i64 = 120_000_000;
/// How long nothing is added to a log before it may be closed, in microseconds.
const SILENT: i64 = 20_000_000;

/// Looks after what builds leave behind, until cancelled.
pub async fn upkeep(gateway: Arc<Gateway>, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if let Some(Err(error)) = cancel.run_until_cancelled(gateway.look_after_builds()).await {
            tracing::warn!(%error, "what builds have left behind could not be looked after; trying again");
        }
    }
}

impl Gateway {
    async fn look_after_builds(&self) -> Result<(), ApiError> {
        if !self.log.leads("builds").await? {
            return Ok(());
        }
        let now = self.now();
        for workspace in self.state.locked_states().await? {
            let Some(lock) = self.state.state_lock(&workspace).await? else { continue };
            let Some(job) = lock.job_id else { continue };
            let build = self.state.build_of_job(&job).await?;
            let late = |build: &BuildRecord| build.finished_at.is_some_and(|at| at.saturating_add_micros(LATE) < now);
            if build.as_ref().is_none_or(late) {
                let permit = |_: &_| Ok::<_, ApiError>(self.own_context());
                self.decisions.break_state_lock(&workspace, &BreakLock::Ended, permit).await?;
            }
        }
        for job in self.state.silent_logs(now.saturating_add_micros(-SILENT)).await? {
            match self.state.build_of_job(&job).await? {
                Some(build) if build.status.is_last() => {
                    logs::close(self, &build, SaidLog::default(), || self.own_context()).await?;
                }
                Some(_) => {}
                None => logs::forget(self, &job).await?,
            }
        }
        Ok(())
    }
}

//! Where a build stands that waits for a runner: its place, how long it may take, and why.

use chancery_domain::runners::{RunnerRecord, RunnerStatus, lines};
use chancery_domain::workspaces::builds::BuildRecord;

use super::view::QueueView;
use crate::error::ApiError;
use crate::gateway::Gateway;

impl Gateway {
    /// Where a build stands.
    pub(super) async fn queue_of(&self, build: &BuildRecord) -> Result<QueueView, ApiError> {
        let organization = build.organization.clone().unwrap_or_default();
        let owner = self.state.workspace(&build.workspace_id).await?.and_then(|workspace| workspace.owner_id);
        let now = self.now();
        let runners = self.state.all_runners().await?.into_iter();
        let own: Vec<RunnerRecord> =
            runners.filter(|runner| runner.organization == organization && runner.refusal(now).is_none()).collect();
        let suits = |runner: &&RunnerRecord| runner.suits(&build.tags, owner.as_deref());
        let suitable: Vec<&RunnerRecord> = own.iter().filter(suits).collect();
        let there: Vec<&&RunnerRecord> =
            suitable.iter().filter(|runner| runner.status == RunnerStatus::Connected).collect();
        let change = *self.state.queue_changes().borrow();
        self.queue.refresh(&self.state, change, true).await?;
        let job = build.job_id.as_deref().unwrap_or_default();
        let before = self.queue.before(job, |tags, user| suitable.iter().any(|runner| runner.suits(tags, Some(user))));
        let position = before.map(|before| before + 1);
        let usual = self.state.usual_duration(&organization, build.transition).await?;
        let estimate_seconds = match (position, usual, u64::try_from(there.len())) {
            (Some(position), Some(micros), Ok(there)) if there > 0 => {
                let rounds = (position as u64).div_ceil(there);
                Some(rounds.saturating_mul(micros.unsigned_abs().div_ceil(1_000_000)))
            }
            _ => None,
        };
        let tags = lines(&build.tags).join(", ");
        let what = if tags.is_empty() { "no tags".to_owned() } else { format!("the tags {tags}") };
        let reason = match (own.len(), suitable.len(), there.len(), before) {
            (0, ..) => format!("no runner is registered for the organization `{organization}`"),
            (_, 0, ..) => format!("of {} runners of `{organization}` none takes jobs with {what}", own.len()),
            (_, suitable, 0, _) => format!("none of {suitable} runners that may take it is connected"),
            (.., Some(0)) => "it is the next one".to_owned(),
            (.., Some(before)) => format!("{before} go before it"),
            (.., None) => "a runner is about to take it".to_owned(),
        };
        Ok(QueueView { position, estimate_seconds, suitable_runners: there.len(), reason })
    }
}

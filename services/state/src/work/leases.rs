//! Leases that have run out: jobs of lost runners are queued again or given up.

use chancery_domain::Event;
use chancery_domain::Timestamp;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::workspaces::builds::{
    BrokenOff, BuildRecord, BuildReport, Ending, FinishBuild, Lapse, Leases, RequeueBuild,
};

use super::Reads;
use crate::{CommandError, Decisions};

/// What was done about lost runners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Jobs that wait again.
    pub requeued: usize,
    /// Jobs that were given up.
    pub ended: usize,
    /// What could not be decided; it is tried again.
    pub failed: usize,
}

impl Decisions {
    /// Looks at every job that a runner has; `heard` tells when its runner was last heard of, about it.
    pub async fn reap_jobs(
        &self,
        leases: &Leases,
        heard: impl Fn(&BuildRecord) -> Timestamp,
        context: impl Fn() -> Context,
    ) -> Result<Reaped, CommandError> {
        let mut reaped = Reaped::default();
        for build in self.state().held_builds().await? {
            if leases.lapse(&build, heard(&build), context().now).is_none() {
                continue;
            }
            match self.reap(&build, leases, &heard, &context).await {
                Ok(Some(Lapse::Requeue { .. })) => reaped.requeued += 1,
                Ok(Some(Lapse::Cancel | Lapse::GiveUp { .. })) => reaped.ended += 1,
                Ok(None) => {}
                Err(error) => {
                    reaped.failed += 1;
                    tracing::warn!(workspace.id = build.workspace_id, %error, "the job of a lost runner");
                }
            }
        }
        Ok(reaped)
    }

    /// Does what is due about a job, if it still is.
    async fn reap(
        &self,
        of: &BuildRecord,
        leases: &Leases,
        heard: &impl Fn(&BuildRecord) -> Timestamp,
        context: &impl Fn() -> Context,
    ) -> Result<Option<Lapse>, CommandError> {
        self.about(&of.workspace_id, Reads::Ledger, async |workspace, last| {
            let context = context();
            let held = last.filter(|last| last.job_id == of.job_id);
            let lapse = held.as_ref().and_then(|build| leases.lapse(build, heard(build), context.now));
            let (Some(build), Some(lapse)) = (held, lapse) else { return Ok((Vec::new(), None)) };
            let facts = self.state().facts_of(&workspace, context.now).await?;
            let broken = BrokenOff::default();
            let decided: Result<Vec<Event>, Refusal> = match lapse.clone() {
                Lapse::Requeue { reason } => RequeueBuild { reason }.decide(&workspace, &build, &facts, context),
                Lapse::Cancel => FinishBuild { ending: Ending::Canceled { broken }, report: BuildReport::default() }
                    .decide(&workspace, &build, &facts, context),
                Lapse::GiveUp { reason } => {
                    let ending = Ending::Failed { broken, error: Some(reason), expired: true };
                    FinishBuild { ending, report: BuildReport::default() }.decide(&workspace, &build, &facts, context)
                }
            };
            Ok::<_, CommandError>((decided?, Some(lapse)))
        })
        .await
    }
}

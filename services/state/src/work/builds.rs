//! Builds and jobs: asked for, taken, planned, applied, done.

use chancery_domain::Event;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::events::workspaces::Transition;
use chancery_domain::quotas::Judgement;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::builds::{
    BeginApply, BuildRecord, CancelBuild, FinishBuild, PlanBuild, RequestBuild, StartBuild, Surroundings,
};

use super::{Failure, Permit, Reads};
use crate::{Decisions, QueuedJob, StateError};

impl Decisions {
    /// Asks for a build; its number, if it is one.
    pub async fn request_build<E: Failure>(
        &self,
        id: &str,
        command: &RequestBuild,
        administers: bool,
        permit: impl Permit<E>,
    ) -> Result<Option<u32>, E> {
        self.about(id, Reads::Workspace, async |workspace, last| {
            let context = permit(&workspace)?;
            let events = self.requested::<E>(command.clone(), &workspace, last.as_ref(), administers, context).await?;
            let number = events.iter().find(|event| event.event_type == "workspace.build.requested");
            Ok((events.clone(), number.map(|_| workspace.last_build.saturating_add(1))))
        })
        .await
    }

    /// The events of a request.
    pub(super) async fn requested<E: Failure>(
        &self,
        command: RequestBuild,
        workspace: &WorkspaceRecord,
        last: Option<&BuildRecord>,
        administers: bool,
        context: Context,
    ) -> Result<Vec<Event>, E> {
        let state = self.state();
        let owner = match &workspace.owner_id {
            Some(owner) => state.user(owner).await?,
            None => None,
        };
        let template = match &workspace.template_id {
            Some(template) => state.template(template).await?,
            None => None,
        };
        let (version, contents) = match (&workspace.template_id, command.version(workspace, template.as_ref())) {
            (Some(template), Some(version)) if command.transition == Transition::Start => {
                (state.template_version(template, version).await?, state.template_contents(template, version).await?)
            }
            _ => (None, None),
        };
        let surroundings = Surroundings {
            last,
            owner: owner.as_ref(),
            template: template.as_ref(),
            version: version.as_ref(),
            contents: contents.as_ref(),
            administers,
        };
        Ok(command.decide(workspace, surroundings, context)?)
    }

    /// Ends a build, or has its runner told to.
    pub async fn cancel_build<E: Failure>(
        &self,
        id: &str,
        number: u32,
        command: &CancelBuild,
        permit: impl Permit<E>,
    ) -> Result<(), E> {
        self.about(id, Reads::Workspace, async |workspace, last| {
            let context = permit(&workspace)?;
            let build = match last.filter(|build| build.number == number) {
                Some(build) => build,
                None => self.state().build(id, number).await?.ok_or(Refusal::Unknown("build"))?,
            };
            Ok((command.clone().decide(&workspace, &build, context)?, ()))
        })
        .await
    }

    /// Gives a runner a job that waits; nothing if it does not any more. Of two that want the same, one gets it.
    pub async fn acquire_job<E: Failure>(
        &self,
        job: &QueuedJob,
        runner: &str,
        context: impl Fn() -> Context,
    ) -> Result<Option<BuildRecord>, E> {
        let taken = self
            .about(&job.workspace_id, Reads::Workspace, async |workspace, last| {
                let command = StartBuild { runner_id: runner.to_owned() };
                let free = last.filter(|last| last.job_id.as_deref() == Some(job.job_id.as_str()));
                match free.map(|build| command.decide(&workspace, &build, context())) {
                    Some(Ok(events)) => Ok((events, true)),
                    Some(Err(Refusal::InState { .. })) | None => Ok((Vec::new(), false)),
                    Some(Err(refusal)) => Err(E::from(refusal)),
                }
            })
            .await;
        match taken {
            Ok(true) => Ok(self.state().build(&job.workspace_id, job.number).await?),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Weighs the plan of a build.
    pub async fn plan_build<E: Failure>(
        &self,
        job: &str,
        command: &PlanBuild,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<Judgement, E> {
        self.on_job(job, Reads::Caps, async |workspace, build| {
            let context = permit(&build)?;
            let facts = self.state().facts_of(&workspace, context.now).await?;
            let planned = command.clone().decide(&workspace, &build, &facts, context)?;
            Ok((planned.events, planned.judgement))
        })
        .await
    }

    /// Lets a runner begin to change resources.
    pub async fn begin_apply<E: Failure>(
        &self,
        job: &str,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<(), E> {
        self.on_job(job, Reads::Workspace, async |workspace, build| {
            let context = permit(&build)?;
            Ok((BeginApply.decide(&workspace, &build, context)?, ()))
        })
        .await
    }

    /// Ends a build.
    pub async fn finish_build<E: Failure>(
        &self,
        job: &str,
        command: &FinishBuild,
        permit: impl Fn(&BuildRecord) -> Result<Context, E>,
    ) -> Result<(), E> {
        self.on_job(job, Reads::Ledger, async |workspace, build| {
            let context = permit(&build)?;
            let facts = self.state().facts_of(&workspace, context.now).await?;
            Ok((command.clone().decide(&workspace, &build, &facts, context)?, ()))
        })
        .await
    }

    /// Takes a decision about the build that a job carries out.
    pub(super) async fn on_job<T, E: Failure>(
        &self,
        job: &str,
        reads: Reads,
        decide: impl AsyncFn(WorkspaceRecord, BuildRecord) -> Result<(Vec<Event>, T), E>,
    ) -> Result<T, E> {
        let unknown = || Refusal::Unknown("job");
        let found: Result<_, StateError> = self.state().build_of_job(job).await;
        let workspace = found?.ok_or_else(unknown)?.workspace_id;
        self.about(&workspace, reads, async |workspace, _| {
            let build = self.state().build_of_job(job).await?.ok_or_else(unknown)?;
            decide(workspace, build).await
        })
        .await
    }
}

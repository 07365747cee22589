//! Builds and jobs: asked for, taken, planned, applied, done.

use std::collections::BTreeMap;

use chancery_domain::Event;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::events::workspaces::Transition;
use chancery_domain::quotas::Judgement;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::builds::{
    BeginApply, BuildRecord, CancelBuild, FinishBuild, PlanBuild, RequestBuild, StartBuild, Surroundings,
};

use super::{Failure, Permit, Reads};
use crate::{Decisions, StateError};

/// Jobs that are looked at together.
const PAGE: usize = 100;

/// A runner that waits for a job.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its id.
    pub runner_id: String,
    /// The organization whose jobs it takes.
    pub organization: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Waiting {
    /// Whether a job may go to it: one without tags only to a runner without, any other to one that has all its tags.
    fn suits(&self, build: &BuildRecord) -> bool {
        if build.tags.is_empty() {
            return self.tags.is_empty();
        }
        build.tags.iter().all(|(name, value)| self.tags.get(name) == Some(value))
    }
}

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

    /// Gives a runner the job that has waited longest of those that suit it. Of two that want the same, one gets it.
    pub async fn acquire_job<E: Failure>(
        &self,
        runner: &Waiting,
        context: impl Fn() -> Context,
    ) -> Result<Option<BuildRecord>, E> {
        let mut skip = 0;
        loop {
            let page = self.state().queued_builds(&runner.organization, skip, PAGE).await?;
            for build in page.iter().filter(|build| runner.suits(build)) {
                let taken = self
                    .about(&build.workspace_id, Reads::Workspace, async |workspace, last| {
                        let command = StartBuild { runner_id: runner.runner_id.clone() };
                        let free = last.filter(|last| last.job_id == build.job_id);
                        match free.map(|build| command.decide(&workspace, &build, context())) {
                            Some(Ok(events)) => Ok((events, true)),
                            Some(Err(Refusal::InState { .. })) | None => Ok((Vec::new(), false)),
                            Some(Err(refusal)) => Err(E::from(refusal)),
                        }
                    })
                    .await?;
                if taken {
                    return Ok(self.state().build(&build.workspace_id, build.number).await?);
                }
            }
            if page.len() < PAGE {
                return Ok(None);
            }
            skip += PAGE;
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

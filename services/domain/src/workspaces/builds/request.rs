//! Asking for a build.

use std::collections::BTreeMap;

use crate::decision::{Context, Draft, Refusal};
use crate::directory::{DirectoryUser, UserStatus};
use crate::event::Event;
use crate::events::Bare;
use crate::events::workspaces::{Build, Transition};
use crate::templates::{TemplateRecord, TemplateStatus, TemplateVersionRecord};
use crate::workspaces::builds::{BuildRecord, BuildStatus};
use crate::workspaces::lifecycle::parameters_fit;
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

/// What a build stands in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The workspace's last build.
    pub last: Option<&'a BuildRecord>,
    /// Whose the workspace is.
    pub owner: Option<&'a DirectoryUser>,
    /// Its template.
    pub template: Option<&'a TemplateRecord>,
    /// The template version that would be built.
    pub version: Option<&'a TemplateVersionRecord>,
    /// Whoever asks looks after the template: they may build versions that are not the active one.
    pub administers: bool,
}

/// A build to be made.
#[derive(Debug, Clone)]
pub struct RequestBuild {
    /// What it does.
    pub transition: Transition,
    /// What asks for it: `initiator`, `autostart`, …
    pub cause: &'static str,
    /// Why, in words.
    pub reason: Option<String>,
    /// Id of the template version to build; the present or the active one without.
    pub template_version: Option<String>,
    /// Values of the template's variables; the present ones without.
    pub parameters: Option<BTreeMap<String, String>>,
}

impl RequestBuild {
    /// The version that would be built.
    pub fn version<'a>(
        &'a self,
        workspace: &'a WorkspaceRecord,
        template: Option<&'a TemplateRecord>,
    ) -> Option<&'a str> {
        let active = template.and_then(|template| template.active_version.as_deref());
        let present = workspace.template_version.as_deref();
        let asked = self.template_version.as_deref();
        match self.transition {
            Transition::Start => {
                let required = template.is_some_and(|template| template.settings.require_active_version);
                asked.or(if required { active.or(present) } else { present.or(active) })
            }
            // What was built with one version is taken down with it.
            Transition::Stop | Transition::Delete => asked.or(present).or(active),
        }
    }

    /// A stop that nobody has to be asked about.
    pub(crate) fn stop(cause: &'static str, reason: Option<String>) -> Self {
        Self { transition: Transition::Stop, cause, reason, template_version: None, parameters: None }
    }

    /// Decides whether it can be queued. What never had a build is deleted at once.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        surroundings: Surroundings<'_>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        workspace.exists()?;
        if let Some(build) = surroundings.last.filter(|build| !build.status.is_last()) {
            return Err(Refusal::InState { what: "workspace", status: in_progress(workspace, build) });
        }
        let mut draft = Draft::new(context);
        match self.transition {
            Transition::Start => self.may_start(workspace, surroundings)?,
            Transition::Stop if workspace.status == WorkspaceStatus::Stopped || workspace.last_build == 0 => {
                return Err(Refusal::InState { what: "workspace", status: WorkspaceStatus::Stopped.as_str() });
            }
            Transition::Delete if workspace.last_build == 0 => {
                let mut event = workspace.event(&mut draft, "workspace.deleted", &Bare {});
                event.reason = self.reason;
                draft.push(event);
                return Ok(draft.events);
            }
            Transition::Stop | Transition::Delete => {}
        }
        let tags = surroundings.template.map(|template| template.settings.runner_tags.clone()).unwrap_or_default();
        order(&mut draft, None, workspace, self, surroundings.template, tags);
        Ok(draft.events)
    }

    fn may_start(&self, workspace: &WorkspaceRecord, surroundings: Surroundings<'_>) -> Result<(), Refusal> {
        if surroundings.owner.is_none_or(|owner| owner.status != UserStatus::Active) {
            return Err(Refusal::Forbidden("the owner of the workspace has no access".to_owned()));
        }
        let template = surroundings.template.filter(|template| template.status != TemplateStatus::Deleted);
        let template = template.ok_or(Refusal::Unknown("template"))?;
        let version = self.version(workspace, Some(template));
        version_fits(template, version, surroundings.version, surroundings.administers)?;
        let parameters = self.parameters.as_ref().unwrap_or(&workspace.parameters);
        parameters_fit(parameters)?;
        let same = version == workspace.template_version.as_deref() && *parameters == workspace.parameters;
        if workspace.status == WorkspaceStatus::Running && same {
            return Err(Refusal::InState { what: "workspace", status: WorkspaceStatus::Running.as_str() });
        }
        Ok(())
    }
}

/// Whether a version may be built.
pub(crate) fn version_fits(
    template: &TemplateRecord,
    asked: Option<&str>,
    version: Option<&TemplateVersionRecord>,
    administers: bool,
) -> Result<(), Refusal> {
    let Some(asked) = asked else {
        return Err(Refusal::Forbidden("the template has no version to build".to_owned()));
    };
    let version = version.filter(|version| version.id == asked && version.template_id == template.id);
    let version = version.ok_or(Refusal::Unknown("template version"))?;
    if version.archived {
        return Err(Refusal::Forbidden(format!("version `{}` of the template was put away", version.name)));
    }
    let active = template.active_version.as_deref() == Some(asked);
    if template.settings.require_active_version && !active && !administers {
        return Err(Refusal::Forbidden("the template wants its active version built".to_owned()));
    }
    Ok(())
}

/// What a workspace is doing while a build of it is in progress.
pub fn in_progress(workspace: &WorkspaceRecord, build: &BuildRecord) -> &'static str {
    if build.cancel_requested { WorkspaceStatus::Canceling.as_str() } else { workspace.status.as_str() }
}

/// Asks for a build and queues it.
pub(crate) fn order(
    draft: &mut Draft,
    cause: Option<&str>,
    workspace: &WorkspaceRecord,
    request: RequestBuild,
    template: Option<&TemplateRecord>,
    tags: BTreeMap<String, String>,
) {
    let version = request.version(workspace, template).map(str::to_owned);
    let queued = Build {
        job_id: Some(draft.context.ids.draw()),
        tags,
        ..Build::new(workspace.last_build.saturating_add(1), request.transition)
    };
    let requested = Build {
        cause: Some(request.cause.to_owned()),
        parameters: Some(request.parameters.unwrap_or_else(|| workspace.parameters.clone())),
        template_version: version,
        ..queued.clone()
    };
    let mut event = workspace.event(draft, "workspace.build.requested", &requested);
    event.reason = request.reason;
    event.causation = cause.map(str::to_owned);
    let asked = draft.push(event);
    let event = workspace.event(draft, "workspace.build.queued", &queued);
    draft.entail(&asked, event);
}

/// Ends a build that waits, and tells one that a runner has to end.
pub(crate) fn cancel(
    draft: &mut Draft,
    cause: Option<&str>,
    workspace: &WorkspaceRecord,
    build: &BuildRecord,
    reason: Option<&str>,
) {
    let waits = matches!(build.status, BuildStatus::Requested | BuildStatus::Queued);
    if !waits && build.cancel_requested {
        return;
    }
    let (event_type, payload) = if waits {
        ("workspace.build.canceled", Build { applied: Some(false), ..build.payload() })
    } else {
        ("workspace.build.cancel-requested", build.payload())
    };
    let mut event = workspace.event(draft, event_type, &payload);
    event.reason = reason.map(str::to_owned);
    event.causation = cause.map(str::to_owned);
    draft.push(event);
}

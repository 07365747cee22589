//! Making workspaces.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::DirectoryUser;
use crate::events::templates::TemplateContents;
use crate::events::workspaces::{ScheduleSet, Transition, WorkspaceCreated};
use crate::quotas::Facts;
use crate::templates::{TemplateRecord, TemplateStatus, TemplateVersionRecord};
use crate::time::Timestamp;
use crate::workspaces::builds::{self, RequestBuild, version_fits};
use crate::workspaces::lifecycle::{Verdict, active, schedule_fits, too_many, unique};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

/// Most values of variables.
pub const MOST_PARAMETERS: usize = 100;
/// Longest value, in bytes.
pub const MOST_PARAMETER: usize = 8192;
/// A workspace to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateWorkspace {
    /// Its id.
    pub id: String,
    /// Its name, unique among its owner's.
    pub name: String,
    /// Id of the template version to build; the active one without.
    pub template_version: Option<String>,
    /// Values of the template's variables.
    pub parameters: BTreeMap<String, String>,
    /// When it starts and stops by itself.
    pub schedule: Option<ScheduleSet>,
    /// Whether it is started at once.
    pub start: bool,
}

/// What a workspace is made of.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// Whose it will be.
    pub owner: &'a DirectoryUser,
    /// Its template.
    pub template: &'a TemplateRecord,
    /// The version that would be built.
    pub version: Option<&'a TemplateVersionRecord>,
    /// What that version has, where it is known.
    pub contents: Option<&'a TemplateContents>,
    /// The owner's workspaces of its name.
    pub namesakes: &'a [WorkspaceRecord],
    /// Whoever asks looks after the template.
    pub administers: bool,
    /// What bounds the number of workspaces.
    pub facts: &'a Facts,
    /// Zone of the schedule.
    pub zone: Option<&'a TimeZone>,
}

impl CreateWorkspace {
    /// Decides whether it can be made.
    pub fn decide(self, made_of: Ingredients<'_>, context: Context) -> Result<Verdict, Refusal> {
        decision::slug("name", &self.name)?;
        let Ingredients { owner, template, .. } = made_of;
        active(owner)?;
        match template.status {
            TemplateStatus::Deleted => return Err(Refusal::Unknown("template")),
            TemplateStatus::Deprecated => {
                let instead = template.deprecation.as_deref().unwrap_or("use another one");
                return Err(Refusal::Forbidden(format!("the template is deprecated: {instead}")));
            }
            TemplateStatus::Active => {}
        }
        unique(&self.name, None, made_of.namesakes)?;
        parameters_fit(&self.parameters, made_of.contents.filter(|_| self.start))?;
        let asked = self.template_version.as_deref().or(template.active_version.as_deref());
        if self.start || self.template_version.is_some() {
            version_fits(template, asked, made_of.version, made_of.administers)?;
        }
        if let Some(schedule) = &self.schedule {
            schedule_fits(schedule, Some(template), made_of.zone)?;
        }
        let now = context.now;
        let mut draft = Draft::new(context);
        let workspace = self.record(made_of, now);
        if let Some(cap) = made_of.facts.caps.iter().find(|cap| cap.is_full()) {
            let reason = too_many(cap);
            let entry = made_of.facts.entry_of(&workspace, None, &made_of.facts.unjudged());
            let mut event = made_of.facts.event(&mut draft, "quota.denied", &entry);
            event.reason = Some(reason.clone());
            draft.push(event);
            return Ok(Verdict { events: draft.events, denied: Some(reason) });
        }
        let payload = WorkspaceCreated {
            owner_id: Some(owner.id.clone()),
            parameters: self.parameters.clone(),
            template_id: Some(template.id.clone()),
            template_name: Some(template.name.clone()),
        };
        let event = workspace.event(&mut draft, "workspace.created", &payload);
        let created = draft.push(event);
        if let Some(schedule) = &self.schedule {
            let event = workspace.event(&mut draft, "workspace.schedule.set", schedule);
            draft.entail(&created, event);
        }
        if self.start {
            let request = RequestBuild {
                transition: Transition::Start,
                cause: "initiator",
                reason: None,
                template_version: asked.map(str::to_owned),
                parameters: None,
            };
            let tags = template.settings.runner_tags.clone();
            builds::order(&mut draft, Some(&created), &workspace, request, Some(template), tags);
        }
        Ok(Verdict::done(draft.events))
    }

    /// It as it will be.
    fn record(&self, made_of: Ingredients<'_>, now: Timestamp) -> WorkspaceRecord {
        WorkspaceRecord {
            id: self.id.clone(),
            name: self.name.clone(),
            owner_id: Some(made_of.owner.id.clone()),
            owner: Some(made_of.owner.username.clone()),
            organization: made_of.template.organization.clone(),
            template_id: Some(made_of.template.id.clone()),
            template_name: Some(made_of.template.name.clone()),
            template_version: None,
            status: WorkspaceStatus::Pending,
            dormant: false,
            resources_remain: false,
            last_build: 0,
            daily_cost: 0,
            parameters: self.parameters.clone(),
            own: true,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Whether values of variables are acceptable: bounded, for variables that the template version has, none of them secret,
/// and, for a start, all that it cannot do without. What a version has is not always known.
pub fn parameters_fit(
    parameters: &BTreeMap<String, String>,
    contents: Option<&TemplateContents>,
) -> Result<(), Refusal> {
    let wrong = |reason: String| Err(Refusal::invalid("parameters", reason));
    if parameters.len() > MOST_PARAMETERS {
        return wrong(format!("has at most {MOST_PARAMETERS} values"));
    }
    let named = |name: &str| {
        name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let bad = parameters.iter().find(|(name, value)| name.is_empty() || !named(name) || value.len() > MOST_PARAMETER);
    if let Some((name, _)) = bad {
        let shown: String = name.chars().take(128).collect();
        return wrong(format!(
            "has a name that no variable can have, or a value beyond {MOST_PARAMETER} bytes: `{shown}`"
        ));
    }
    let Some(contents) = contents else { return Ok(()) };
    for name in parameters.keys() {
        match contents.variables.iter().find(|variable| variable.name == *name) {
            None => return wrong(format!("names `{name}`, which is no variable of the template")),
            // Parameters are on record.
            Some(variable) if variable.sensitive => {
                return wrong(format!("names `{name}`, whose value is secret and has no place here"));
            }
            Some(_) => {}
        }
    }
    let missing = contents
        .variables
        .iter()
        .find(|variable| !variable.has_default && !variable.sensitive && !parameters.contains_key(&variable.name));
    missing.map_or(Ok(()), |variable| wrong(format!("lacks `{}`, which has no default", variable.name)))
}

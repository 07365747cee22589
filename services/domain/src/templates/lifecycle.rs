//! The life of a template: made, changed, deprecated, removed.

use serde_json::Value;

use super::settings::changes;
use super::{TemplateRecord, TemplateSettings, TemplateStatus};
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::OrganizationRecord;
use crate::event::{Change, Event, Resource};
use crate::events::Bare;
use crate::events::templates::{Deprecation, TemplateAttributes};

/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 2000;
/// Longest message or reason, in characters.
pub const MAX_MESSAGE: usize = 1000;

/// A template to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateTemplate {
    /// Its id.
    pub id: String,
    /// Unique name in its organization.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// What it offers.
    pub description: Option<String>,
    /// The rules that its workspaces live by.
    pub settings: TemplateSettings,
}

impl CreateTemplate {
    /// Decides whether it can be made in this organization; `namesakes` are the templates there with its name.
    pub fn decide(
        self,
        organization: Option<&OrganizationRecord>,
        namesakes: &[TemplateRecord],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let organization = organization.ok_or(Refusal::Unknown("organization"))?;
        decision::slug("name", &self.name)?;
        check(self.display_name.as_deref(), self.description.as_deref())?;
        self.settings.check()?;
        let other = namesakes.iter().find(|other| other.id != self.id && other.status != TemplateStatus::Deleted);
        if let Some(other) = other {
            let by = other.id.clone();
            return Err(Refusal::Taken { field: "name", value: self.name, by, connection: None });
        }
        let mut draft = Draft::new(context);
        let resource = Resource::new("template", self.id).named(&self.name);
        let new = (self.display_name.as_deref(), self.description.as_deref(), &self.settings);
        let changes = changes((None, None, &TemplateSettings::default()), new);
        let payload = TemplateAttributes {
            description: self.description,
            display_name: self.display_name,
            name: Some(self.name),
            settings: Some(self.settings),
        };
        let mut event = draft.event("template.created", resource, &payload);
        event.organization = Some(organization.name.clone());
        event.changes = changes;
        draft.push(event);
        Ok(draft.events)
    }
}

/// Changes of a template. What is absent stays; an empty text goes.
#[derive(Debug, Clone, Default)]
pub struct UpdateTemplate {
    /// Name for people.
    pub display_name: Option<String>,
    /// What it offers.
    pub description: Option<String>,
    /// A merge patch (RFC 7396) of the rules that its workspaces live by.
    pub settings: Option<Value>,
    /// The version that is to be changed; whichever there is without.
    pub expected: Option<u64>,
    /// Whether whoever asks may let one person alone promote versions where that takes two now.
    pub may_lift: bool,
}

impl UpdateTemplate {
    /// Decides what changes, nothing perhaps.
    pub fn decide(self, template: &TemplateRecord, context: Context) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        if self.expected.is_some_and(|expected| expected != template.version) {
            return Err(Refusal::Stale { what: "template", version: template.version });
        }
        check(
            self.display_name.as_deref().filter(|name| !name.is_empty()),
            self.description.as_deref().filter(|text| !text.is_empty()),
        )?;
        let settings = match &self.settings {
            Some(patch) => template.settings.patched(patch)?,
            None => template.settings.clone(),
        };
        settings.check()?;
        if template.settings.two_person_promotion && !settings.two_person_promotion && !self.may_lift {
            let reason = "only who administers all templates of the organization lets one person promote alone";
            return Err(Refusal::Forbidden(reason.to_owned()));
        }
        let old = (template.display_name.as_deref(), template.description.as_deref(), &template.settings);
        let display_name = self.display_name.as_deref().or(old.0);
        let description = self.description.as_deref().or(old.1);
        let changes = changes(old, (display_name, description, &settings));
        let mut draft = Draft::new(context);
        if !changes.is_empty() {
            let payload = TemplateAttributes {
                description: self.description.filter(|text| Some(text) != template.description.as_ref()),
                display_name: self.display_name.filter(|name| Some(name) != template.display_name.as_ref()),
                name: None,
                settings: Some(settings).filter(|settings| *settings != template.settings),
            };
            draft.about(template, "template.updated", &payload, changes, None);
        }
        Ok(draft.events)
    }
}

/// A template that should no longer be used.
#[derive(Debug, Clone)]
pub struct DeprecateTemplate {
    /// What to use instead.
    pub message: String,
}

impl DeprecateTemplate {
    /// Decides what changes, nothing perhaps.
    pub fn decide(self, template: &TemplateRecord, context: Context) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        if self.message.trim().is_empty() {
            return Err(Refusal::invalid("message", "must say what to use instead"));
        }
        decision::prose("message", &self.message, MAX_MESSAGE)?;
        let mut draft = Draft::new(context);
        let mut changes = status(template, TemplateStatus::Deprecated);
        if template.deprecation.as_ref() != Some(&self.message) {
            changes.push(Change::new("deprecation", template.deprecation.clone(), self.message.as_str()));
        }
        if !changes.is_empty() {
            draft.about(template, "template.deprecated", &Deprecation { message: self.message }, changes, None);
        }
        Ok(draft.events)
    }
}

/// A deprecated template that may be used again after all.
#[derive(Debug, Clone, Default)]
pub struct UndeprecateTemplate {
    /// For auditors.
    pub reason: Option<String>,
}

impl UndeprecateTemplate {
    /// Decides what changes, nothing perhaps.
    pub fn decide(self, template: &TemplateRecord, context: Context) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        let mut draft = Draft::new(context);
        if template.status == TemplateStatus::Deprecated {
            let mut changes = status(template, TemplateStatus::Active);
            changes.push(Change::new("deprecation", template.deprecation.clone(), Value::Null));
            draft.about(template, "template.undeprecated", &Bare {}, changes, self.reason);
        }
        Ok(draft.events)
    }
}

/// A template to be removed. Its versions stay on record.
#[derive(Debug, Clone, Default)]
pub struct DeleteTemplate {
    /// For auditors.
    pub reason: Option<String>,
}

impl DeleteTemplate {
    /// Decides whether it can be removed; `workspaces` is how many are made from it and not deleted.
    pub fn decide(self, template: &TemplateRecord, workspaces: u64, context: Context) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        if workspaces > 0 {
            let those =
                if workspaces == 1 { "1 workspace is".to_owned() } else { format!("{workspaces} workspaces are") };
            return Err(Refusal::conflict(format!("{those} made from the template and not deleted")));
        }
        let mut draft = Draft::new(context);
        let changes = status(template, TemplateStatus::Deleted);
        draft.about(template, "template.deleted", &Bare {}, changes, self.reason);
        Ok(draft.events)
    }
}

impl Draft {
    /// Adds an event about a template; its id.
    pub(super) fn about(
        &mut self,
        template: &TemplateRecord,
        event_type: &str,
        payload: &impl serde::Serialize,
        changes: Vec<Change>,
        reason: Option<String>,
    ) -> String {
        let mut event = self.event(event_type, template.resource(), payload);
        event.organization.clone_from(&template.organization);
        event.changes = changes;
        event.reason = reason;
        self.push(event)
    }
}

/// A reason that may be missing.
pub(super) fn reason(text: Option<&str>) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| decision::prose("reason", text, MAX_MESSAGE))
}

fn status(template: &TemplateRecord, status: TemplateStatus) -> Vec<Change> {
    if template.status == status {
        return Vec::new();
    }
    vec![Change::new("status", template.status.as_str(), status.as_str())]
}

fn check(display_name: Option<&str>, description: Option<&str>) -> Result<(), Refusal> {
    display_name.map_or(Ok(()), |text| decision::name("display_name", text, decision::MAX_NAME))?;
    description.map_or(Ok(()), |text| decision::prose("description", text, MAX_DESCRIPTION))
}

//! Versions of a template: pushed, brought into use, put away. What is in them never changes.

use super::lifecycle::{MAX_MESSAGE, reason};
use super::{PromotionRequest, TemplateRecord, TemplateVersionRecord};
use crate::decision::{self, Context, Draft, MAX_NAME, Refusal};
use crate::event::{ActorKind, Change, Event};
use crate::events::templates::{TemplateContents, VersionPushed, VersionReference};

/// Most versions of a template.
pub const MAX_VERSIONS: usize = 10_000;

/// A version that is pushed; its id was drawn by the caller, its archive was read and is kept.
#[derive(Debug, Clone)]
pub struct PushVersion {
    /// Its id.
    pub id: String,
    /// Unique name in its template; the next of `v1`, `v2`, … without.
    pub name: Option<String>,
    /// Why.
    pub message: Option<String>,
    /// Digest of its archive.
    pub sha256: String,
    /// Size of its archive.
    pub size_bytes: u64,
    /// What its files declare.
    pub contents: TemplateContents,
}

impl PushVersion {
    /// Decides whether it becomes a version, and tells which; pushed again under its name it is the one that is there.
    /// `versions` are those that the template has.
    pub fn decide(
        self,
        template: &TemplateRecord,
        versions: &[TemplateVersionRecord],
        context: Context,
    ) -> Result<(Vec<Event>, String), Refusal> {
        template.is_there()?;
        if let Some(message) = &self.message {
            decision::prose("message", message, MAX_MESSAGE)?;
        }
        let name = match self.name {
            Some(name) => version_name(name)?,
            None => next_name(versions),
        };
        if let Some(other) = versions.iter().find(|other| other.name == name) {
            if other.sha256 == self.sha256 && other.message == self.message {
                return Ok((Vec::new(), other.id.clone()));
            }
            let by = other.id.clone();
            return Err(Refusal::Taken { field: "name", value: name, by, connection: None });
        }
        if versions.len() >= MAX_VERSIONS {
            return Err(Refusal::conflict(format!("a template has at most {MAX_VERSIONS} versions")));
        }
        let mut draft = Draft::new(context);
        let payload = VersionPushed {
            contents: Some(self.contents),
            message: self.message,
            sha256: self.sha256,
            size_bytes: self.size_bytes,
            version_id: self.id.clone(),
            version_name: name,
        };
        draft.about(template, "template.version.pushed", &payload, Vec::new(), None);
        Ok((draft.events, self.id))
    }
}

/// A version that is to become the active one, which new builds take.
#[derive(Debug, Clone, Default)]
pub struct PromoteVersion {
    /// For auditors.
    pub reason: Option<String>,
}

impl PromoteVersion {
    /// Decides whether it becomes the active version, or waits for a second person; `pending` is what waits already.
    ///
    /// Where it takes two, the first who promotes a version asks for it and another person agrees by promoting it, too.
    /// Whoever pushed the version may be either of them, not both.
    pub fn decide(
        self,
        template: &TemplateRecord,
        version: &TemplateVersionRecord,
        pending: Option<&PromotionRequest>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        if version.archived {
            return Err(Refusal::conflict(format!("the version `{}` is archived", version.name)));
        }
        if template.active_version.as_ref() == Some(&version.id) {
            return Ok(Vec::new());
        }
        let (is_person, actor) = (context.actor.kind == ActorKind::User, context.actor.id.clone());
        let mut draft = Draft::new(context);
        let mut reference = named(version);
        let mut cause = None;
        if template.settings.two_person_promotion {
            if !is_person {
                let reason = "it takes two people to promote a version of this template: sign in as one";
                return Err(Refusal::Forbidden(reason.to_owned()));
            }
            let Some(pending) = pending else {
                let changes = waiting(None, Some(&version.id));
                draft.about(template, "template.version.promotion.requested", &reference, changes, self.reason);
                return Ok(draft.events);
            };
            if pending.version_id != version.id {
                let waits = pending.version_name.as_ref().unwrap_or(&pending.version_id);
                let reason = format!("the version `{waits}` waits for a second person: promote or withdraw it first");
                return Err(Refusal::Conflict(reason));
            }
            if pending.requested_by == actor {
                let reason = "whoever asks for a promotion cannot agree to it: another person has to";
                return Err(Refusal::Forbidden(reason.to_owned()));
            }
            reference.requested_by = Some(pending.requested_by.clone());
            cause = Some(pending.event.clone());
        }
        let changes = vec![Change::new("active_version", template.active_version.clone(), version.id.as_str())];
        draft.about(template, "template.version.promoted", &reference, changes, self.reason);
        if let Some(event) = draft.events.last_mut() {
            event.causation = cause;
        }
        Ok(draft.events)
    }
}

/// A promotion that is no longer asked for.
#[derive(Debug, Clone, Default)]
pub struct WithdrawPromotion {
    /// For auditors.
    pub reason: Option<String>,
}

impl WithdrawPromotion {
    /// Decides whether anything is withdrawn.
    pub fn decide(
        self,
        template: &TemplateRecord,
        pending: Option<&PromotionRequest>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        let pending = pending.ok_or(Refusal::Unknown("promotion that waits"))?;
        let mut draft = Draft::new(context);
        withdraw(&mut draft, template, pending, None, self.reason);
        Ok(draft.events)
    }
}

/// A version that is put away, or taken out again.
#[derive(Debug, Clone)]
pub struct ArchiveVersion {
    /// Whether it is put away.
    pub archived: bool,
    /// For auditors.
    pub reason: Option<String>,
}

impl ArchiveVersion {
    /// Decides what changes, nothing perhaps. A promotion that waits for it is withdrawn.
    pub fn decide(
        self,
        template: &TemplateRecord,
        version: &TemplateVersionRecord,
        pending: Option<&PromotionRequest>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        let mut draft = Draft::new(context);
        if version.archived == self.archived {
            return Ok(draft.events);
        }
        if self.archived && template.active_version.as_ref() == Some(&version.id) {
            return Err(Refusal::conflict("the active version cannot be archived: promote another first"));
        }
        let event_type = if self.archived { "template.version.archived" } else { "template.version.unarchived" };
        let changes = vec![Change::new(format!("versions.{}.archived", version.id), version.archived, self.archived)];
        let archived = draft.about(template, event_type, &named(version), changes, self.reason);
        if let Some(pending) = pending.filter(|pending| self.archived && pending.version_id == version.id) {
            withdraw(&mut draft, template, pending, Some(archived), None);
        }
        Ok(draft.events)
    }
}

fn withdraw(
    draft: &mut Draft,
    template: &TemplateRecord,
    pending: &PromotionRequest,
    cause: Option<String>,
    reason: Option<String>,
) {
    let payload = VersionReference {
        requested_by: Some(pending.requested_by.clone()),
        version_id: pending.version_id.clone(),
        version_name: pending.version_name.clone(),
    };
    let changes = waiting(Some(&pending.version_id), None);
    draft.about(template, "template.version.promotion.withdrawn", &payload, changes, reason);
    if let Some(event) = draft.events.last_mut() {
        event.causation = cause;
    }
}

fn waiting(old: Option<&str>, new: Option<&str>) -> Vec<Change> {
    vec![Change::new("promotion", old, new)]
}

fn named(version: &TemplateVersionRecord) -> VersionReference {
    VersionReference { requested_by: None, version_id: version.id.clone(), version_name: Some(version.name.clone()) }
}

fn version_name(name: String) -> Result<String, Refusal> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'));
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !is_name || !begins || name.len() > MAX_NAME {
        let reason = format!("has 1 to {MAX_NAME} letters, digits, `.`, `-`, `_` and `+`, a letter or digit first");
        return Err(Refusal::invalid("name", reason));
    }
    Ok(name)
}

fn next_name(versions: &[TemplateVersionRecord]) -> String {
    let numbers = versions.iter().filter_map(|version| version.name.strip_prefix('v')?.parse::<u64>().ok());
    format!("v{}", numbers.max().unwrap_or_default().saturating_add(1))
}

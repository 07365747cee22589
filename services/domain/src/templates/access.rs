//! Who may use and who may administer a template.

use super::lifecycle::reason;
use super::{SubjectKind, TemplateGrant, TemplateRecord, TemplateRight};
use crate::decision::{Context, Draft, Refusal};
use crate::event::{Change, Event};
use crate::events::templates::TemplateAccess;

/// Most users and groups that a template is given to; many more are a group.
pub const MAX_GRANTS: usize = 500;

/// To whom a template is given, who was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Id of the user or group; the name of the organization for everyone in it.
    pub id: String,
    /// Name of the user or group.
    pub name: Option<String>,
    /// Names of the organizations it is in.
    pub organizations: Vec<String>,
}

/// Gives a template to someone.
#[derive(Debug, Clone)]
pub struct GrantAccess {
    /// What they may do from now on.
    pub right: TemplateRight,
    /// For auditors.
    pub reason: Option<String>,
}

impl GrantAccess {
    /// Decides what changes, nothing perhaps: everyone has one right at a time. `grants` are all those of the template.
    pub fn decide(
        self,
        template: &TemplateRecord,
        subject: &Subject,
        grants: &[TemplateGrant],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        let Some(organization) = &template.organization else {
            return Err(Refusal::conflict("the template is in no organization: there is nobody to give it to"));
        };
        if !subject.organizations.contains(organization) {
            return Err(Refusal::Unknown(match subject.kind {
                SubjectKind::User => "user in the template's organization",
                SubjectKind::Group => "group in the template's organization",
                SubjectKind::Everyone => "organization of the template",
            }));
        }
        let held: Vec<&TemplateGrant> = of(grants, subject.kind, &subject.id).collect();
        if !held.iter().any(|grant| grant.right == self.right) && grants.len() >= MAX_GRANTS {
            return Err(Refusal::conflict(format!("a template is given to at most {MAX_GRANTS}: give it to a group")));
        }
        let mut draft = Draft::new(context);
        let old = strongest(&held);
        let mut granted = None;
        if !held.iter().any(|grant| grant.right == self.right) {
            let payload = payload(subject.kind, &subject.id, subject.name.clone(), self.right);
            let changes = changed(subject.kind, &subject.id, old, Some(self.right));
            granted = Some(draft.about(template, "template.access.granted", &payload, changes, self.reason.clone()));
        }
        for other in held.into_iter().filter(|grant| grant.right != self.right) {
            revoke(&mut draft, template, other, Vec::new(), self.reason.clone());
            if let Some(event) = draft.events.last_mut() {
                event.causation.clone_from(&granted);
            }
        }
        Ok(draft.events)
    }
}

/// Takes a template from someone.
#[derive(Debug, Clone)]
pub struct RevokeAccess {
    /// What they are.
    pub subject: SubjectKind,
    /// Their id.
    pub subject_id: String,
    /// For auditors.
    pub reason: Option<String>,
}

impl RevokeAccess {
    /// Decides what changes, nothing perhaps. `grants` are all those of the template.
    pub fn decide(
        self,
        template: &TemplateRecord,
        grants: &[TemplateGrant],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        template.is_there()?;
        reason(self.reason.as_deref())?;
        let mut draft = Draft::new(context);
        for grant in of(grants, self.subject, &self.subject_id) {
            let changes = changed(grant.subject, &grant.subject_id, Some(grant.right), None);
            revoke(&mut draft, template, grant, changes, self.reason.clone());
        }
        Ok(draft.events)
    }
}

fn of<'a>(grants: &'a [TemplateGrant], kind: SubjectKind, id: &'a str) -> impl Iterator<Item = &'a TemplateGrant> {
    grants.iter().filter(move |grant| grant.subject == kind && grant.subject_id == id)
}

fn strongest(grants: &[&TemplateGrant]) -> Option<TemplateRight> {
    grants.iter().map(|grant| grant.right).max()
}

fn revoke(
    draft: &mut Draft,
    template: &TemplateRecord,
    grant: &TemplateGrant,
    changes: Vec<Change>,
    reason: Option<String>,
) {
    let payload = payload(grant.subject, &grant.subject_id, grant.subject_name.clone(), grant.right);
    draft.about(template, "template.access.revoked", &payload, changes, reason);
}

fn payload(kind: SubjectKind, id: &str, name: Option<String>, right: TemplateRight) -> TemplateAccess {
    TemplateAccess {
        permission: right.as_str().to_owned(),
        subject_id: id.to_owned(),
        subject_kind: kind.as_str().to_owned(),
        subject_name: name,
    }
}

fn changed(kind: SubjectKind, id: &str, old: Option<TemplateRight>, new: Option<TemplateRight>) -> Vec<Change> {
    let name = |right: Option<TemplateRight>| right.map(TemplateRight::as_str);
    vec![Change::new(format!("access.{}.{id}", kind.as_str()), name(old), name(new))]
}

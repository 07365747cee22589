//! How things were called, and whose they were.

use chancery_domain::attributes::{Attributes, Summary};
use chancery_domain::events::identity::IdentityEvent;
use chancery_domain::events::templates::TemplateEvent;
use chancery_domain::events::workspaces::WorkspaceEvent;
use sqlx::AnyConnection;

use super::{Known, line};

/// What is known of a thing from here on.
#[derive(Debug, Default)]
struct Label {
    kind: &'static str,
    name: Option<String>,
    owner: Option<String>,
    template: Option<String>,
    everyone: bool,
}

pub(super) async fn identity(
    db: &mut AnyConnection,
    known: Known<'_>,
    payload: &IdentityEvent,
) -> Result<(), sqlx::Error> {
    let called = |attributes: Option<&Attributes>, name: Option<&String>, pick: fn(Summary) -> Option<String>| {
        attributes.and_then(|attributes| pick(Summary::of(attributes))).or_else(|| name.cloned())
    };
    let user = |attributes, name| Label {
        kind: "user",
        name: called(attributes, name, |summary| summary.username),
        ..Label::default()
    };
    let group = |attributes, name| Label {
        kind: "group",
        name: called(attributes, name, |summary| summary.display_name),
        everyone: known.event.data.get("everyone").is_some_and(|everyone| everyone == true),
        ..Label::default()
    };
    let label = match payload {
        IdentityEvent::UserCreated(it) => user(it.attributes.as_ref(), Some(&it.username)),
        IdentityEvent::UserUpdated(it) => user(it.attributes.as_ref(), it.username.as_ref()),
        IdentityEvent::GroupCreated(it) => group(it.attributes.as_ref(), Some(&it.name)),
        IdentityEvent::GroupUpdated(it) => group(it.attributes.as_ref(), it.name.as_ref()),
        IdentityEvent::OrganizationCreated(it) | IdentityEvent::OrganizationUpdated(it) => {
            Label { kind: "organization", name: Some(it.name.clone()), ..Label::default() }
        }
        _ => return Ok(()),
    };
    if label.name.is_none() { Ok(()) } else { changed(db, known, label).await }
}

pub(super) async fn template(
    db: &mut AnyConnection,
    known: Known<'_>,
    payload: &TemplateEvent,
) -> Result<(), sqlx::Error> {
    let name = match payload {
        TemplateEvent::TemplateCreated(template) => template.name.clone().or_else(|| known.event.resource.name.clone()),
        TemplateEvent::TemplateUpdated(template) => template.name.clone(),
        _ => None,
    };
    match name {
        Some(name) => changed(db, known, Label { kind: "template", name: Some(name), ..Label::default() }).await,
        None => Ok(()),
    }
}

/// A workspace is new, or somebody else's.
pub(super) async fn workspace(
    db: &mut AnyConnection,
    known: Known<'_>,
    payload: &WorkspaceEvent,
) -> Result<(), sqlx::Error> {
    let (owner, template) = match payload {
        WorkspaceEvent::WorkspaceCreated(workspace) => (workspace.owner_id.clone(), workspace.template_id.clone()),
        WorkspaceEvent::WorkspaceTransferred(transfer) => (transfer.to_id.clone(), None),
        _ => return Ok(()),
    };
    changed(db, known, Label { kind: "workspace", owner, template, ..Label::default() }).await
}

/// What an event does not say stays as it was; one that says nothing new changes nothing.
async fn changed(db: &mut AnyConnection, known: Known<'_>, label: Label) -> Result<(), sqlx::Error> {
    let id = known.event.resource.id.as_str();
    let name = label.name.or_else(|| known.event.resource.name.clone()).unwrap_or_else(|| id.to_owned());
    execute!(
        db,
        "INSERT INTO label_changes (position, kind, id, name, organization, owner_id, template_id, everyone, changed_at)
            SELECT $1, $2, $3, $4, coalesce($5, (SELECT organization FROM label_changes WHERE kind = $2 AND id = $3
            ORDER BY position DESC LIMIT 1)), $6, coalesce($7, (SELECT template_id FROM label_changes WHERE kind = $2
            AND id = $3 ORDER BY position DESC LIMIT 1)), CASE WHEN $8 = 1 THEN 1 ELSE coalesce((SELECT everyone FROM
            label_changes WHERE kind = $2 AND id = $3 ORDER BY position DESC LIMIT 1), 0) END, $9
            WHERE NOT EXISTS (SELECT 1 FROM label_changes AS l WHERE l.kind = $2 AND l.id = $3 AND l.name = $4
            AND coalesce(l.owner_id, '') = coalesce($6, '') AND l.position = (SELECT max(position) FROM label_changes
            WHERE kind = $2 AND id = $3))",
        known.position,
        label.kind,
        line(id),
        line(&name),
        known.event.organization.as_deref().map(line),
        label.owner.as_deref().map(line),
        label.template.as_deref().map(line),
        i64::from(label.everyone),
        known.at(),
    )
}

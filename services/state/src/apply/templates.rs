//! Templates, their versions, and who may use them.

use chancery_domain::Event;
use chancery_domain::attributes;
use chancery_domain::events::templates::{
    TemplateAccess, TemplateAttributes, TemplateEvent, VersionPushed, VersionReference,
};
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: TemplateEvent) -> Result<(), sqlx::Error> {
    match payload {
        TemplateEvent::TemplateCreated(template) => created(db, event, template).await,
        TemplateEvent::TemplateUpdated(template) => updated(db, event, template).await,
        TemplateEvent::TemplateDeprecated(deprecation) => {
            status(db, event, "deprecated", Some(deprecation.message)).await
        }
        TemplateEvent::TemplateUndeprecated(_) => status(db, event, "active", None).await,
        TemplateEvent::TemplateDeleted(_) => {
            no_promotion(db, event).await?;
            status(db, event, "deleted", None).await
        }
        TemplateEvent::TemplateVersionPushed(version) => pushed(db, event, version).await,
        TemplateEvent::TemplateVersionPromotionRequested(version) => requested(db, event, version).await,
        TemplateEvent::TemplateVersionPromotionWithdrawn(_) => {
            no_promotion(db, event).await?;
            changed(db, event).await
        }
        TemplateEvent::TemplateVersionPromoted(version) => {
            no_promotion(db, event).await?;
            execute!(
                db,
                "UPDATE templates SET active_version = $1, version = version + 1, updated_at = $2
                    WHERE id = $3 AND own <= $4",
                version.version_id,
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
                super::own(event),
            )
        }
        TemplateEvent::TemplateVersionArchived(version) => archived(db, event, version, 1).await,
        TemplateEvent::TemplateVersionUnarchived(version) => archived(db, event, version, 0).await,
        TemplateEvent::TemplateAccessGranted(access) => granted(db, event, access).await,
        TemplateEvent::TemplateAccessRevoked(access) => {
            execute!(
                db,
                "DELETE FROM template_access
                    WHERE template_id = $1 AND subject_kind = $2 AND subject_id = $3 AND permission = $4 AND own <= $5",
                event.resource.id.clone(),
                access.subject_kind,
                access.subject_id,
                access.permission,
                super::own(event),
            )
        }
    }
}

async fn created(db: &mut AnyConnection, event: &Event, template: TemplateAttributes) -> Result<(), sqlx::Error> {
    let name = template.name.or_else(|| event.resource.name.clone()).unwrap_or_else(|| event.resource.id.clone());
    execute!(
        db,
        "INSERT INTO templates (id, name, name_key, display_name, description, organization, settings, own, status,
            created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9, $9)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
            display_name = excluded.display_name, status = 'active', description = excluded.description,
            organization = excluded.organization, settings = excluded.settings, own = excluded.own,
            version = templates.version + 1, updated_at = excluded.updated_at WHERE templates.own <= excluded.own",
        event.resource.id.clone(),
        name.clone(),
        attributes::key(&name),
        template.display_name,
        template.description,
        event.organization.clone(),
        template.settings.as_ref().map(super::json),
        super::own(event),
        event.occurred_at.as_micros(),
    )
}

async fn updated(db: &mut AnyConnection, event: &Event, template: TemplateAttributes) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE templates SET name = coalesce($1, name), name_key = coalesce($2, name_key),
            display_name = nullif(coalesce($3, display_name), ''), description = nullif(coalesce($4, description), ''),
            settings = coalesce($5, settings), version = version + 1, updated_at = $6 WHERE id = $7 AND own <= $8",
        template.name.clone(),
        template.name.as_deref().map(attributes::key),
        template.display_name,
        template.description,
        template.settings.as_ref().map(super::json),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        super::own(event),
    )
}

async fn status(
    db: &mut AnyConnection,
    event: &Event,
    status: &'static str,
    deprecation: Option<String>,
) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE templates SET status = $1, deprecation = CASE WHEN $1 = 'active' THEN NULL
            ELSE coalesce($2, deprecation) END, version = version + 1, updated_at = $3 WHERE id = $4 AND own <= $5",
        status,
        deprecation,
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        super::own(event),
    )
}

/// What other systems report of a template of ours is none of its versions.
async fn pushed(db: &mut AnyConnection, event: &Event, version: VersionPushed) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO template_versions (template_id, id, name, message, sha256, size_bytes, pushed_by, pushed_at, contents,
            own) SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), $7, CAST($8 AS BIGINT), $9, CAST($10 AS BIGINT)
            WHERE NOT EXISTS (SELECT 1 FROM templates WHERE id = $1 AND own > CAST($10 AS BIGINT))
            ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        version.version_id,
        version.version_name,
        version.message,
        version.sha256,
        version.size_bytes.cast_signed(),
        event.actor.name.clone().unwrap_or_else(|| event.actor.id.clone()),
        event.occurred_at.as_micros(),
        version.contents.as_ref().map(super::json),
        super::own(event),
    )
}

async fn archived(
    db: &mut AnyConnection,
    event: &Event,
    version: VersionReference,
    archived: i64,
) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE template_versions SET archived = $1 WHERE template_id = $2 AND id = $3 AND own <= $4",
        archived,
        event.resource.id.clone(),
        version.version_id,
        super::own(event),
    )?;
    changed(db, event).await
}

/// A promotion waits, of the version that was asked for last. Only Chancery's own events say so.
async fn requested(db: &mut AnyConnection, event: &Event, version: VersionReference) -> Result<(), sqlx::Error> {
    if super::own(event) == 0 {
        return Ok(());
    }
    execute!(
        &mut *db,
        "INSERT INTO template_promotions (template_id, version_id, version_name, requested_by, requested_by_name,
            requested_at, event) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (template_id) DO UPDATE SET version_id = excluded.version_id,
            version_name = excluded.version_name, requested_by = excluded.requested_by,
            requested_by_name = excluded.requested_by_name, requested_at = excluded.requested_at, event = excluded.event",
        event.resource.id.clone(),
        version.version_id,
        version.version_name,
        event.actor.id.clone(),
        event.actor.name.clone(),
        event.occurred_at.as_micros(),
        event.id.clone(),
    )?;
    changed(db, event).await
}

/// No promotion waits any more.
async fn no_promotion(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    if super::own(event) == 0 {
        return Ok(());
    }
    execute!(db, "DELETE FROM template_promotions WHERE template_id = $1", event.resource.id.clone())
}

/// Counts a change of the template.
async fn changed(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE templates SET version = version + 1, updated_at = $1 WHERE id = $2 AND own <= $3",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        super::own(event),
    )
}

async fn granted(db: &mut AnyConnection, event: &Event, access: TemplateAccess) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO template_access (template_id, subject_kind, subject_id, permission, subject_name, granted_at,
            own) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (template_id, subject_kind, subject_id, permission) DO UPDATE SET own = excluded.own
            WHERE template_access.own < excluded.own",
        event.resource.id.clone(),
        access.subject_kind,
        access.subject_id,
        access.permission,
        access.subject_name,
        event.occurred_at.as_micros(),
        super::own(event),
    )
}

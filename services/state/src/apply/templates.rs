//! Templates, their versions, and who may use them.

use chancery_domain::Event;
use chancery_domain::events::templates::{TemplateAccess, TemplateAttributes, TemplateEvent, VersionPushed};
use sqlx::SqliteConnection;

pub(super) async fn apply(db: &mut SqliteConnection, event: &Event, payload: TemplateEvent) -> Result<(), sqlx::Error> {
    match payload {
        TemplateEvent::TemplateCreated(template) => created(db, event, template).await,
        TemplateEvent::TemplateUpdated(template) => updated(db, event, template).await,
        TemplateEvent::TemplateDeprecated(deprecation) => status(db, event, "deprecated", Some(deprecation.message)).await,
        TemplateEvent::TemplateDeleted(_) => status(db, event, "deleted", None).await,
        TemplateEvent::TemplateVersionPushed(version) => pushed(db, event, version).await,
        TemplateEvent::TemplateVersionPromoted(version) => {
            sqlx::query("UPDATE templates SET active_version = ?, updated_at = ? WHERE id = ?")
                .bind(version.version_id)
                .bind(event.occurred_at.as_micros())
                .bind(event.resource.id.clone())
                .execute(db)
                .await
                .map(drop)
        }
        TemplateEvent::TemplateVersionArchived(version) => {
            sqlx::query("UPDATE template_versions SET archived = 1 WHERE template_id = ? AND id = ?")
                .bind(event.resource.id.clone())
                .bind(version.version_id)
                .execute(db)
                .await
                .map(drop)
        }
        TemplateEvent::TemplateAccessGranted(access) => granted(db, event, access).await,
        TemplateEvent::TemplateAccessRevoked(access) => {
            sqlx::query(
                "DELETE FROM template_access WHERE template_id = ? AND subject_kind = ? AND subject_id = ? AND permission = ?",
            )
            .bind(event.resource.id.clone())
            .bind(access.subject_kind)
            .bind(access.subject_id)
            .bind(access.permission)
            .execute(db)
            .await
            .map(drop)
        }
    }
}

async fn created(db: &mut SqliteConnection, event: &Event, template: TemplateAttributes) -> Result<(), sqlx::Error> {
    let name = template.name.or_else(|| event.resource.name.clone()).unwrap_or_else(|| event.resource.id.clone());
    sqlx::query(
        "INSERT INTO templates (id, name, display_name, description, organization, status, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'active', ?6, ?6)
         ON CONFLICT DO UPDATE SET name = excluded.name, display_name = excluded.display_name, status = 'active',
             description = excluded.description, organization = excluded.organization, updated_at = excluded.updated_at",
    )
    .bind(event.resource.id.clone())
    .bind(name)
    .bind(template.display_name)
    .bind(template.description)
    .bind(event.organization.clone())
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn updated(db: &mut SqliteConnection, event: &Event, template: TemplateAttributes) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE templates SET name = coalesce(?, name), display_name = coalesce(?, display_name),
             description = coalesce(?, description), updated_at = ? WHERE id = ?",
    )
    .bind(template.name)
    .bind(template.display_name)
    .bind(template.description)
    .bind(event.occurred_at.as_micros())
    .bind(event.resource.id.clone())
    .execute(db)
    .await
    .map(drop)
}

async fn status(
    db: &mut SqliteConnection,
    event: &Event,
    status: &'static str,
    deprecation: Option<String>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE templates SET status = ?, deprecation = coalesce(?, deprecation), updated_at = ? WHERE id = ?")
        .bind(status)
        .bind(deprecation)
        .bind(event.occurred_at.as_micros())
        .bind(event.resource.id.clone())
        .execute(db)
        .await
        .map(drop)
}

async fn pushed(db: &mut SqliteConnection, event: &Event, version: VersionPushed) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO template_versions (template_id, id, name, message, sha256, size_bytes, pushed_by, pushed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(version.version_id)
    .bind(version.version_name)
    .bind(version.message)
    .bind(version.sha256)
    .bind(version.size_bytes.cast_signed())
    .bind(event.actor.name.clone().unwrap_or_else(|| event.actor.id.clone()))
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn granted(db: &mut SqliteConnection, event: &Event, access: TemplateAccess) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO template_access (template_id, subject_kind, subject_id, permission, subject_name, granted_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(access.subject_kind)
    .bind(access.subject_id)
    .bind(access.permission)
    .bind(access.subject_name)
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

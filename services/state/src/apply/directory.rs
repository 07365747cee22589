//! Connections of identity providers, and their resources of custom types.

use chancery_domain::Event;
use chancery_domain::attributes::{Summary, key};
use chancery_domain::events::directory::{Connection, DirectoryEvent, DirectoryResource};
use sqlx::AnyConnection;

use super::json;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: DirectoryEvent) -> Result<(), sqlx::Error> {
    match payload {
        DirectoryEvent::ConnectionCreated(settings) | DirectoryEvent::ConnectionUpdated(settings) => {
            connected(db, event, &settings).await
        }
        DirectoryEvent::ConnectionDeleted(_) => {
            execute!(
                db,
                "UPDATE connections SET status = 'deleted', version = version + 1, updated_at = $1 WHERE id = $2",
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
            )
        }
        DirectoryEvent::DirectoryResourceCreated(resource) | DirectoryEvent::DirectoryResourceUpdated(resource) => {
            put(db, event, resource).await
        }
        DirectoryEvent::DirectoryResourceDeleted(resource) => {
            execute!(
                db,
                "UPDATE directory_resources SET status = 'deleted', version = version + 1, updated_at = $1
                    WHERE resource_type = $2 AND id = $3",
                event.occurred_at.as_micros(),
                resource.resource_type,
                event.resource.id.clone(),
            )
        }
        DirectoryEvent::DirectoryRequestUnchanged(_)
        | DirectoryEvent::DirectoryRequestRefused(_)
        | DirectoryEvent::DirectoryConflictFound(_) => Ok(()),
    }
}

async fn connected(db: &mut AnyConnection, event: &Event, settings: &Connection) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO connections (id, settings, status, version, created_at, updated_at)
            VALUES ($1, $2, 'active', 1, $3, $3)
            ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, version = connections.version + 1,
            updated_at = excluded.updated_at",
        event.resource.id.clone(),
        json(settings),
        event.occurred_at.as_micros(),
    )
}

async fn put(db: &mut AnyConnection, event: &Event, resource: DirectoryResource) -> Result<(), sqlx::Error> {
    let attributes = resource.attributes.unwrap_or_default();
    let summary = Summary::of(&attributes);
    execute!(
        db,
        "INSERT INTO directory_resources (resource_type, id, connection, attributes, external_id, name_key, status,
            version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'active', 1, $7, $7)
            ON CONFLICT (resource_type, id) DO UPDATE SET attributes = excluded.attributes,
            connection = coalesce(excluded.connection, directory_resources.connection),
            external_id = excluded.external_id, name_key = excluded.name_key,
            version = directory_resources.version + 1, updated_at = excluded.updated_at",
        resource.resource_type,
        event.resource.id.clone(),
        resource.connection,
        json(&attributes),
        summary.external_id,
        summary.display_name.as_deref().map(key),
        event.occurred_at.as_micros(),
    )
}

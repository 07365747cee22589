//! Keys that tickets and certificates are signed with, and settings.

use chancery_domain::Event;
use chancery_domain::events::policy::SettingsChanged;
use chancery_domain::events::sessions::{SigningKeyCreated, SigningKeyRetired};
use sqlx::AnyConnection;

pub(super) async fn created(db: &mut AnyConnection, event: &Event, key: SigningKeyCreated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO signing_keys (id, purpose, public_key, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        key.purpose.as_str(),
        key.public_key,
        event.occurred_at.as_micros(),
        key.signs_from.as_micros(),
    )
}

pub(super) async fn retired(db: &mut AnyConnection, event: &Event, key: SigningKeyRetired) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE signing_keys SET trusted_until = $1 WHERE id = $2 AND trusted_until IS NULL",
        key.trusted_until.as_micros(),
        event.resource.id.clone(),
    )
}

/// A section of the settings; one without a value is of before they were kept here.
pub(super) async fn set(db: &mut AnyConnection, event: &Event, settings: SettingsChanged) -> Result<(), sqlx::Error> {
    let Some(value) = settings.value else { return Ok(()) };
    execute!(
        db,
        "INSERT INTO settings (section, value, updated_at) VALUES ($1, $2, $3)
            ON CONFLICT (section) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        settings.section,
        super::json(&value),
        event.occurred_at.as_micros(),
    )
}

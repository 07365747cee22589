//! Tokens.

use chancery_domain::events::tokens::{TokenCreated, TokenRotated};
use chancery_domain::{Event, Timestamp};
use sqlx::AnyConnection;

pub(super) async fn created(db: &mut AnyConnection, event: &Event, token: TokenCreated) -> Result<(), sqlx::Error> {
    let (owner_kind, owner_id, owner_name) =
        token.owner.map_or((None, None, None), |owner| (Some(owner.kind.as_str()), Some(owner.id), owner.name));
    execute!(
        db,
        "INSERT INTO tokens (id, name, secret_sha256, scopes, created_at, expires_at, stream_version, kind, owner_kind,
            owner_id, owner_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        token.name,
        token.secret_sha256,
        token.scopes.join(" "),
        event.occurred_at.as_micros(),
        token.expires_at.map(Timestamp::as_micros),
        event.stream_version.cast_signed(),
        token.kind.unwrap_or_default().as_str(),
        owner_kind,
        owner_id,
        owner_name,
    )
}

/// A rotation never makes a token work longer.
pub(super) async fn rotated(db: &mut AnyConnection, event: &Event, rotation: TokenRotated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE tokens SET replaced_by = $1, expires_at = CASE WHEN expires_at < $2 THEN expires_at ELSE $2 END,
            stream_version = $3 WHERE id = $4",
        rotation.replaced_by,
        rotation.expires_at.as_micros(),
        event.stream_version.cast_signed(),
        event.resource.id.clone(),
    )
}

pub(super) async fn used(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE tokens SET last_used_at = CASE WHEN last_used_at > $1 THEN last_used_at ELSE $1 END,
            stream_version = $2 WHERE id = $3",
        event.occurred_at.as_micros(),
        event.stream_version.cast_signed(),
        event.resource.id.clone(),
    )
}

pub(super) async fn revoked(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE tokens SET revoked_at = coalesce(revoked_at, $1), stream_version = $2 WHERE id = $3",
        event.occurred_at.as_micros(),
        event.stream_version.cast_signed(),
        event.resource.id.clone(),
    )
}

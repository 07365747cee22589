//! Roles: who has which, and what custom ones mean.

use chancery_domain::Event;
use chancery_domain::events::groups::{RoleDefinition, RoleGrant};
use sqlx::AnyConnection;

use super::{json, own};

/// A role that was given by hand stays so when a group brings it too; a grant of Chancery's own outranks one that
/// another system has reported.
pub(super) async fn assigned(db: &mut AnyConnection, event: &Event, grant: RoleGrant) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO user_roles (user_id, role, organization, granted_at, by_group, own)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_id, role, organization) DO UPDATE SET by_group = excluded.by_group, own = excluded.own
            WHERE user_roles.own < excluded.own
            OR (user_roles.own = excluded.own AND excluded.by_group < user_roles.by_group)",
        event.resource.id.clone(),
        grant.role,
        grant.organization.unwrap_or_default(),
        event.occurred_at.as_micros(),
        i64::from(grant.by_group),
        own(event),
    )
}

pub(super) async fn revoked(db: &mut AnyConnection, event: &Event, grant: RoleGrant) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "DELETE FROM user_roles WHERE user_id = $1 AND role = $2 AND organization = $3 AND own <= $4",
        event.resource.id.clone(),
        grant.role,
        grant.organization.unwrap_or_default(),
        own(event),
    )
}

/// A definition's version is the place of its event in the role's stream: no two ever share one.
pub(super) async fn defined(db: &mut AnyConnection, event: &Event, role: RoleDefinition) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO custom_roles (name, description, permissions, updated_at, version) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO UPDATE SET description = excluded.description, permissions = excluded.permissions,
            updated_at = excluded.updated_at, version = excluded.version",
        event.resource.id.clone(),
        role.description,
        json(&role.permissions),
        event.occurred_at.as_micros(),
        event.stream_version.max(1).cast_signed(),
    )
}

pub(super) async fn withdrawn(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(db, "DELETE FROM custom_roles WHERE name = $1", event.resource.id.clone())
}

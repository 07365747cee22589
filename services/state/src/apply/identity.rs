//! Users, roles, groups, organizations, tokens: which event is whose.

use chancery_domain::events::identity::{IdentityEvent, Organization};
use chancery_domain::{Event, OWN_SOURCE};
use sqlx::AnyConnection;

use super::{groups, roles, tokens, users};

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: IdentityEvent) -> Result<(), sqlx::Error> {
    if is_beyond(db, event).await? {
        return Ok(());
    }
    match payload {
        IdentityEvent::UserCreated(user) => users::created(db, event, user).await,
        IdentityEvent::UserUpdated(user) => users::updated(db, event, user).await,
        IdentityEvent::UserSuspended(suspension) => users::suspended(db, event, suspension).await,
        IdentityEvent::UserReactivated(_) => users::reactivated(db, event).await,
        IdentityEvent::UserDeleted(_) => users::deleted(db, event).await,
        IdentityEvent::UserLoginSucceeded(_) => users::logged_in(db, event).await,
        IdentityEvent::TokenCreated(token) => tokens::created(db, event, token).await,
        IdentityEvent::TokenRotated(rotation) => tokens::rotated(db, event, rotation).await,
        IdentityEvent::TokenUsed(_) => tokens::used(db, event).await,
        IdentityEvent::TokenRevoked(_) => tokens::revoked(db, event).await,
        IdentityEvent::GroupCreated(group) => groups::created(db, event, group).await,
        IdentityEvent::GroupUpdated(group) => groups::updated(db, event, group).await,
        IdentityEvent::GroupDeleted(_) => groups::deleted(db, event).await,
        IdentityEvent::GroupMemberAdded(member) => groups::member_added(db, event, member).await,
        IdentityEvent::GroupMemberRemoved(member) => groups::member_removed(db, event, member).await,
        IdentityEvent::RoleAssigned(grant) => roles::assigned(db, event, grant).await,
        IdentityEvent::RoleRevoked(grant) => roles::revoked(db, event, grant).await,
        IdentityEvent::RoleDefined(role) => roles::defined(db, event, role).await,
        IdentityEvent::RoleWithdrawn(_) => roles::withdrawn(db, event).await,
        IdentityEvent::OrganizationCreated(organization) | IdentityEvent::OrganizationUpdated(organization) => {
            organization_set(db, event, organization).await
        }
        IdentityEvent::UserLoginFailed(_) | IdentityEvent::UserLogout(_) | IdentityEvent::TokenRefused(_) => Ok(()),
    }
}

/// Whether another system speaks of what Chancery itself has made: that is on record, and changes nothing here.
pub(super) async fn is_beyond(db: &mut AnyConnection, event: &Event) -> Result<bool, sqlx::Error> {
    if event.source == OWN_SOURCE {
        return Ok(false);
    }
    let statement = match event.event_type.split('.').next() {
        Some("user" | "role") => "SELECT 1 FROM users WHERE id = $1 AND own = 1",
        Some("group" | "quota") => "SELECT 1 FROM groups WHERE id = $1 AND own = 1",
        Some("organization") => "SELECT 1 FROM organizations WHERE id = $1 AND own = 1",
        _ => return Ok(false),
    };
    let row = sqlx::query(statement).bind(event.resource.id.clone()).fetch_optional(db).await?;
    Ok(row.is_some())
}

async fn organization_set(
    db: &mut AnyConnection,
    event: &Event,
    organization: Organization,
) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO organizations (id, name, display_name, created_at, updated_at, own)
            VALUES ($1, $2, $3, $4, $4, $5)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at,
            display_name = coalesce(excluded.display_name, organizations.display_name), own = excluded.own",
        event.resource.id.clone(),
        organization.name,
        organization.display_name,
        event.occurred_at.as_micros(),
        super::own(event),
    )
}

//! Users, roles, groups, organizations, tokens.

use chancery_domain::Event;
use chancery_domain::events::identity::{
    GroupCreated, GroupUpdated, IdentityEvent, RoleGrant, TokenCreated, UserCreated, UserUpdated,
};
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: IdentityEvent) -> Result<(), sqlx::Error> {
    match payload {
        IdentityEvent::UserCreated(user) => user_created(db, event, user).await,
        IdentityEvent::UserUpdated(user) => user_updated(db, event, user).await,
        IdentityEvent::UserSuspended(_) => user_status(db, event, "suspended").await,
        IdentityEvent::UserReactivated(_) => user_status(db, event, "active").await,
        IdentityEvent::UserDeleted(_) => user_status(db, event, "deleted").await,
        IdentityEvent::UserLoginSucceeded(_) => logged_in(db, event).await,
        IdentityEvent::TokenCreated(token) => token_created(db, event, token).await,
        IdentityEvent::TokenRevoked(_) => token_revoked(db, event).await,
        IdentityEvent::GroupCreated(group) => group_created(db, event, group).await,
        IdentityEvent::GroupUpdated(group) => group_updated(db, event, group).await,
        IdentityEvent::GroupDeleted(_) => group_deleted(db, event).await,
        IdentityEvent::GroupMemberAdded(member) => execute!(
            db,
            "INSERT INTO group_members (group_id, user_id, user_name, added_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (group_id, user_id) DO UPDATE SET user_name = coalesce(excluded.user_name,
                group_members.user_name)",
            event.resource.id.clone(),
            member.user_id,
            member.user_name,
            event.occurred_at.as_micros(),
        ),
        IdentityEvent::GroupMemberRemoved(member) => {
            execute!(
                db,
                "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2",
                event.resource.id.clone(),
                member.user_id,
            )
        }
        IdentityEvent::RoleAssigned(grant) => role_assigned(db, event, grant).await,
        IdentityEvent::RoleRevoked(grant) => {
            execute!(
                db,
                "DELETE FROM user_roles WHERE user_id = $1 AND role = $2 AND organization = $3",
                event.resource.id.clone(),
                grant.role,
                grant.organization.unwrap_or_default(),
            )
        }
        IdentityEvent::OrganizationCreated(organization) | IdentityEvent::OrganizationUpdated(organization) => {
            execute!(
                db,
                "INSERT INTO organizations (id, name, display_name, created_at, updated_at) VALUES ($1, $2, $3,
                    $4, $4)
                    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at,
                    display_name = coalesce(excluded.display_name, organizations.display_name)",
                event.resource.id.clone(),
                organization.name,
                organization.display_name,
                event.occurred_at.as_micros(),
            )
        }
        IdentityEvent::UserLoginFailed(_) | IdentityEvent::UserLogout(_) | IdentityEvent::TokenRefused(_) => Ok(()),
    }
}

async fn user_created(db: &mut AnyConnection, event: &Event, user: UserCreated) -> Result<(), sqlx::Error> {
    let at = event.occurred_at.as_micros();
    execute!(
        &mut *db,
        "INSERT INTO users (id, username, email, display_name, organization, status, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, 'active', $6, $6)
            ON CONFLICT (id) DO UPDATE SET username = excluded.username, email = excluded.email, status = 'active',
            display_name = excluded.display_name, organization = excluded.organization,
            updated_at = excluded.updated_at",
        event.resource.id.clone(),
        user.username,
        user.email,
        user.display_name,
        event.organization.clone(),
        at,
    )?;
    for role in user.roles {
        role_assigned(db, event, RoleGrant { organization: None, role }).await?;
    }
    Ok(())
}

async fn user_updated(db: &mut AnyConnection, event: &Event, user: UserUpdated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET username = coalesce($1, username), email = coalesce($2, email),
            display_name = coalesce($3, display_name), updated_at = $4 WHERE id = $5",
        user.username,
        user.email,
        user.display_name,
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

async fn user_status(db: &mut AnyConnection, event: &Event, status: &'static str) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET status = $1, updated_at = $2 WHERE id = $3",
        status,
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

async fn logged_in(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET last_login_at = $1 WHERE id = $2 AND coalesce(last_login_at, 0) < $1",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

async fn role_assigned(db: &mut AnyConnection, event: &Event, grant: RoleGrant) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO user_roles (user_id, role, organization, granted_at) VALUES ($1, $2, $3,
            $4) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        grant.role,
        grant.organization.unwrap_or_default(),
        event.occurred_at.as_micros(),
    )
}

async fn token_created(db: &mut AnyConnection, event: &Event, token: TokenCreated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO tokens (id, name, secret_sha256, scopes, created_at, expires_at, stream_version)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        token.name,
        token.secret_sha256,
        token.scopes.join(" "),
        event.occurred_at.as_micros(),
        token.expires_at.map(chancery_domain::Timestamp::as_micros),
        event.stream_version.cast_signed(),
    )
}

async fn token_revoked(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE tokens SET revoked_at = coalesce(revoked_at, $1), stream_version = $2 WHERE id = $3",
        event.occurred_at.as_micros(),
        event.stream_version.cast_signed(),
        event.resource.id.clone(),
    )
}

async fn group_created(db: &mut AnyConnection, event: &Event, group: GroupCreated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO groups (id, name, display_name, organization, quota_allowance, status, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, 'active', $6, $6)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, display_name = excluded.display_name,
            status = 'active',
            organization = excluded.organization, quota_allowance = excluded.quota_allowance,
            updated_at = excluded.updated_at",
        event.resource.id.clone(),
        group.name,
        group.display_name,
        event.organization.clone(),
        i64::from(group.quota_allowance.unwrap_or(0)),
        event.occurred_at.as_micros(),
    )
}

async fn group_updated(db: &mut AnyConnection, event: &Event, group: GroupUpdated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE groups SET name = coalesce($1, name), display_name = coalesce($2, display_name),
            quota_allowance = coalesce($3, quota_allowance), updated_at = $4 WHERE id = $5",
        group.name,
        group.display_name,
        group.quota_allowance.map(i64::from),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

async fn group_deleted(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE groups SET status = 'deleted', updated_at = $1 WHERE id = $2",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )?;
    execute!(db, "DELETE FROM group_members WHERE group_id = $1", event.resource.id.clone())
}

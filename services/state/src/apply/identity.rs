//! Users, roles, groups, organizations, tokens.

use chancery_domain::Event;
use chancery_domain::events::identity::{
    GroupCreated, GroupUpdated, IdentityEvent, RoleGrant, TokenCreated, UserCreated, UserUpdated,
};
use sqlx::SqliteConnection;

pub(super) async fn apply(db: &mut SqliteConnection, event: &Event, payload: IdentityEvent) -> Result<(), sqlx::Error> {
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
        IdentityEvent::GroupMemberAdded(member) => sqlx::query(
            "INSERT INTO group_members (group_id, user_id, user_name, added_at) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET user_name = coalesce(excluded.user_name, user_name)",
        )
        .bind(event.resource.id.clone())
        .bind(member.user_id)
        .bind(member.user_name)
        .bind(event.occurred_at.as_micros())
        .execute(db)
        .await
        .map(drop),
        IdentityEvent::GroupMemberRemoved(member) => {
            sqlx::query("DELETE FROM group_members WHERE group_id = ? AND user_id = ?")
                .bind(event.resource.id.clone())
                .bind(member.user_id)
                .execute(db)
                .await
                .map(drop)
        }
        IdentityEvent::RoleAssigned(grant) => role_assigned(db, event, grant).await,
        IdentityEvent::RoleRevoked(grant) => {
            sqlx::query("DELETE FROM user_roles WHERE user_id = ? AND role = ? AND organization = ?")
                .bind(event.resource.id.clone())
                .bind(grant.role)
                .bind(grant.organization.unwrap_or_default())
                .execute(db)
                .await
                .map(drop)
        }
        IdentityEvent::OrganizationCreated(organization) | IdentityEvent::OrganizationUpdated(organization) => {
            sqlx::query(
                "INSERT INTO organizations (id, name, display_name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
                 ON CONFLICT DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at,
                     display_name = coalesce(excluded.display_name, display_name)",
            )
            .bind(event.resource.id.clone())
            .bind(organization.name)
            .bind(organization.display_name)
            .bind(event.occurred_at.as_micros())
            .execute(db)
            .await
            .map(drop)
        }
        IdentityEvent::UserLoginFailed(_) | IdentityEvent::UserLogout(_) | IdentityEvent::TokenRefused(_) => Ok(()),
    }
}

async fn user_created(db: &mut SqliteConnection, event: &Event, user: UserCreated) -> Result<(), sqlx::Error> {
    let at = event.occurred_at.as_micros();
    sqlx::query(
        "INSERT INTO users (id, username, email, display_name, organization, status, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'active', ?6, ?6)
         ON CONFLICT DO UPDATE SET username = excluded.username, email = excluded.email, status = 'active',
             display_name = excluded.display_name, organization = excluded.organization, updated_at = excluded.updated_at",
    )
    .bind(event.resource.id.clone())
    .bind(user.username)
    .bind(user.email)
    .bind(user.display_name)
    .bind(event.organization.clone())
    .bind(at)
    .execute(&mut *db)
    .await?;
    for role in user.roles {
        role_assigned(db, event, RoleGrant { organization: None, role }).await?;
    }
    Ok(())
}

async fn user_updated(db: &mut SqliteConnection, event: &Event, user: UserUpdated) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE users SET username = coalesce(?, username), email = coalesce(?, email),
             display_name = coalesce(?, display_name), updated_at = ? WHERE id = ?",
    )
    .bind(user.username)
    .bind(user.email)
    .bind(user.display_name)
    .bind(event.occurred_at.as_micros())
    .bind(event.resource.id.clone())
    .execute(db)
    .await
    .map(drop)
}

async fn user_status(db: &mut SqliteConnection, event: &Event, status: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET status = ?, updated_at = ? WHERE id = ?")
        .bind(status)
        .bind(event.occurred_at.as_micros())
        .bind(event.resource.id.clone())
        .execute(db)
        .await
        .map(drop)
}

async fn logged_in(db: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET last_login_at = max(coalesce(last_login_at, 0), ?) WHERE id = ?")
        .bind(event.occurred_at.as_micros())
        .bind(event.actor.id.clone())
        .execute(db)
        .await
        .map(drop)
}

async fn role_assigned(db: &mut SqliteConnection, event: &Event, grant: RoleGrant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO user_roles (user_id, role, organization, granted_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(grant.role)
    .bind(grant.organization.unwrap_or_default())
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn token_created(db: &mut SqliteConnection, event: &Event, token: TokenCreated) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO tokens (id, name, secret_sha256, scopes, created_at, expires_at, stream_version)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(token.name)
    .bind(token.secret_sha256)
    .bind(token.scopes.join(" "))
    .bind(event.occurred_at.as_micros())
    .bind(token.expires_at.map(chancery_domain::Timestamp::as_micros))
    .bind(event.stream_version.cast_signed())
    .execute(db)
    .await
    .map(drop)
}

async fn token_revoked(db: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE tokens SET revoked_at = coalesce(revoked_at, ?), stream_version = ? WHERE id = ?")
        .bind(event.occurred_at.as_micros())
        .bind(event.stream_version.cast_signed())
        .bind(event.resource.id.clone())
        .execute(db)
        .await
        .map(drop)
}

async fn group_created(db: &mut SqliteConnection, event: &Event, group: GroupCreated) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO groups (id, name, display_name, organization, quota_allowance, status, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'active', ?6, ?6)
         ON CONFLICT DO UPDATE SET name = excluded.name, display_name = excluded.display_name, status = 'active',
             organization = excluded.organization, quota_allowance = excluded.quota_allowance, updated_at = excluded.updated_at",
    )
    .bind(event.resource.id.clone())
    .bind(group.name)
    .bind(group.display_name)
    .bind(event.organization.clone())
    .bind(group.quota_allowance.unwrap_or(0))
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn group_updated(db: &mut SqliteConnection, event: &Event, group: GroupUpdated) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE groups SET name = coalesce(?, name), display_name = coalesce(?, display_name),
             quota_allowance = coalesce(?, quota_allowance), updated_at = ? WHERE id = ?",
    )
    .bind(group.name)
    .bind(group.display_name)
    .bind(group.quota_allowance)
    .bind(event.occurred_at.as_micros())
    .bind(event.resource.id.clone())
    .execute(db)
    .await
    .map(drop)
}

async fn group_deleted(db: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE groups SET status = 'deleted', updated_at = ? WHERE id = ?")
        .bind(event.occurred_at.as_micros())
        .bind(event.resource.id.clone())
        .execute(&mut *db)
        .await?;
    sqlx::query("DELETE FROM group_members WHERE group_id = ?")
        .bind(event.resource.id.clone())
        .execute(db)
        .await
        .map(drop)
}

//! Users. One statement an event, unless it is about several addresses.

use chancery_domain::Event;
use chancery_domain::attributes::{self, Attributes, Summary, key};
use chancery_domain::events::groups::RoleGrant;
use chancery_domain::events::identity::{UserCreated, UserSuspended, UserUpdated};
use sqlx::{AnyConnection, Row};

use super::{json, own, roles};

pub(super) async fn created(db: &mut AnyConnection, event: &Event, user: UserCreated) -> Result<(), sqlx::Error> {
    let summary = user.attributes.as_ref().map(Summary::of).unwrap_or_default();
    let username = summary.username.unwrap_or(user.username);
    let email = summary.email.or(user.email);
    let statement =
        "INSERT INTO users (id, username, username_key, email, email_key, display_name, organization, status,
            connection, attributes, external_id, own, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
            ON CONFLICT (id) DO UPDATE SET username = excluded.username, username_key = excluded.username_key,
            email = excluded.email, email_key = excluded.email_key, display_name = excluded.display_name,
            organization = excluded.organization, status = excluded.status, connection = excluded.connection,
            attributes = excluded.attributes, external_id = excluded.external_id, removed = 0, delete_at = NULL,
            own = excluded.own, version = users.version + 1, updated_at = excluded.updated_at
            RETURNING version";
    let query = sqlx::query(statement)
        .bind(event.resource.id.clone())
        .bind(username.clone())
        .bind(key(&username))
        .bind(email.clone())
        .bind(email.as_deref().map(key))
        .bind(summary.display_name.or(user.display_name))
        .bind(event.organization.clone())
        .bind(if summary.active == Some(false) { "suspended" } else { "active" })
        .bind(user.connection)
        .bind(user.attributes.as_ref().map(json))
        .bind(summary.external_id)
        .bind(own(event))
        .bind(event.occurred_at.as_micros());
    let made = query.fetch_one(&mut *db).await?;
    let may_have = made.try_get::<i64, _>(0)? > 1;
    set_addresses(db, event, user.attributes.as_ref(), email.as_deref(), may_have).await?;
    for role in user.roles {
        roles::assigned(db, event, RoleGrant { by_group: false, organization: None, role }).await?;
    }
    Ok(())
}

/// Attributes replace all there were; without them only what is named changes.
pub(super) async fn updated(db: &mut AnyConnection, event: &Event, user: UserUpdated) -> Result<(), sqlx::Error> {
    let Some(attributes) = &user.attributes else { return amended(db, event, user).await };
    let summary = Summary::of(attributes);
    let statement =
        "UPDATE users SET username = coalesce($1, username), username_key = coalesce($2, username_key), email = $3,
            email_key = $4, display_name = $5, external_id = $6, attributes = $7, connection = coalesce($8, connection),
            status = CASE WHEN status = 'deleted' THEN status ELSE coalesce($9, status) END, removed = 0,
            delete_at = NULL, own = $10, version = version + 1, updated_at = $11,
            organization = coalesce($13, organization) WHERE id = $12
            RETURNING (SELECT count(*) FROM user_emails WHERE user_emails.user_id = users.id)";
    let query = sqlx::query(statement)
        .bind(summary.username.clone())
        .bind(summary.username.as_deref().map(key))
        .bind(summary.email.clone())
        .bind(summary.email.as_deref().map(key))
        .bind(summary.display_name)
        .bind(summary.external_id)
        .bind(json(attributes))
        .bind(user.connection)
        .bind(summary.active.map(|active| if active { "active" } else { "suspended" }))
        .bind(own(event))
        .bind(event.occurred_at.as_micros())
        .bind(event.resource.id.clone())
        .bind(user.organization);
    let Some(updated) = query.fetch_optional(&mut *db).await? else { return Ok(()) };
    let has = updated.try_get::<i64, _>(0)? > 0;
    set_addresses(db, event, Some(attributes), summary.email.as_deref(), has).await
}

/// Notes the addresses beside the main one, in place of those that there may be.
async fn set_addresses(
    db: &mut AnyConnection,
    event: &Event,
    attributes: Option<&Attributes>,
    main: Option<&str>,
    may_have: bool,
) -> Result<(), sqlx::Error> {
    if may_have {
        execute!(&mut *db, "DELETE FROM user_emails WHERE user_id = $1", event.resource.id.clone())?;
    }
    let main = main.map(key);
    for address in attributes.map(attributes::addresses).unwrap_or_default() {
        if Some(&address) != main.as_ref() {
            let statement = "INSERT INTO user_emails (user_id, email_key) VALUES ($1, $2)";
            execute!(&mut *db, statement, event.resource.id.clone(), address)?;
        }
    }
    Ok(())
}

async fn amended(db: &mut AnyConnection, event: &Event, user: UserUpdated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET username = coalesce($1, username), username_key = coalesce($2, username_key),
            email = coalesce($3, email), email_key = coalesce($4, email_key),
            display_name = coalesce($5, display_name), connection = coalesce($6, connection), own = $7,
            version = version + 1, updated_at = $8, organization = coalesce($10, organization) WHERE id = $9",
        user.username.clone(),
        user.username.as_deref().map(key),
        user.email.clone(),
        user.email.as_deref().map(key),
        user.display_name,
        user.connection,
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        user.organization,
    )
}

pub(super) async fn suspended(
    db: &mut AnyConnection,
    event: &Event,
    suspension: UserSuspended,
) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET status = 'suspended', removed = CASE WHEN $1 = 1 THEN 1 ELSE removed END,
            delete_at = coalesce($2, delete_at), own = $3, version = version + 1, updated_at = $4 WHERE id = $5",
        i64::from(suspension.removed),
        suspension.delete_at.map(chancery_domain::Timestamp::as_micros),
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

pub(super) async fn reactivated(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET status = 'active', removed = 0, delete_at = NULL, own = $1, version = version + 1,
            updated_at = $2 WHERE id = $3",
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

/// What is deleted has neither roles nor addresses.
pub(super) async fn deleted(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE users SET status = 'deleted', delete_at = NULL, own = $1, version = version + 1, updated_at = $2
            WHERE id = $3",
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )?;
    execute!(&mut *db, "DELETE FROM user_emails WHERE user_id = $1", event.resource.id.clone())?;
    execute!(db, "DELETE FROM user_roles WHERE user_id = $1", event.resource.id.clone())
}

pub(super) async fn logged_in(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE users SET last_login_at = $1 WHERE id = $2 AND coalesce(last_login_at, 0) < $1",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

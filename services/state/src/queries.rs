//! Reading the tables.

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::tokens::{Scope, Token};
use chancery_log::{DeadLetter, Position};
use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::state::VersionedToken;
use crate::{State, StateError};

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// Users.
    Users,
    /// Groups with their members.
    Groups,
    /// Templates.
    Templates,
    /// Workspaces.
    Workspaces,
    /// Sessions.
    Sessions,
}

impl ResourceKind {
    /// One row as a JSON object; times as RFC 3339 are made from the `_at` members afterwards.
    const fn select(self) -> &'static str {
        match self {
            Self::Users => {
                "SELECT json_object('id', id, 'username', username, 'email', email, 'display_name', display_name,
                    'organization', organization, 'status', status, 'created_at', created_at, 'updated_at', updated_at,
                    'last_login_at', last_login_at,
                    'roles', (SELECT json_group_array(role) FROM (SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role)))
                 FROM users WHERE id > ? ORDER BY id LIMIT ?"
            }
            Self::Groups => {
                "SELECT json_object('id', id, 'name', name, 'display_name', display_name, 'organization', organization,
                    'quota_allowance', quota_allowance, 'status', status, 'created_at', created_at, 'updated_at', updated_at,
                    'members', (SELECT count(*) FROM group_members WHERE group_id = groups.id))
                 FROM groups WHERE id > ? ORDER BY id LIMIT ?"
            }
            Self::Templates => {
                "SELECT json_object('id', id, 'name', name, 'display_name', display_name, 'description', description,
                    'organization', organization, 'status', status, 'deprecation', deprecation,
                    'active_version', active_version, 'created_at', created_at, 'updated_at', updated_at,
                    'versions', (SELECT count(*) FROM template_versions WHERE template_id = templates.id))
                 FROM templates WHERE id > ? ORDER BY id LIMIT ?"
            }
            Self::Workspaces => {
                "SELECT json_object('id', id, 'name', name, 'owner', owner, 'owner_id', owner_id,
                    'organization', organization, 'template_id', template_id, 'template_name', template_name,
                    'status', status, 'dormant', json(iif(dormant, 'true', 'false')), 'last_build', last_build,
                    'daily_cost', daily_cost, 'created_at', created_at, 'updated_at', updated_at)
                 FROM workspaces WHERE id > ? ORDER BY id LIMIT ?"
            }
            Self::Sessions => {
                "SELECT json_object('id', id, 'kind', kind, 'status', status, 'user_id', user_id, 'user_name', user_name,
                    'ip', ip, 'host', host, 'workspace_id', workspace_id, 'workspace_name', workspace_name,
                    'organization', organization, 'opened_at', opened_at, 'closed_at', closed_at,
                    'duration_ms', duration_ms, 'bytes_in', bytes_in, 'bytes_out', bytes_out)
                 FROM sessions WHERE id > ? ORDER BY id LIMIT ?"
            }
        }
    }
}

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// Last position it has dealt with.
    pub position: Position,
    /// How many events it could not take.
    pub dead_letters: u64,
}

impl State {
    /// Rows of one kind in the order of their ids, after the id `after`.
    pub async fn list(&self, kind: ResourceKind, after: Option<&str>, limit: usize) -> Result<Vec<Value>, StateError> {
        let rows = sqlx::query(kind.select())
            .bind(after.unwrap_or_default().to_owned())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(object).collect()
    }

    /// Parked events in the order of their positions, after `after`.
    pub async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, StateError> {
        let rows = sqlx::query(
            "SELECT consumer, position, reason, event, parked_at FROM dead_letters WHERE position > ? ORDER BY position, consumer LIMIT ?",
        )
        .bind(after.cast_signed())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(DeadLetter {
                    consumer: row.try_get(0)?,
                    position: row.try_get::<i64, _>(1)?.cast_unsigned(),
                    reason: row.try_get(2)?,
                    event: row.try_get(3)?,
                    parked_at: time(row.try_get(4)?),
                })
            })
            .collect()
    }

    /// How far the consumers that keep their checkpoint here are.
    pub async fn consumers(&self) -> Result<Vec<ConsumerStatus>, StateError> {
        let rows = sqlx::query(
            "SELECT name, position, (SELECT count(*) FROM dead_letters WHERE consumer = name) FROM consumers ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ConsumerStatus {
                    name: row.try_get(0)?,
                    position: row.try_get::<i64, _>(1)?.cast_unsigned(),
                    dead_letters: row.try_get::<i64, _>(2)?.cast_unsigned(),
                })
            })
            .collect()
    }
}

pub(crate) async fn checkpoint(pool: &SqlitePool, consumer: &'static str) -> Result<Position, StateError> {
    let row = sqlx::query("SELECT position FROM consumers WHERE name = ?").bind(consumer).fetch_optional(pool).await?;
    Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0).cast_unsigned())
}

pub(crate) async fn set_checkpoint(
    db: &mut SqliteConnection,
    consumer: &'static str,
    position: Position,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO consumers (name, position) VALUES (?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
    )
    .bind(consumer)
    .bind(position.cast_signed())
    .execute(db)
    .await
    .map(drop)
}

pub(crate) async fn tokens(pool: &SqlitePool) -> Result<Vec<VersionedToken>, StateError> {
    let rows = sqlx::query(
        "SELECT id, name, secret_sha256, scopes, created_at, expires_at, revoked_at, stream_version FROM tokens",
    )
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| token(row).map_err(StateError::from)).collect()
}

fn token(row: &SqliteRow) -> Result<VersionedToken, sqlx::Error> {
    let scopes: String = row.try_get(3)?;
    Ok(VersionedToken {
        token: Token {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            secret_sha256: row.try_get(2)?,
            // A scope this version does not know allows nothing.
            scopes: scopes.split(' ').filter_map(Scope::from_name).collect::<BTreeSet<_>>(),
            created_at: time(row.try_get(4)?),
            expires_at: row.try_get::<Option<i64>, _>(5)?.map(time),
            revoked_at: row.try_get::<Option<i64>, _>(6)?.map(time),
        },
        stream_version: row.try_get::<i64, _>(7)?.cast_unsigned(),
    })
}

fn object(row: &SqliteRow) -> Result<Value, StateError> {
    let text: &str = row.try_get(0)?;
    let mut object: Value = serde_json::from_str(text).map_err(|_| StateError::Row("a listing"))?;
    if let Some(members) = object.as_object_mut() {
        for (_, value) in members.iter_mut().filter(|(name, _)| name.ends_with("_at")) {
            if let Some(micros) = value.as_i64() {
                *value = time(micros).to_string().into();
            }
        }
        // `roles` arrives as JSON inside JSON.
        if let Some(Value::String(roles)) = members.get("roles") {
            let roles = serde_json::from_str(roles).unwrap_or_default();
            members.insert("roles".to_owned(), roles);
        }
    }
    Ok(object)
}

fn time(micros: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add_micros(micros)
}

//! Users.

use chancery_domain::Timestamp;
use chancery_domain::attributes::key;
use chancery_domain::directory::DirectoryUser;
use sqlx::Row;

use super::bound;
use super::rows::{number, select_users, user};
use crate::{State, StateError};

pub(crate) const BY_ID: &str = select_users!("WHERE id = $1");
pub(crate) const BY_NAME: &str = select_users!("WHERE username_key = $1 AND own = 1 AND status <> 'deleted'");
pub(crate) const BY_EXTERNAL_ID: &str =
    select_users!("WHERE external_id = $1 AND connection = $2 AND own = 1 AND status <> 'deleted'");
pub(crate) const BY_EMAIL: &str = select_users!("WHERE email_key = $1 AND own = 1 AND status <> 'deleted'");
pub(crate) const BY_ADDRESS: &str = select_users!(
    "WHERE id IN (SELECT id FROM users WHERE email_key = $1 UNION SELECT user_id FROM user_emails WHERE email_key = $1)
    AND own = 1 AND status <> 'deleted'"
);
pub(crate) const PAGE: &str = select_users!(
    "WHERE connection = $1 AND id > $2 AND own = 1 AND removed = 0 AND status <> 'deleted' ORDER BY id LIMIT $3 OFFSET $4"
);
pub(crate) const COUNT: &str =
    "SELECT count(*) FROM users WHERE connection = $1 AND own = 1 AND removed = 0 AND status <> 'deleted'";
pub(crate) const DUE: &str =
    select_users!("WHERE delete_at IS NOT NULL AND delete_at <= $1 AND own = 1 ORDER BY delete_at, id LIMIT $2");
pub(crate) const NAMES: &str = "SELECT id, username, connection FROM users
    WHERE own >= CAST($1 AS BIGINT) AND id IN ($ids) AND removed = 0 AND status <> 'deleted'";

/// A user or group by id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Connection that provisions it.
    pub connection: Option<String>,
}

/// Users. Except by id, those that other systems report are not among them, nor those that are deleted.
impl State {
    /// The user with this id, whoever made it, also when it is deleted.
    pub async fn user(&self, id: &str) -> Result<Option<DirectoryUser>, StateError> {
        self.users(sqlx::query(BY_ID).bind(id.to_owned())).await.map(first)
    }

    /// The users with this login name in any case, of all connections; those the provider has removed too.
    pub async fn users_by_name(&self, username: &str) -> Result<Vec<DirectoryUser>, StateError> {
        self.users(sqlx::query(BY_NAME).bind(key(username))).await
    }

    /// The users of a connection with this `externalId`; those the provider has removed too.
    pub async fn users_by_external_id(
        &self,
        connection: &str,
        external_id: &str,
    ) -> Result<Vec<DirectoryUser>, StateError> {
        self.users(sqlx::query(BY_EXTERNAL_ID).bind(external_id.to_owned()).bind(connection.to_owned())).await
    }

    /// The users whose main e-mail address is this, in any case, of all connections.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<DirectoryUser>, StateError> {
        self.users(sqlx::query(BY_EMAIL).bind(key(email))).await
    }

    /// The users one of whose e-mail addresses is this, in any case, of all connections.
    pub async fn users_by_address(&self, address: &str) -> Result<Vec<DirectoryUser>, StateError> {
        self.users(sqlx::query(BY_ADDRESS).bind(key(address))).await
    }

    /// Users of a connection in the order of their ids, after the id `after`; not those the provider has removed.
    pub async fn users_of(
        &self,
        connection: &str,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<DirectoryUser>, StateError> {
        let after = after.unwrap_or_default().to_owned();
        self.users(sqlx::query(PAGE).bind(connection.to_owned()).bind(after).bind(bound(limit)).bind(bound(skip))).await
    }

    /// How many users [`State::users_of`] has.
    pub async fn count_users_of(&self, connection: &str) -> Result<u64, StateError> {
        let row = sqlx::query(COUNT).bind(connection.to_owned()).fetch_one(&self.pool).await?;
        Ok(number(&row, 0)?)
    }

    /// Users that are to be deleted at `now` or before, those due first first.
    pub async fn users_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DirectoryUser>, StateError> {
        self.users(sqlx::query(DUE).bind(now.as_micros()).bind(bound(limit))).await
    }

    /// The names of those of `ids` that are users, removed and deleted ones left out.
    pub async fn user_names(&self, ids: &[String]) -> Result<Vec<Named>, StateError> {
        let rows = self.rows_of(NAMES, "1", ids).await?;
        rows.iter().map(|row| Ok(named(row)?)).collect()
    }

    async fn users(
        &self,
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<DirectoryUser>, StateError> {
        self.rows(query).await?.iter().map(user).collect()
    }
}

pub(super) fn named(row: &sqlx::any::AnyRow) -> Result<Named, sqlx::Error> {
    Ok(Named { id: row.try_get(0)?, name: row.try_get(1)?, connection: row.try_get(2)? })
}

pub(super) fn first<T>(items: Vec<T>) -> Option<T> {
    items.into_iter().next()
}

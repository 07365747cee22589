//! Reading the tables.

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::attributes::key;
use chancery_domain::directory::UserStatus;
use chancery_domain::events::tokens::{OwnerKind, TokenKind, TokenOwner};
use chancery_domain::tokens::{Scope, Token};
use chancery_log::{DeadLetter, Frontier, Position, partition, place};
use serde_json::{Map, Value};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Column, Row, ValueRef};

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
    /// The columns of a row, as the members of its JSON object. `$visible` says which organizations' rows.
    const fn select(self) -> &'static str {
        match self {
            Self::Users => {
                "SELECT id, username, email, display_name, organization, status, created_at, updated_at, last_login_at,
                    (SELECT string_agg(CASE WHEN organization = '' THEN role ELSE organization || '/' || role END, ','
                        ORDER BY organization, role) FROM user_roles WHERE user_id = users.id AND $visible) AS roles
                 FROM users WHERE $visible AND $wanted AND id > $1 ORDER BY id LIMIT $2"
            }
            Self::Groups => {
                "SELECT id, name, display_name, organization, connection, everyone, quota_allowance, status, created_at,
                    updated_at, (SELECT count(*) FROM group_members WHERE group_id = groups.id) AS members
                 FROM groups WHERE $visible AND id > $1 ORDER BY id LIMIT $2"
            }
            Self::Templates => {
                "SELECT id, name, display_name, description, organization, status, deprecation, active_version,
                    created_at, updated_at,
                    (SELECT count(*) FROM template_versions WHERE template_id = templates.id) AS versions
                 FROM templates WHERE $visible AND id > $1 ORDER BY id LIMIT $2"
            }
            Self::Workspaces => {
                "SELECT id, name, owner, owner_id, organization, template_id, template_name,
                    CASE WHEN canceling = 1 THEN 'canceling' ELSE status END AS status, dormant, last_build, daily_cost, created_at, updated_at
                 FROM workspaces WHERE $visible AND id > $1 ORDER BY id LIMIT $2"
            }
            Self::Sessions => {
                "SELECT id, kind, status, user_id, user_name, ip, host, workspace_id, workspace_name, organization,
                    opened_at, closed_at, duration_ms, bytes_in, bytes_out
                 FROM sessions WHERE $visible AND id > $1 ORDER BY id LIMIT $2"
            }
        }
    }
}

impl ResourceKind {
    /// The statement of a list, and the values of its parameters from `$3` on.
    pub(crate) fn statement(self, within: Within<'_>, wanted: &Wanted) -> (String, Vec<String>) {
        let (visible, names) = within.condition();
        let names: Vec<String> = names.into_iter().flatten().cloned().collect();
        let (wanted, values) = wanted.condition(names.len() + 3);
        let statement = self.select().replace("$visible", &visible).replace("$wanted", &wanted);
        (statement, names.into_iter().chain(values).collect())
    }
}

/// Whose rows a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within<'a> {
    /// Every row.
    All,
    /// The rows of these organizations, and no others.
    Only(&'a BTreeSet<String>),
    /// Every row but those of these organizations.
    AllBut(&'a BTreeSet<String>),
}

impl<'a> Within<'a> {
    /// The condition on a row's organization, with the parameters from `$3` on.
    fn condition(self) -> (String, Option<&'a BTreeSet<String>>) {
        let parameters = |names: &BTreeSet<String>| {
            let numbers: Vec<String> = (3..names.len() + 3).map(|number| format!("${number}")).collect();
            numbers.join(", ")
        };
        match self {
            Self::Only(names) if names.is_empty() => ("1 = 0".to_owned(), None),
            // As the index of each table by organization has it.
            Self::Only(names) => {
                let condition = format!("organization IN ({}) AND length(organization) <= 256", parameters(names));
                (condition, Some(names))
            }
            Self::AllBut(names) if !names.is_empty() => {
                (format!("coalesce(organization, '') NOT IN ({})", parameters(names)), Some(names))
            }
            Self::All | Self::AllBut(_) => ("1 = 1".to_owned(), None),
        }
    }
}

/// Which users a list shows, of those it may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Text in their login name, full name or main e-mail address, whatever its case.
    pub text: Option<String>,
    /// Their status.
    pub status: Option<UserStatus>,
    /// Their home organization.
    pub organization: Option<String>,
}

impl Wanted {
    /// The condition on a user, with the values of its parameters, which are counted from `first`.
    fn condition(&self, first: usize) -> (String, Vec<String>) {
        let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
        let mut condition = |text: &str, value: String| {
            conditions.push(text.replace("$n", &format!("${}", first + values.len())));
            values.push(value);
        };
        if let Some(text) = &self.text {
            let escaped = key(text).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let like = "(username_key LIKE $n ESCAPE '\\' OR email_key LIKE $n ESCAPE '\\'
                OR lower(display_name) LIKE $n ESCAPE '\\')";
            condition(like, format!("%{escaped}%"));
        }
        if let Some(status) = self.status {
            condition("status = $n", status.as_str().to_owned());
        }
        if let Some(organization) = &self.organization {
            condition("organization = $n AND length(organization) <= 256", organization.clone());
        }
        (conditions.join(" AND "), values)
    }
}

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// What it has dealt with.
    pub reached: Frontier,
    /// How many events it could not take.
    pub dead_letters: u64,
}

impl State {
    /// Rows of one kind in the order of their ids, after the id `after`.
    pub async fn list(
        &self,
        kind: ResourceKind,
        within: Within<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, StateError> {
        self.select(kind, within, &Wanted::default(), after, limit).await
    }

    /// Users who are wanted, in the order of their ids, after the id `after`.
    pub async fn list_users(
        &self,
        within: Within<'_>,
        wanted: &Wanted,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, StateError> {
        self.select(ResourceKind::Users, within, wanted, after, limit).await
    }

    async fn select(
        &self,
        kind: ResourceKind,
        within: Within<'_>,
        wanted: &Wanted,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, StateError> {
        let (statement, values) = kind.statement(within, wanted);
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(after.unwrap_or_default().to_owned())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = values.into_iter().fold(query, sqlx::query::Query::bind);
        query.fetch_all(&self.pool).await?.iter().map(object).collect()
    }

    /// Parked events in the order of their positions, after `after`.
    pub async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, StateError> {
        let rows = sqlx::query(
            "SELECT consumer, position, reason, event, parked_at FROM dead_letters WHERE position > $1 ORDER BY position, consumer LIMIT $2",
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

    /// How far the consumers that keep their checkpoints here are.
    pub async fn consumers(&self) -> Result<Vec<ConsumerStatus>, StateError> {
        let rows = sqlx::query(
            "SELECT consumer, position, (SELECT count(*) FROM dead_letters d WHERE d.consumer = c.consumer)
             FROM checkpoints c ORDER BY consumer",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut consumers: Vec<ConsumerStatus> = Vec::new();
        for row in rows {
            let name: String = row.try_get(0)?;
            if consumers.last().is_none_or(|consumer| consumer.name != name) {
                let dead_letters = row.try_get::<i64, _>(2)?.cast_unsigned();
                consumers.push(ConsumerStatus { name, reached: Frontier::start(self.partitions), dead_letters });
            }
            if let Some(consumer) = consumers.last_mut() {
                consumer.reached.advance(row.try_get::<i64, _>(1)?.cast_unsigned());
            }
        }
        Ok(consumers)
    }
}

/// A consumer's checkpoints.
pub(crate) async fn reached(pool: &AnyPool, consumer: &'static str, partitions: u16) -> Result<Frontier, sqlx::Error> {
    let rows =
        sqlx::query("SELECT position FROM checkpoints WHERE consumer = $1").bind(consumer).fetch_all(pool).await?;
    let mut reached = Frontier::start(partitions);
    for row in rows {
        reached.advance(row.try_get::<i64, _>(0)?.cast_unsigned());
    }
    Ok(reached)
}

/// Moves a checkpoint from where a page begins, in the transaction of its results; whether it stood there. It stays
/// locked until the transaction ends, so that of two that fold the same page one waits, and then folds nothing.
pub(crate) async fn move_checkpoint(
    db: &mut AnyConnection,
    consumer: &'static str,
    from: Position,
    to: Position,
) -> Result<bool, sqlx::Error> {
    let number = i64::from(partition(from));
    if place(from) == 0 {
        sqlx::query(
            "INSERT INTO checkpoints (consumer, partition, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(consumer)
        .bind(number)
        .bind(from.cast_signed())
        .execute(&mut *db)
        .await?;
    }
    sqlx::query("UPDATE checkpoints SET position = $1 WHERE consumer = $2 AND partition = $3 AND position = $4")
        .bind(to.cast_signed())
        .bind(consumer)
        .bind(number)
        .bind(from.cast_signed())
        .execute(db)
        .await
        .map(|moved| moved.rows_affected() == 1)
}

/// Selects tokens as [`token`] reads them.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, secret_sha256, scopes, created_at, expires_at, revoked_at, kind, owner_kind,
                owner_id, owner_name, last_used_at, replaced_by FROM tokens ",
            $rest
        )
    };
}

pub(crate) const TOKENS_OF: &str = select_tokens!("WHERE owner_id = $1 AND owner_kind = $2 ORDER BY id");

pub(crate) async fn tokens(pool: &AnyPool) -> Result<Vec<Token>, StateError> {
    let rows = sqlx::query(select_tokens!("ORDER BY id")).fetch_all(pool).await?;
    rows.iter().map(token).collect()
}

pub(crate) async fn find_token(pool: &AnyPool, id: &str) -> Result<Option<Token>, StateError> {
    let row = sqlx::query(select_tokens!("WHERE id = $1")).bind(id.to_owned()).fetch_optional(pool).await?;
    row.as_ref().map(token).transpose()
}

pub(crate) async fn tokens_of(pool: &AnyPool, kind: OwnerKind, owner: &str) -> Result<Vec<Token>, StateError> {
    let rows = sqlx::query(TOKENS_OF).bind(owner.to_owned()).bind(kind.as_str()).fetch_all(pool).await?;
    rows.iter().map(token).collect()
}

fn token(row: &AnyRow) -> Result<Token, StateError> {
    let scopes: String = row.try_get(3)?;
    let kind = TokenKind::from_name(row.try_get(7)?).ok_or(StateError::Row("tokens"))?;
    let owner = match (row.try_get::<Option<String>, _>(8)?, row.try_get::<Option<String>, _>(9)?) {
        (Some(kind), Some(id)) => {
            let kind = OwnerKind::from_name(&kind).ok_or(StateError::Row("tokens"))?;
            Some(TokenOwner { id, kind, name: row.try_get(10)? })
        }
        _ => None,
    };
    Ok(Token {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        secret_sha256: row.try_get(2)?,
        // A scope this version does not know allows nothing.
        scopes: scopes.split(' ').filter_map(Scope::from_name).collect::<BTreeSet<_>>(),
        created_at: time(row.try_get(4)?),
        expires_at: row.try_get::<Option<i64>, _>(5)?.map(time),
        revoked_at: row.try_get::<Option<i64>, _>(6)?.map(time),
        kind,
        owner,
        last_used_at: row.try_get::<Option<i64>, _>(11)?.map(time),
        replaced_by: row.try_get(12)?,
    })
}

/// A row as a JSON object. Times are shown as RFC 3339, roles as a list, flags as such.
fn object(row: &AnyRow) -> Result<Value, StateError> {
    let mut object = Map::new();
    for column in row.columns() {
        let value = match (column.name(), column_value(row, column.ordinal())?) {
            (name, Value::Number(micros)) if name.ends_with("_at") => {
                micros.as_i64().map_or(Value::Null, |micros| time(micros).to_string().into())
            }
            ("dormant" | "everyone", value) => (value != 0).into(),
            ("roles", value) => {
                value.as_str().into_iter().flat_map(|roles| roles.split(',')).map(Value::from).collect()
            }
            (_, value) => value,
        };
        object.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(object))
}

/// A text, a whole number or nothing.
pub(crate) fn column_value(row: &AnyRow, index: usize) -> Result<Value, StateError> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().kind() {
        AnyTypeInfoKind::Text => row.try_get::<String, _>(index)?.into(),
        _ => row.try_get::<i64, _>(index)?.into(),
    })
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add_micros(micros)
}

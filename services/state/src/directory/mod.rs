//! Reading what identity providers and administrators change: one user by any of its names, pages, members, roles.
//!
//! Statements are the same text on both engines. Those on hot paths go by an index; none loads the members of a group
//! unless it is asked for them. What is looked up by a name comes in no particular order: an order by id would lead
//! SQLite to walk through all that the connection has.

mod access;
mod allowances;
mod everyone;
mod groups;
#[cfg(test)]
pub(crate) mod plans;
mod possessions;
mod records;
mod resources;
pub(crate) mod rows;
mod users;

use chancery_domain::attributes::Attributes;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::{State, StateError};

pub use everyone::Person;
pub use users::Named;

/// Most ids in one statement.
const CHUNK: usize = 200;

impl State {
    pub(crate) async fn rows(&self, query: Query<'_, Any, sqlx::any::AnyArguments>) -> Result<Vec<AnyRow>, StateError> {
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// What memberships are compared with that end by themselves.
    fn moment(&self) -> i64 {
        (self.clock)().as_micros()
    }

    /// The rows of `statement` for all `ids`: its `$ids` is replaced by parameters, `first` is `$1`.
    pub(crate) async fn rows_of(
        &self,
        statement: &str,
        first: &str,
        ids: &[String],
    ) -> Result<Vec<AnyRow>, StateError> {
        self.rows_among(statement, first, None, ids).await
    }

    /// The same for a statement whose `$2` is the moment.
    async fn rows_at(&self, statement: &str, first: &str, ids: &[String]) -> Result<Vec<AnyRow>, StateError> {
        self.rows_among(statement, first, Some(self.moment()), ids).await
    }

    async fn rows_among(
        &self,
        statement: &str,
        first: &str,
        second: Option<i64>,
        ids: &[String],
    ) -> Result<Vec<AnyRow>, StateError> {
        let mut rows = Vec::with_capacity(ids.len());
        let begin = if second.is_some() { 3 } else { 2 };
        for chunk in ids.chunks(CHUNK) {
            let parameters: Vec<String> = (begin..chunk.len() + begin).map(|number| format!("${number}")).collect();
            let statement = statement.replace("$ids", &parameters.join(", "));
            let query = sqlx::query(AssertSqlSafe(statement)).bind(first.to_owned());
            let query = second.into_iter().fold(query, sqlx::query::Query::bind);
            let query = chunk.iter().fold(query, |query, id| query.bind(id.clone()));
            rows.extend(query.fetch_all(&self.pool).await?);
        }
        Ok(rows)
    }
}

pub(crate) fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn attributes(text: &str, table: &'static str) -> Result<Attributes, StateError> {
    serde_json::from_str(text).map_err(|_| StateError::Row(table))
}

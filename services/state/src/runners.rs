//! Runners and their keys; runners are looked up on every request of theirs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use chancery_domain::Timestamp;
use chancery_domain::runners::{RunnerKeyRecord, RunnerRecord, RunnerStatus};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Connection, Row};

use crate::directory::rows::{flag, moment};
use crate::queries::time;
use crate::tokens::BELIEVED;
use crate::{State, StateError};

/// Selects runners as [`runner`] reads them. One whose key was revoked is as good as revoked.
macro_rules! select_runners {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.name, r.organization, r.owner_id, r.tags, r.public_key, r.key_id, r.hostname, r.version,
                r.status, r.registered_at, r.expires_at, r.connected_at, r.lost_at, coalesce(r.revoked_at, k.revoked_at)
                FROM runners r LEFT JOIN runner_keys k ON k.id = r.key_id ",
            $rest
        )
    };
}

/// Selects runner keys as [`key`] reads them.
macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, organization, owner_id, tags, one_time, runner_seconds, secret_sha256, created_at,
                expires_at, revoked_at, replaced_by, used_at FROM runner_keys ",
            $rest
        )
    };
}

pub(crate) const RUNNER: &str = select_runners!("WHERE r.id = $1");
pub(crate) const OF_PUBLIC_KEY: &str = select_runners!("WHERE r.public_key = $1");
pub(crate) const OF_KEY: &str = select_runners!("WHERE r.key_id = $1 ORDER BY r.id");
pub(crate) const KEY: &str = select_keys!("WHERE id = $1");
const RUNNERS: &str = select_runners!("ORDER BY r.id");
const KEYS: &str = select_keys!("ORDER BY id");

/// The runners in memory: all of them where this process alone folds them, and else what was read a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Runners {
    shared: bool,
    by_id: RwLock<HashMap<String, (Instant, Arc<RunnerRecord>)>>,
}

impl Runners {
    pub(crate) fn new(shared: bool) -> Self {
        Self { shared, by_id: RwLock::default() }
    }

    async fn find(&self, pool: &AnyPool, id: &str) -> Result<Option<Arc<RunnerRecord>>, StateError> {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        match known {
            Some((read, runner)) if !self.shared || read.elapsed() < BELIEVED => return Ok(Some(runner)),
            None if !self.shared => return Ok(None),
            _ => {}
        }
        let reading = Instant::now();
        let found = find(pool, RUNNER, id).await?.into_iter().next().map(Arc::new);
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(runner) => drop(by_id.insert(id.to_owned(), (reading, runner.clone()))),
            None => drop(by_id.remove(id)),
        }
        Ok(found)
    }

    /// Reads these again, after they or their keys were changed here.
    pub(crate) async fn refresh(&self, pool: &AnyPool, changed: &ChangedRunners) -> Result<(), StateError> {
        let of = changed.runners.iter().map(|id| (RUNNER, id)).chain(changed.keys.iter().map(|id| (OF_KEY, id)));
        for (statement, id) in of {
            let reading = Instant::now();
            let runners = find(pool, statement, id).await?;
            let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            by_id.extend(runners.into_iter().map(|runner| (runner.id.clone(), (reading, Arc::new(runner)))));
        }
        Ok(())
    }

    /// Reads all of them, at the start.
    pub(crate) async fn load(&self, pool: &AnyPool) -> Result<(), StateError> {
        let reading = Instant::now();
        let rows = sqlx::query(RUNNERS).fetch_all(pool).await?;
        let runners: Vec<RunnerRecord> = rows.iter().map(runner).collect::<Result<_, _>>()?;
        let by_id = runners.into_iter().map(|runner| (runner.id.clone(), (reading, Arc::new(runner)))).collect();
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = by_id;
        Ok(())
    }
}

/// Runners that events have changed, and keys whose runners they have.
#[derive(Debug, Default)]
pub(crate) struct ChangedRunners {
    pub(crate) runners: BTreeSet<String>,
    pub(crate) keys: BTreeSet<String>,
}

async fn find(pool: &AnyPool, statement: &'static str, of: &str) -> Result<Vec<RunnerRecord>, StateError> {
    let rows = sqlx::query(statement).bind(of.to_owned()).fetch_all(pool).await?;
    rows.iter().map(runner).collect()
}

impl State {
    /// A runner, as it was a moment ago.
    pub async fn runner(&self, id: &str) -> Result<Option<Arc<RunnerRecord>>, StateError> {
        self.runners.find(&self.pool, id).await
    }

    /// A runner as it is stored, not as it is believed.
    pub async fn stored_runner(&self, id: &str) -> Result<Option<RunnerRecord>, StateError> {
        Ok(find(&self.pool, RUNNER, id).await?.into_iter().next())
    }

    /// The runner that has this key pair.
    pub async fn runner_of_public_key(&self, public_key: &str) -> Result<Option<RunnerRecord>, StateError> {
        Ok(find(&self.pool, OF_PUBLIC_KEY, public_key).await?.into_iter().next())
    }

    /// Runners that were registered with a runner key.
    pub async fn runners_of_key(&self, key: &str) -> Result<Vec<RunnerRecord>, StateError> {
        find(&self.pool, OF_KEY, key).await
    }

    /// Every runner, by id.
    pub async fn all_runners(&self) -> Result<Vec<RunnerRecord>, StateError> {
        self.rows(sqlx::query(RUNNERS)).await?.iter().map(runner).collect()
    }

    /// A runner key.
    pub async fn runner_key(&self, id: &str) -> Result<Option<RunnerKeyRecord>, StateError> {
        self.rows(sqlx::query(KEY).bind(id.to_owned())).await?.first().map(key).transpose()
    }

    /// Every runner key, by id.
    pub async fn runner_keys(&self) -> Result<Vec<RunnerKeyRecord>, StateError> {
        self.rows(sqlx::query(KEYS)).await?.iter().map(key).collect()
    }

    /// Notes when runners and jobs were heard of: `runner/<id>`, `job/<id>`.
    pub async fn note_runner_beats(&self, beats: &BTreeMap<String, Timestamp>) -> Result<(), StateError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with(self.database.begin()).await?;
        for (id, seen_at) in beats {
            sqlx::query(
                "INSERT INTO runner_beats (id, seen_at) VALUES ($1, $2)
                    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at WHERE runner_beats.seen_at < excluded.seen_at",
            )
            .bind(id.clone())
            .bind(seen_at.as_micros())
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// When runners and jobs were last heard of, as far as nodes have noted it.
    pub async fn runner_beats(&self) -> Result<HashMap<String, Timestamp>, StateError> {
        let rows = self.rows(sqlx::query("SELECT id, seen_at FROM runner_beats")).await?;
        let read = |row: &AnyRow| -> Result<_, StateError> { Ok((row.try_get(0)?, time(row.try_get(1)?))) };
        rows.iter().map(read).collect()
    }

    /// Forgets beats and nonces of before then.
    pub async fn forget_runner_beats(&self, beats: Timestamp, nonces: Timestamp) -> Result<(), StateError> {
        for (statement, before) in [
            ("DELETE FROM runner_beats WHERE seen_at < $1", beats),
            ("DELETE FROM runner_nonces WHERE seen_at < $1", nonces),
        ] {
            sqlx::query(statement).bind(before.as_micros()).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Notes what a runner has signed with; false if it has before. For nodes that share their tables.
    pub async fn note_runner_nonce(&self, id: &str, now: Timestamp) -> Result<bool, StateError> {
        let noted = sqlx::query("INSERT INTO runner_nonces (id, seen_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(id.to_owned())
            .bind(now.as_micros())
            .execute(&self.pool)
            .await?;
        Ok(noted.rows_affected() > 0)
    }

    /// Whether other nodes share these tables.
    pub fn is_shared(&self) -> bool {
        self.shared
    }
}

fn tags(row: &AnyRow, table: &'static str) -> Result<BTreeMap<String, String>, StateError> {
    serde_json::from_str(row.try_get(4)?).map_err(|_| StateError::Row(table))
}

fn runner(row: &AnyRow) -> Result<RunnerRecord, StateError> {
    Ok(RunnerRecord {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        organization: row.try_get(2)?,
        owner_id: row.try_get(3)?,
        tags: tags(row, "runners")?,
        public_key: row.try_get(5)?,
        key_id: row.try_get(6)?,
        hostname: row.try_get(7)?,
        version: row.try_get(8)?,
        status: RunnerStatus::from_name(row.try_get(9)?).ok_or(StateError::Row("runners"))?,
        registered_at: time(row.try_get(10)?),
        expires_at: moment(row, 11)?,
        connected_at: moment(row, 12)?,
        lost_at: moment(row, 13)?,
        revoked_at: moment(row, 14)?,
    })
}

fn key(row: &AnyRow) -> Result<RunnerKeyRecord, StateError> {
    Ok(RunnerKeyRecord {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        organization: row.try_get(2)?,
        owner_id: row.try_get(3)?,
        tags: tags(row, "runner_keys")?,
        one_time: flag(row, 5)?,
        runner_seconds: row.try_get::<Option<i64>, _>(6)?.map(i64::cast_unsigned),
        secret_sha256: row.try_get(7)?,
        created_at: time(row.try_get(8)?),
        expires_at: moment(row, 9)?,
        revoked_at: moment(row, 10)?,
        replaced_by: row.try_get(11)?,
        used_at: moment(row, 12)?,
    })
}

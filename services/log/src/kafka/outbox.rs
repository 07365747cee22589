//! Decisions on their way to Kafka: stored in the transaction that locks their stream, published by the relay.

use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

use super::admission::find;
use super::record::Fingerprint;
use crate::{Appended, LogError};

/// What the relay listens to.
pub(crate) const CHANNEL: &str = "chancery_outbox";

/// What became of a decision.
pub(crate) enum Put {
    /// It will be published, with this version of its stream.
    Stored(u64),
    /// It was not stored.
    Refused(Appended),
}

/// Stores a decision in a transaction of its own.
pub(crate) async fn store(pool: &PgPool, event: &Sealed, expected: u64, now: Timestamp) -> Result<Put, LogError> {
    let mut transaction = pool.begin().await?;
    let put = put(&mut transaction, event, Some(expected), now).await?;
    transaction.commit().await?;
    Ok(put)
}

/// Stores a decision if its stream stands at `expected`, or anyway without. The stream is locked until the
/// transaction ends; no other is.
pub(crate) async fn put(
    connection: &mut PgConnection,
    event: &Sealed,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<Put, LogError> {
    let stream = Uuid::from_bytes(*event.stream());
    sqlx::query("INSERT INTO streams (stream, version) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(stream)
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query("SELECT version FROM streams WHERE stream = $1 FOR UPDATE")
        .bind(stream)
        .fetch_one(&mut *connection)
        .await?;
    let actual = row.try_get::<i64, _>(0)?.cast_unsigned();
    let fingerprint = Fingerprint::of(event);
    if let Some(known) = find(connection, std::iter::once(&fingerprint)).await?.into_values().next() {
        let position = known.position;
        let repeats = known.says(&fingerprint);
        return Ok(Put::Refused(if repeats {
            Appended::Duplicate { position }
        } else {
            Appended::Conflict { position }
        }));
    }
    let (identity, content, _) = fingerprint.uuids();
    // It may have been stored by an attempt of which nothing was heard any more.
    let stored = sqlx::query("SELECT id FROM outbox WHERE identity = $1").bind(identity);
    if stored.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(Put::Stored(actual));
    }
    if expected.is_some_and(|expected| expected != actual) {
        return Ok(Put::Refused(Appended::WrongVersion { actual }));
    }
    let version = actual + 1;
    sqlx::query("UPDATE streams SET version = $1 WHERE stream = $2")
        .bind(version.cast_signed())
        .bind(stream)
        .execute(&mut *connection)
        .await?;
    let key = event.stream_name().to_owned();
    let bytes = String::from_utf8(event.clone().stamp(now, version));
    sqlx::query("INSERT INTO outbox (stream, identity, content, event) VALUES ($1, $2, $3, $4)")
        .bind(key)
        .bind(identity)
        .bind(content)
        .bind(bytes.map_err(|error| LogError::Storage(error.to_string()))?)
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    Ok(Put::Stored(version))
}

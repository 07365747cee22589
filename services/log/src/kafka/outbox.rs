//! Decisions on their way to Kafka: stored in the transaction that locks their keys, published by the relay.
//!
//! A stream is a key like others; its version counts the events that were decided about it, and the version of another
//! key the decisions that touched it.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

use super::record::Fingerprint;
use crate::{Keys, LogError, Ticket};

/// What the relay listens to.
pub(crate) const CHANNEL: &str = "chancery_outbox";

/// What is known of keys, and the ids in the outbox of the decisions that touched them last.
pub(crate) async fn versions(pool: &PgPool, keys: &Keys) -> Result<(Vec<([u8; 16], u64)>, Vec<i64>), LogError> {
    let names: Vec<Uuid> = keys.iter().map(|key| Uuid::from_bytes(*key)).collect();
    let rows = sqlx::query("SELECT stream, version, decision FROM streams WHERE stream = ANY($1)")
        .bind(names)
        .fetch_all(pool)
        .await?;
    let mut versions: BTreeMap<[u8; 16], u64> = keys.iter().map(|key| (*key, 0)).collect();
    let mut decisions = Vec::new();
    for row in rows {
        versions.insert(row.try_get::<Uuid, _>(0)?.into_bytes(), row.try_get::<i64, _>(1)?.cast_unsigned());
        decisions.extend(row.try_get::<Option<i64>, _>(2)?);
    }
    Ok((versions.into_iter().collect(), decisions))
}

/// Whether any of these decisions is not yet published.
pub(crate) async fn waits(pool: &PgPool, decisions: &[i64]) -> Result<bool, LogError> {
    let row = sqlx::query("SELECT EXISTS (SELECT FROM outbox WHERE id = ANY($1))").bind(decisions).fetch_one(pool);
    Ok(row.await?.try_get(0)?)
}

/// Stores the events of a decision in a transaction of its own, unless its keys were touched since `ticket`. Whether
/// they are stored; `again` when an earlier attempt may have stored them.
pub(crate) async fn store(
    pool: &PgPool,
    events: &[Sealed],
    ticket: &Ticket,
    now: Timestamp,
    again: bool,
) -> Result<bool, LogError> {
    let mut transaction = pool.begin().await?;
    let streams = events.iter().map(|event| *event.stream());
    let names: BTreeSet<[u8; 16]> = ticket.seen().map(|(key, _)| *key).chain(streams).collect();
    let mut versions = lock(&mut transaction, &names).await?;
    if again && let Some(first) = events.first() {
        let stored = is_known(&mut transaction, first).await?;
        if stored {
            return Ok(true);
        }
    }
    if ticket.seen().any(|(key, seen)| versions.get(key).copied().unwrap_or_default() != seen) {
        return Ok(false);
    }
    let before = versions.clone();
    let last = insert(&mut transaction, events, &mut versions, now).await?;
    for (name, version) in &mut versions {
        if before.get(name) == Some(version) {
            *version += 1;
        }
    }
    advance(&mut transaction, &versions, last).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Stores one event that depends on nothing, unless it is stored or published already.
pub(crate) async fn put(connection: &mut PgConnection, event: &Sealed, now: Timestamp) -> Result<(), LogError> {
    let mut versions = lock(&mut *connection, &BTreeSet::from([*event.stream()])).await?;
    if is_known(&mut *connection, event).await? {
        return Ok(());
    }
    let last = insert(&mut *connection, std::slice::from_ref(event), &mut versions, now).await?;
    advance(connection, &versions, last).await
}

async fn is_known(connection: &mut PgConnection, event: &Sealed) -> Result<bool, LogError> {
    let (identity, ..) = Fingerprint::of(event).uuids();
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM identities WHERE identity = $1) OR EXISTS (SELECT FROM outbox WHERE identity = $1)",
    );
    Ok(row.bind(identity).fetch_one(connection).await?.try_get(0)?)
}

/// Locks keys until the transaction ends, always in the same order, so that no two wait for each other.
async fn lock(connection: &mut PgConnection, names: &BTreeSet<[u8; 16]>) -> Result<BTreeMap<[u8; 16], u64>, LogError> {
    let names: Vec<Uuid> = names.iter().map(|name| Uuid::from_bytes(*name)).collect();
    sqlx::query(
        "INSERT INTO streams (stream, version) SELECT name, 0 FROM unnest($1::uuid[]) name ORDER BY name
         ON CONFLICT DO NOTHING",
    )
    .bind(&names)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query("SELECT stream, version FROM streams WHERE stream = ANY($1) ORDER BY stream FOR UPDATE")
        .bind(&names)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<Uuid, _>(0)?.into_bytes(), row.try_get::<i64, _>(1)?.cast_unsigned())))
        .collect()
}

/// Puts events into the outbox in order, counting the versions of their streams; returns the last id.
async fn insert(
    connection: &mut PgConnection,
    events: &[Sealed],
    versions: &mut BTreeMap<[u8; 16], u64>,
    now: Timestamp,
) -> Result<i64, LogError> {
    let (mut streams, mut identities, mut contents, mut texts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for event in events {
        let version = versions.entry(*event.stream()).or_default();
        *version += 1;
        let (identity, content, _) = Fingerprint::of(event).uuids();
        streams.push(event.stream_name().to_owned());
        identities.push(identity);
        contents.push(content);
        let bytes = String::from_utf8(event.clone().stamp(now, *version));
        texts.push(bytes.map_err(|error| LogError::Storage(error.to_string()))?);
    }
    let rows = sqlx::query(
        "INSERT INTO outbox (stream, identity, content, event)
         SELECT stream, identity, content, event
         FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[]) WITH ORDINALITY
              AS e (stream, identity, content, event, number)
         ORDER BY number RETURNING id",
    )
    .bind(streams)
    .bind(identities)
    .bind(contents)
    .bind(texts)
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    let ids = rows.iter().map(|row| row.try_get::<i64, _>(0));
    Ok(ids.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or_default())
}

async fn advance(
    connection: &mut PgConnection,
    versions: &BTreeMap<[u8; 16], u64>,
    decision: i64,
) -> Result<(), LogError> {
    let names: Vec<Uuid> = versions.keys().map(|name| Uuid::from_bytes(*name)).collect();
    let numbers: Vec<i64> = versions.values().map(|version| version.cast_signed()).collect();
    sqlx::query(
        "UPDATE streams s SET version = v.version, decision = $3
         FROM unnest($1::uuid[], $2::bigint[]) AS v (stream, version) WHERE s.stream = v.stream",
    )
    .bind(names)
    .bind(numbers)
    .bind(decision)
    .execute(connection)
    .await?;
    Ok(())
}

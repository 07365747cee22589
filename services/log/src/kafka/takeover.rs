//! Taking over an embedded log: its events as they stand there, in their order, and where each of them stands here.

use std::collections::HashMap;

use chancery_domain::Event;
use chancery_evidence::Sealed;
use futures::future::try_join_all;
use uuid::Uuid;

use super::Inner;
use super::admission::find;
use super::record::Fingerprint;
use crate::{LogError, Position, Recorded};

struct Taken<'a> {
    recorded: &'a Recorded,
    event: Event,
    key: String,
    fingerprint: Fingerprint,
}

/// Sends what is not here yet, waits until all is admitted, and notes the mapping and the versions of streams.
pub(super) async fn take_over(log: &Inner, events: &[Recorded]) -> Result<Vec<(Recorded, Position)>, LogError> {
    let taken = events.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let known = known(log, &taken).await?;
    let missing = taken.iter().filter(|event| !known.contains_key(&event.fingerprint.uuids().0));
    let sent =
        missing.map(|event| log.observations.produce(&event.key, event.recorded.bytes.as_bytes(), &event.fingerprint));
    try_join_all(sent.collect::<Result<Vec<_>, _>>()?)
        .await
        .map_err(|_| LogError::Closed)?
        .into_iter()
        .try_for_each(|delivery| delivery.map(drop).map_err(|(error, _)| LogError::from(error)))?;
    let written = log.follower.reach_end().await?;
    log.admission.reach(&written).await?;
    let known = self::known(log, &taken).await?;
    let place = |event: &Taken<'_>| {
        known.get(&event.fingerprint.uuids().0).copied().ok_or_else(|| {
            LogError::Storage(format!("the event at position {} was sent and is not there", event.recorded.position))
        })
    };
    let places = taken.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    note(log, &taken, &places).await?;
    Ok(events.iter().cloned().zip(places).collect())
}

fn read(recorded: &Recorded) -> Result<Taken<'_>, LogError> {
    let unreadable = |reason: String| {
        LogError::Storage(format!("the event at position {} cannot be read: {reason}", recorded.position))
    };
    let event: Event = serde_json::from_str(&recorded.bytes).map_err(|error| unreadable(error.to_string()))?;
    let sealed = Sealed::new(&event).map_err(|error| unreadable(error.to_string()))?;
    let (key, fingerprint) = (sealed.stream_name().to_owned(), Fingerprint::of(&sealed));
    Ok(Taken { recorded, event, key, fingerprint })
}

async fn known(log: &Inner, taken: &[Taken<'_>]) -> Result<HashMap<Uuid, Position>, LogError> {
    let mut connection = log.pool.acquire().await?;
    let known = find(&mut connection, taken.iter().map(|event| &event.fingerprint)).await?;
    Ok(known.into_iter().map(|(identity, known)| (identity, known.position)).collect())
}

/// Decisions go on from the versions that the streams have reached.
async fn note(log: &Inner, taken: &[Taken<'_>], places: &[Position]) -> Result<(), LogError> {
    let mut transaction = log.pool.begin().await?;
    let originals: Vec<i64> = taken.iter().map(|event| event.recorded.position.cast_signed()).collect();
    let positions: Vec<i64> = places.iter().map(|position| position.cast_signed()).collect();
    sqlx::query(
        "INSERT INTO origins (original, position) SELECT * FROM unnest($1::bigint[], $2::bigint[])
         ON CONFLICT DO NOTHING",
    )
    .bind(originals)
    .bind(positions)
    .execute(&mut *transaction)
    .await?;
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    for event in taken {
        let stream = Uuid::from_bytes(chancery_evidence::stream_identity(&event.event.stream));
        let version = versions.entry(stream).or_default();
        *version = event.event.stream_version.cast_signed().max(*version);
    }
    let (streams, versions): (Vec<Uuid>, Vec<i64>) = versions.into_iter().unzip();
    sqlx::query(
        "INSERT INTO streams (stream, version) SELECT * FROM unnest($1::uuid[], $2::bigint[])
         ON CONFLICT (stream) DO UPDATE SET version = greatest(streams.version, excluded.version)",
    )
    .bind(streams)
    .bind(versions)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

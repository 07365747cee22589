//! Admission: which of the events that arrived in a partition are in the log.
//!
//! Each partition is read in order, and an event is admitted unless one with the same `(source, id)` was before: then
//! its place is refused and holds no event. One transaction stores the identities, the refusals and how far the
//! partition is admitted, and holds that partition's lock, so it does not matter which node admits, nor how many try.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chancery_domain::{Actor, ActorKind, Event, OWN_SOURCE, Resource};
use chancery_evidence::{Sealed, timeless_digest};
use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::follower::Follower;
use super::outbox;
use super::reader::Range;
use super::record::{Arrived, Fingerprint};
use crate::position::{partition, place, position};
use crate::rejection::rejection;
use crate::{Assignment, Clock, Frontier, LogError, Position};

/// Events of a partition admitted in one transaction.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
/// How long events gather before they are admitted: each time is a transaction.
const PACE: Duration = Duration::from_millis(3);
/// How often a node looks what others have admitted, while there is something to be admitted.
const LOOK: Duration = Duration::from_millis(15);
/// How long admission may lag before a node that waits for it does it itself.
const HELP: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(8);
/// Refused places kept in memory before those of older events are dropped.
const MANY_REFUSED: usize = 10_000;

/// Which event has an identity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) position: Position,
    content: Uuid,
    timeless: Option<Uuid>,
}

impl Known {
    /// Whether the same is said.
    pub(crate) fn says(&self, fingerprint: &Fingerprint) -> bool {
        let (_, content, timeless) = fingerprint.uuids();
        self.content == content || (timeless.is_some() && self.timeless == timeless)
    }
}

pub(crate) struct Admission {
    pool: PgPool,
    follower: Arc<Follower>,
    clock: Clock,
    admitted: watch::Sender<Frontier>,
    /// Refused places among those this node has seen arrive.
    refused: RwLock<BTreeSet<Position>>,
}

/// How far the partitions are admitted, as the database says.
pub(crate) async fn admitted(pool: &PgPool, partitions: u16) -> Result<Frontier, LogError> {
    let rows = sqlx::query("SELECT partition, place FROM partitions").fetch_all(pool).await?;
    let mut frontier = Frontier::start(partitions);
    for row in rows {
        let (partition, place): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        frontier.advance(position(partition.cast_unsigned(), place.cast_unsigned()));
    }
    Ok(frontier)
}

/// The events that have these identities.
pub(crate) async fn find(
    connection: &mut PgConnection,
    fingerprints: impl Iterator<Item = &Fingerprint>,
) -> Result<HashMap<Uuid, Known>, LogError> {
    let identities: Vec<Uuid> = fingerprints.map(|fingerprint| fingerprint.uuids().0).collect();
    let rows = sqlx::query("SELECT identity, content, timeless, position FROM identities WHERE identity = ANY($1)")
        .bind(identities)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let position = row.try_get::<i64, _>(3)?.cast_unsigned();
            Ok((row.try_get(0)?, Known { position, content: row.try_get(1)?, timeless: row.try_get(2)? }))
        })
        .collect()
}

impl Admission {
    pub(crate) fn new(pool: PgPool, follower: Arc<Follower>, clock: Clock, admitted: Frontier) -> Arc<Self> {
        let refused = RwLock::default();
        Arc::new(Self { pool, follower, clock, admitted: watch::Sender::new(admitted), refused })
    }

    /// How far the partitions are admitted, as this node knows.
    pub(crate) fn admitted(&self) -> watch::Receiver<Frontier> {
        self.admitted.subscribe()
    }

    /// Admits what arrives in the assigned partitions, and learns what others admit, until cancelled.
    pub(crate) async fn run(self: Arc<Self>, assignment: Option<Assignment>, cancel: CancellationToken) {
        let mut seen = self.follower.seen();
        while !cancel.is_cancelled() {
            let ahead = seen.borrow_and_update().clone();
            let assigned = assignment.as_ref().map(|assignment| assignment.borrow().clone()).unwrap_or_default();
            let waiting = ahead.ahead_of(&self.admitted.borrow()) > 0;
            let worked = if waiting { self.work(&assigned, &ahead).await } else { Ok(()) };
            if let Err(error) = &worked {
                tracing::warn!(%error, "admission failed, trying again");
                metrics::counter!("chancery_log_admission_failures_total").increment(1);
            }
            let pause = match worked {
                Err(_) => Duration::from_millis(500),
                Ok(()) if waiting => LOOK,
                Ok(()) => Duration::from_secs(1),
            };
            let behind = ahead.ahead_of(&self.admitted.borrow()) > 0;
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                // What arrives in partitions of others is looked for at intervals only.
                _ = seen.changed(), if worked.is_ok() && !behind => {}
            }
        }
    }

    async fn work(&self, assigned: &[u16], ahead: &Frontier) -> Result<(), LogError> {
        loop {
            let admitted = self.admitted.borrow().clone();
            let mine = ahead.positions().filter(|until| assigned.contains(&partition(*until)));
            let mine: Vec<Position> = mine.filter(|until| !admitted.includes(*until)).collect();
            if mine.is_empty() {
                break;
            }
            self.step(&mine).await?;
            tokio::time::sleep(PACE).await;
        }
        if !self.admitted.borrow().reaches(ahead) {
            self.refresh().await?;
        }
        Ok(())
    }

    /// Waits until everything up to `wanted` is admitted; does it if nobody else does.
    pub(crate) async fn reach(&self, wanted: &Frontier) -> Result<(), LogError> {
        let begun = Instant::now();
        let mut admitted = self.admitted();
        while !admitted.borrow_and_update().reaches(wanted) {
            if begun.elapsed() > PATIENCE {
                return Err(LogError::Unavailable("the newest events are not yet admitted".to_owned()));
            }
            if begun.elapsed() > HELP {
                let (known, seen) = (self.admitted.borrow().clone(), self.follower.seen().borrow().clone());
                let mut missing: Vec<Position> = wanted.positions().collect();
                missing.retain(|until| !known.includes(*until) && seen.includes(*until));
                self.step(&missing).await?;
            }
            if tokio::time::timeout(LOOK, admitted.wait_for(|admitted| admitted.reaches(wanted))).await.is_err() {
                self.refresh().await?;
            }
        }
        Ok(())
    }

    /// Learns what others have admitted and refused.
    pub(crate) async fn refresh(&self) -> Result<(), LogError> {
        let known = self.admitted.borrow().clone();
        let before: Vec<i64> = known.positions().map(u64::cast_signed).collect();
        // One statement, so that refusals and places are of one moment.
        let rows = sqlx::query(
            "SELECT p.partition, p.place,
                (SELECT array_agg(r.position) FROM refusals r
                 WHERE r.position > known AND r.position <= ((p.partition::bigint << 43) | p.place))
             FROM partitions p JOIN unnest($1::bigint[]) known ON (known >> 43) = p.partition
             WHERE ((p.partition::bigint << 43) | p.place) > known",
        )
        .bind(before)
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let (number, place): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
            let refused: Option<Vec<i64>> = row.try_get(2)?;
            let reached = position(number.cast_unsigned(), place.cast_unsigned());
            // What this node has not seen yet it cannot give to readers.
            let seen = self.follower.seen().borrow().of(partition(reached));
            self.advance(&[reached.min(seen)], refused.unwrap_or_default().into_iter().map(i64::cast_unsigned));
        }
        Ok(())
    }

    /// Makes known how far partitions are admitted, and what of them is refused.
    fn advance(&self, reached: &[Position], newly_refused: impl Iterator<Item = Position>) {
        {
            let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
            refused.extend(newly_refused);
            if refused.len() > MANY_REFUSED {
                // Of what is not in memory any more, the database tells.
                refused.retain(|position| self.follower.holds(*position));
            }
        }
        self.admitted.send_if_modified(|admitted| {
            let moves = reached.iter().any(|position| !admitted.includes(*position));
            for position in reached {
                admitted.advance(*position);
            }
            moves
        });
    }

    /// Admits the next events of some partitions, each up to a position, unless another node does at the same time.
    async fn step(&self, goals: &[Position]) -> Result<(), LogError> {
        let begun = Instant::now();
        let admitted = self.admitted.borrow().clone();
        let mut ranges = Vec::with_capacity(goals.len());
        for until in goals {
            let after = admitted.of(partition(*until));
            ranges.push((after, self.follower.read(after, *until, BATCH, BATCH_BYTES).await?.0));
        }
        let mut transaction = self.pool.begin().await?;
        // Always in the same order, so that no two nodes wait for each other.
        let rows = sqlx::query(
            "SELECT partition, place FROM partitions WHERE partition = ANY($1) ORDER BY partition FOR UPDATE",
        )
        .bind(goals.iter().map(|until| partition(*until).cast_signed()).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
        let mut actual = Frontier::start(admitted.partitions());
        for row in rows {
            actual.advance(position(
                row.try_get::<i16, _>(0)?.cast_unsigned(),
                row.try_get::<i64, _>(1)?.cast_unsigned(),
            ));
        }
        let wanted = ranges.len();
        ranges.retain(|(after, _)| actual.of(partition(*after)) == *after);
        let overtaken = ranges.len() < wanted;
        let (refused, ranges) = self.admit(&mut transaction, ranges).await?;
        transaction.commit().await?;
        metrics::histogram!("chancery_log_admission_seconds").record(begun.elapsed().as_secs_f64());
        metrics::counter!("chancery_log_refused_events_total").increment(refused.len() as u64);
        self.advance(&ranges, refused.into_iter());
        if overtaken { self.refresh().await } else { Ok(()) }
    }

    /// Stores what is admitted of ranges, and how far they reach; returns the refused places and the reached ones.
    async fn admit(
        &self,
        connection: &mut PgConnection,
        ranges: Vec<(Position, Range)>,
    ) -> Result<(Vec<Position>, Vec<Position>), LogError> {
        let reached: Vec<Position> = ranges.iter().map(|(_, range)| range.reached).collect();
        let events: Vec<Arrived> = ranges.into_iter().flat_map(|(_, range)| range.events).collect();
        let refused = self.store(&mut *connection, &events).await?;
        let refusals: BTreeSet<Position> = refused.iter().copied().collect();
        let admitted = events.iter().filter(|event| !refusals.contains(&event.position));
        let mut counts: HashMap<u16, i64> = HashMap::new();
        admitted.for_each(|event| *counts.entry(partition(event.position)).or_default() += 1);
        let numbers = reached.iter().map(|reached| partition(*reached));
        sqlx::query(
            "UPDATE partitions p SET place = r.place, events = p.events + r.events
             FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS r (partition, place, events)
             WHERE p.partition = r.partition",
        )
        .bind(numbers.clone().map(u16::cast_signed).collect::<Vec<_>>())
        .bind(reached.iter().map(|reached| place(*reached).cast_signed()).collect::<Vec<_>>())
        .bind(numbers.map(|number| counts.get(&number).copied().unwrap_or(0)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok((refused, reached))
    }

    /// Stores identities; returns the places of those that were taken.
    async fn store(&self, connection: &mut PgConnection, events: &[Arrived]) -> Result<Vec<Position>, LogError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let uuids = events.iter().map(|event| event.fingerprint.uuids());
        let (mut identities, mut contents, mut timeless) = (Vec::new(), Vec::new(), Vec::new());
        for (identity, content, without_time) in uuids {
            identities.push(identity);
            contents.push(content);
            timeless.push(without_time);
        }
        let positions: Vec<i64> = events.iter().map(|event| event.position.cast_signed()).collect();
        // In the order of identities, so that partitions admitted at once cannot lock each other out.
        let rows = sqlx::query(
            "INSERT INTO identities (identity, content, timeless, position)
             SELECT DISTINCT ON (identity) identity, content, timeless, position
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) AS e (identity, content, timeless, position)
             ORDER BY identity, position
             ON CONFLICT DO NOTHING RETURNING position",
        )
        .bind(identities)
        .bind(contents)
        .bind(timeless)
        .bind(positions)
        .fetch_all(&mut *connection)
        .await?;
        if rows.len() == events.len() {
            return Ok(Vec::new());
        }
        let taken = rows.iter().map(|row| Ok(row.try_get::<i64, _>(0)?.cast_unsigned()));
        let taken: BTreeSet<Position> = taken.collect::<Result<_, LogError>>()?;
        let refused: Vec<&Arrived> = events.iter().filter(|event| !taken.contains(&event.position)).collect();
        self.refuse(connection, &refused).await?;
        Ok(refused.into_iter().map(|event| event.position).collect())
    }

    /// Notes refused places, and puts it on record where other content came under a taken identity.
    async fn refuse(&self, connection: &mut PgConnection, refused: &[&Arrived]) -> Result<(), LogError> {
        let known = find(connection, refused.iter().map(|event| &event.fingerprint)).await?;
        for event in refused {
            let Some(original) = known.get(&event.fingerprint.uuids().0) else { continue };
            let conflict = !original.says(&event.fingerprint) && !self.says_the_same(original, event).await?;
            sqlx::query("INSERT INTO refusals (position, original, conflict) VALUES ($1, $2, $3)")
                .bind(event.position.cast_signed())
                .bind(original.position.cast_signed())
                .bind(conflict)
                .execute(&mut *connection)
                .await?;
            if conflict && let Some(record) = record(event, original.position)? {
                outbox::put(connection, &record, (self.clock)()).await?;
            }
        }
        Ok(())
    }

    /// An event without a time may repeat one that had one: only the events themselves tell.
    async fn says_the_same(&self, original: &Known, event: &Arrived) -> Result<bool, LogError> {
        let Some(timeless) = event.fingerprint.timeless else { return Ok(false) };
        let (range, _) = self.follower.read(original.position - 1, original.position, 1, usize::MAX).await?;
        let stored = range.events.first().and_then(|stored| serde_json::from_str::<Event>(&stored.bytes).ok());
        Ok(stored.and_then(|stored| timeless_digest(&stored).ok()).is_some_and(|stored| stored == timeless))
    }

    /// Refused places in a range that was still in memory.
    pub(crate) fn refused(&self, after: Position, until: Position) -> BTreeSet<Position> {
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner);
        refused.range(after + 1..=until).copied().collect()
    }

    /// Refused places in any range.
    pub(crate) async fn refused_before(
        &self,
        after: Position,
        until: Position,
    ) -> Result<BTreeSet<Position>, LogError> {
        let rows = sqlx::query("SELECT position FROM refusals WHERE position > $1 AND position <= $2")
            .bind(after.cast_signed())
            .bind(until.cast_signed())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get::<i64, _>(0)?.cast_unsigned())).collect()
    }
}

/// The event on record about a contradiction. Admitting it again would make the same one.
fn record(refused: &Arrived, original: Position) -> Result<Option<Sealed>, LogError> {
    let Ok(event) = serde_json::from_str::<Event>(&refused.bytes) else { return Ok(None) };
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &refused.position.to_be_bytes()).to_string();
    let actor = Actor { id: "chancery".to_owned(), kind: ActorKind::System, ..Actor::default() };
    let resource = Resource::new("event", &event.id);
    let record = Event::new("audit.event.rejected", id, OWN_SOURCE, event.recorded_at, actor, resource);
    let sealed = Sealed::new(&rejection(record, &event, original));
    sealed.map(Some).map_err(|error| LogError::Storage(error.to_string()))
}

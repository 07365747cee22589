//! The log in Apache Kafka, with a PostgreSQL database beside it.
//!
//! ```text
//! observations ──────────────► topic, N partitions ──► follower ──► admission ──► readers
//! decisions ──► outbox ──► relay ──┘ (one transaction a batch)   (first of its identity, or refused)
//! ```
//!
//! * [`producing`] appends observations: acknowledged when all in-sync replicas have them.
//! * [`outbox`] stores a decision in PostgreSQL under the lock of its stream; the [`relay`] publishes it exactly once.
//! * [`follower`] keeps the newest events of all partitions in this node's memory; [`reader`] reads older ones.
//! * [`admission`] decides which arrived events are in the log. Readers see those only.
//! * [`takeover`] takes events of an embedded log over as they are.
//! * [`membership`] divides partitions among nodes; [`leases`] choose one node; [`nodes`] knows who is there.

mod admission;
mod database;
mod follower;
mod leases;
mod membership;
mod nodes;
mod options;
mod outbox;
mod producing;
mod reader;
mod record;
mod relay;
mod takeover;
mod topic;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_evidence::Sealed;
use serde::Serialize;
use sqlx::{PgPool, Row};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::position::{partition, place};
use crate::{Appended, Assignment, Decided, Frontier, Keys, Log, LogError, Page, Position, Recorded, Ticket};
use admission::Admission;
use follower::Follower;
use leases::Leases;
pub use nodes::NodeStatus;
use nodes::Nodes;
pub use options::{KafkaLogOptions, Role};
use producing::Observations;
use reader::Ends;
use relay::Relay;

/// How long a decision may take to be published and admitted before the caller is told to look again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a decision is stored again, and how long it waits for it the first time.
const ATTEMPTS: u32 = 4;
const AGAIN: Duration = Duration::from_millis(50);
/// How often it is looked whether a decision is published, at first and at last.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LAST_LOOK: Duration = Duration::from_millis(50);
/// How long work that only one node may do stays with the node that did it last.
const LEAD: Duration = Duration::from_secs(90);

/// A partition, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: u16,
    /// Places this node has seen arrive.
    pub arrived: u64,
    /// Places that are admitted.
    pub admitted: u64,
}

/// The cluster, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// The partitions of the log.
    pub partitions: Vec<PartitionStatus>,
    /// Decisions that are not yet published.
    pub outbox: u64,
    /// The instance that publishes them.
    pub relay: Option<String>,
}

/// A log in Kafka.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    options: KafkaLogOptions,
    pool: PgPool,
    follower: Arc<Follower>,
    admission: Arc<Admission>,
    observations: Observations,
    leases: Leases,
    assignments: Mutex<HashMap<Role, Assignment>>,
    partitions: u16,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects, makes what is missing, and begins to do what the roles of this node say.
    pub(crate) async fn open(options: KafkaLogOptions) -> Result<Self, LogError> {
        let partitions = topic::ensure(&options).await?;
        let pool = database::open(&options).await?;
        database::bind(&pool, &options.topic, partitions).await?;
        let start = admission::admitted(&pool, partitions).await?;
        let ends = Ends::new(&options, partitions)?;
        let written = ends.written().await?;
        if !written.reaches(&start) {
            return Err(LogError::Open(format!(
                "the topic `{}` ends before what was admitted of it: it was made anew or has lost events",
                options.topic
            )));
        }
        let cancel = CancellationToken::new();
        let follower = Follower::start(&options, start.clone(), ends, cancel.clone())?;
        let admission = Admission::new(pool.clone(), follower.clone(), options.clock.clone(), start);
        let instance = Uuid::now_v7().to_string();
        let log = Self(Arc::new(Inner {
            observations: Observations::new(&options, pool.clone())?,
            leases: Leases::new(pool.clone(), instance.clone()),
            assignments: Mutex::default(),
            tasks: TaskTracker::new(),
            options,
            pool,
            follower,
            admission,
            partitions,
            cancel,
        }));
        log.work(instance)?;
        Ok(log)
    }

    fn work(&self, instance: String) -> Result<(), LogError> {
        let Inner { options, pool, admission, leases, cancel, tasks, .. } = &*self.0;
        let mut assignments = Vec::new();
        for role in [Role::Projector, Role::Archiver] {
            if options.roles.contains(&role) {
                assignments.push((role, self.assignment(role)?));
            }
        }
        let projecting = assignments.iter().find(|(role, _)| *role == Role::Projector);
        let projecting = projecting.map(|(_, assignment)| assignment.clone());
        tasks.spawn(admission.clone().run(projecting, cancel.clone()));
        if options.roles.contains(&Role::Relay) {
            tasks.spawn(Relay::new(options.clone(), pool.clone(), leases.clone()).run(cancel.clone()));
        }
        if !options.roles.is_empty() {
            let nodes = Nodes::new(pool.clone(), leases.clone(), options.clone(), instance, assignments);
            tasks.spawn(nodes.run(cancel.clone()));
        }
        Ok(())
    }

    pub(crate) async fn append(&self, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        self.0.observations.append(events).await
    }

    /// What is known of keys; waits until the decisions that touched them can be read.
    pub(crate) async fn consider(&self, keys: &Keys) -> Result<Ticket, LogError> {
        let (seen, decisions) = outbox::versions(&self.0.pool, keys).await?;
        let begun = Instant::now();
        let mut pause = FIRST_LOOK;
        while outbox::waits(&self.0.pool, &decisions).await? {
            if begun.elapsed() > PATIENCE {
                return Err(LogError::Unavailable("a decision before this one waits to be published".to_owned()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_LOOK);
        }
        Ok(Ticket::new(seen, self.barrier().await?))
    }

    pub(crate) async fn decide(&self, events: Vec<Sealed>, ticket: &Ticket) -> Result<Decided, LogError> {
        if events.is_empty() {
            return Ok(Decided::Appended(ticket.settled().clone()));
        }
        if !self.store(&events, ticket).await? {
            return Ok(Decided::Moved);
        }
        let reached = self.published(&events).await?;
        self.0.admission.reach(&reached).await?;
        Ok(Decided::Appended(reached))
    }

    /// Stores a decision; again if PostgreSQL went away, or the transaction met another.
    async fn store(&self, events: &[Sealed], ticket: &Ticket) -> Result<bool, LogError> {
        let now = (self.0.options.clock)();
        for attempt in 1..ATTEMPTS {
            match outbox::store(&self.0.pool, events, ticket, now, attempt > 1).await {
                Err(LogError::Unavailable(reason)) => {
                    tracing::debug!(reason, attempt, "storing a decision again");
                    tokio::time::sleep(AGAIN * attempt).await;
                }
                outcome => return outcome,
            }
        }
        outbox::store(&self.0.pool, events, ticket, now, true).await
    }

    /// Waits until the events of a decision are published and admitted, and says how far that is.
    async fn published(&self, events: &[Sealed]) -> Result<Frontier, LogError> {
        let identities: Vec<Uuid> = events.iter().map(|event| Uuid::from_bytes(*event.identity())).collect();
        let begun = Instant::now();
        let mut pause = FIRST_LOOK;
        while begun.elapsed() < PATIENCE {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_LOOK);
            // The last is published last; the others are looked for when it is there.
            let found = self.positions(&identities[identities.len() - 1..]).await?;
            if found.is_empty() {
                continue;
            }
            let found = if identities.len() == 1 { found } else { self.positions(&identities).await? };
            if found.len() == identities.len() {
                let mut reached = Frontier::start(self.0.partitions);
                for position in found {
                    reached.advance(position);
                }
                return Ok(reached);
            }
        }
        Err(LogError::Unavailable("the decision is stored and waits to be published".to_owned()))
    }

    async fn positions(&self, identities: &[Uuid]) -> Result<Vec<Position>, LogError> {
        let rows = sqlx::query("SELECT position FROM identities WHERE identity = ANY($1)")
            .bind(identities)
            .fetch_all(&self.0.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get::<i64, _>(0)?.cast_unsigned())).collect()
    }

    pub(crate) fn partitions(&self) -> u16 {
        self.0.partitions
    }

    pub(crate) fn heads(&self) -> Frontier {
        self.0.admission.admitted().borrow().clone()
    }

    pub(crate) async fn barrier(&self) -> Result<Frontier, LogError> {
        let written = self.0.follower.reach_end().await?;
        self.0.admission.reach(&written).await?;
        Ok(self.heads())
    }

    pub(crate) async fn wait_until(&self, condition: impl FnMut(&Frontier) -> bool) -> Frontier {
        let mut admitted = self.0.admission.admitted();
        let reached = admitted.wait_for(condition).await.map(|heads| heads.clone());
        match reached {
            Ok(heads) => heads,
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) async fn read(&self, after: Position, max_events: usize) -> Result<Page, LogError> {
        let head = self.heads().of(partition(after));
        if after >= head || max_events == 0 {
            return Ok(Page { after, events: Vec::new(), reached: after });
        }
        let (range, in_memory) = self.0.follower.read(after, head, max_events, Log::READ_BYTES).await?;
        let refused = if in_memory {
            self.0.admission.refused(after, range.reached)
        } else {
            self.0.admission.refused_before(after, range.reached).await?
        };
        Ok(Page { after, events: admitted(range.events, &refused), reached: range.reached })
    }

    pub(crate) fn assignment(&self, role: Role) -> Result<Assignment, LogError> {
        let mut assignments = self.0.assignments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(assignment) = assignments.get(&role) {
            return Ok(assignment.clone());
        }
        if !self.0.options.roles.contains(&role) {
            return Ok(watch::channel(Vec::new()).1);
        }
        let assignment = membership::join(&self.0.options, role, self.0.cancel.clone())?;
        assignments.insert(role, assignment.clone());
        Ok(assignment)
    }

    pub(crate) async fn leads(&self, work: &str) -> Result<bool, LogError> {
        self.0.leases.acquire(work, LEAD).await
    }

    /// Takes over events of another log, byte for byte, that are not here yet. Says where each stands here.
    pub async fn take_over(&self, events: &[Recorded]) -> Result<Vec<(Recorded, Position)>, LogError> {
        takeover::take_over(&self.0, events).await
    }

    /// Who is there, and how far the partitions are.
    pub async fn status(&self) -> Result<ClusterStatus, LogError> {
        let (arrived, admitted) = (self.0.follower.seen().borrow().clone(), self.heads());
        let outbox: i64 = sqlx::query("SELECT count(*) FROM outbox").fetch_one(&self.0.pool).await?.try_get(0)?;
        let relay = sqlx::query("SELECT owner FROM leases WHERE work = $1 AND until > now()")
            .bind(relay::WORK)
            .fetch_optional(&self.0.pool)
            .await?;
        Ok(ClusterStatus {
            nodes: nodes::all(&self.0.pool).await?,
            partitions: (0..self.0.partitions)
                .map(|partition| PartitionStatus {
                    partition,
                    arrived: place(arrived.of(partition)),
                    admitted: place(admitted.of(partition)),
                })
                .collect(),
            outbox: outbox.cast_unsigned(),
            relay: relay.map(|row| row.try_get(0)).transpose()?,
        })
    }

    /// Whether Kafka and PostgreSQL answer.
    pub async fn check(&self) -> Result<(), LogError> {
        sqlx::query("SELECT 1").execute(&self.0.pool).await?;
        self.0.follower.check().await
    }

    pub(crate) async fn close(&self) {
        self.0.observations.close().await;
        self.0.cancel.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.pool.close().await;
    }
}

fn admitted(arrived: Vec<record::Arrived>, refused: &BTreeSet<Position>) -> Vec<Recorded> {
    let kept = arrived.into_iter().filter(|event| !refused.contains(&event.position));
    kept.map(|event| Recorded { position: event.position, bytes: event.bytes }).collect()
}

#[cfg(test)]
mod tests;

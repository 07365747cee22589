//! Nodes: their heartbeats, and the events that say who joined, left and was lost.

use std::time::Duration;

use chancery_domain::events::nodes::Node;
use chancery_domain::{Actor, ActorKind, Event, OWN_SOURCE, Resource};
use chancery_evidence::Sealed;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row};
use tokio_util::sync::CancellationToken;

use super::leases::Leases;
use super::options::{KafkaLogOptions, Role};
use super::outbox;
use crate::{Assignment, LogError};

const BEAT: Duration = Duration::from_secs(1);
/// A node that was silent this long is lost, seconds.
const LOST_AFTER: f64 = 5.0;

/// A node, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// This run of its process.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub roles: Vec<String>,
    /// Where its API is reached.
    pub address: String,
    /// `up`, `left` or `lost`.
    pub status: String,
    /// The partitions it works on, by role.
    pub partitions: serde_json::Value,
    /// How long it has been silent, milliseconds.
    pub silent_ms: i64,
}

/// Keeps this node's row, and watches those of others.
pub(crate) struct Nodes {
    pool: PgPool,
    leases: Leases,
    options: KafkaLogOptions,
    instance: String,
    assignments: Vec<(Role, Assignment)>,
}

const COLUMNS: &str = "name, instance, version, roles, address, status, partitions,
    (extract(epoch FROM now() - seen_at) * 1000)::bigint AS silent";

fn status(row: &PgRow) -> Result<NodeStatus, LogError> {
    let roles: String = row.try_get(3)?;
    Ok(NodeStatus {
        name: row.try_get(0)?,
        instance: row.try_get(1)?,
        version: row.try_get(2)?,
        roles: roles.split(',').map(str::to_owned).collect(),
        address: row.try_get(4)?,
        status: row.try_get(5)?,
        partitions: serde_json::from_str(row.try_get(6)?).unwrap_or_default(),
        silent_ms: row.try_get(7)?,
    })
}

/// Every node there is or was in the last day.
pub(crate) async fn all(pool: &PgPool) -> Result<Vec<NodeStatus>, LogError> {
    let query = format!("SELECT {COLUMNS} FROM nodes WHERE seen_at > now() - interval '1 day' ORDER BY name");
    sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(pool).await?.iter().map(status).collect()
}

impl Nodes {
    pub(crate) fn new(
        pool: PgPool,
        leases: Leases,
        options: KafkaLogOptions,
        instance: String,
        assignments: Vec<(Role, Assignment)>,
    ) -> Self {
        Self { pool, leases, options, instance, assignments }
    }

    /// Joins, beats until cancelled, and leaves.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        loop {
            if let Err(error) = self.beat().await {
                tracing::debug!(%error, "a heartbeat failed");
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "this node's leaving is not on record");
        }
    }

    async fn beat(&self) -> Result<(), LogError> {
        let roles: Vec<&str> = self.options.roles.iter().map(|role| role.as_str()).collect();
        let partitions = self.assignments.iter().map(|(role, assigned)| (role.as_str(), assigned.borrow().clone()));
        let partitions = partitions.collect::<serde_json::Value>().to_string();
        let mut transaction = self.pool.begin().await?;
        let before = sqlx::query("SELECT instance, status FROM nodes WHERE name = $1 FOR UPDATE")
            .bind(&self.options.node)
            .fetch_optional(&mut *transaction)
            .await?;
        let was_up = match &before {
            Some(row) => row.try_get::<&str, _>(0)? == self.instance && row.try_get::<&str, _>(1)? == "up",
            None => false,
        };
        let query = format!(
            "INSERT INTO nodes (name, instance, version, roles, address, status, partitions)
             VALUES ($1, $2, $3, $4, $5, 'up', $6)
             ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, version = excluded.version,
                roles = excluded.roles, address = excluded.address, status = 'up', partitions = excluded.partitions,
                seen_at = now()
             RETURNING {COLUMNS}"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(&self.options.node)
            .bind(&self.instance)
            .bind(&self.options.version)
            .bind(roles.join(","))
            .bind(&self.options.address)
            .bind(partitions)
            .fetch_one(&mut *transaction)
            .await?;
        if !was_up {
            self.record(&mut transaction, "node.joined", &status(&row)?).await?;
        }
        transaction.commit().await?;
        if self.leases.acquire("nodes", BEAT * 3).await? {
            self.find_lost().await?;
        }
        Ok(())
    }

    async fn find_lost(&self) -> Result<(), LogError> {
        let mut transaction = self.pool.begin().await?;
        let query = format!(
            "UPDATE nodes SET status = 'lost'
             WHERE status = 'up' AND seen_at < now() - make_interval(secs => $1) RETURNING {COLUMNS}"
        );
        let lost = sqlx::query(sqlx::AssertSqlSafe(query)).bind(LOST_AFTER).fetch_all(&mut *transaction).await?;
        for row in &lost {
            let node = status(row)?;
            tracing::warn!(node = node.name, "a node is lost");
            self.record(&mut transaction, "node.lost", &node).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn leave(&self) -> Result<(), LogError> {
        let mut transaction = self.pool.begin().await?;
        let query = format!("UPDATE nodes SET status = 'left' WHERE name = $1 AND instance = $2 RETURNING {COLUMNS}");
        let left = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(&self.options.node)
            .bind(&self.instance)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = &left {
            self.record(&mut transaction, "node.left", &status(row)?).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn record(&self, connection: &mut PgConnection, name: &str, node: &NodeStatus) -> Result<(), LogError> {
        let actor = Actor { id: "chancery".to_owned(), kind: ActorKind::System, ..Actor::default() };
        let now = (self.options.clock)();
        let id = uuid::Uuid::now_v7().to_string();
        let mut event = Event::new(name, id, OWN_SOURCE, now, actor, Resource::new("node", &node.name));
        event.data = serde_json::json!(Node {
            address: node.address.clone(),
            instance: node.instance.clone(),
            roles: node.roles.clone(),
            version: node.version.clone(),
        });
        let sealed = Sealed::new(&event).map_err(|error| LogError::Storage(error.to_string()))?;
        outbox::put(connection, &sealed, now).await
    }
}

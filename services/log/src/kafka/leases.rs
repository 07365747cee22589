//! What only one process may do at a time: a lease in PostgreSQL, by the database's clock.

use std::time::Duration;

use sqlx::PgPool;

use crate::LogError;

/// Leases of one process.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    pool: PgPool,
    owner: String,
}

impl Leases {
    pub(crate) fn new(pool: PgPool, owner: String) -> Self {
        Self { pool, owner }
    }

    /// Takes the lease or renews it, for `time` from now; whether this process has it then.
    pub(crate) async fn acquire(&self, work: &str, time: Duration) -> Result<bool, LogError> {
        let taken = sqlx::query(
            "INSERT INTO leases (work, owner, until) VALUES ($1, $2, now() + make_interval(secs => $3))
             ON CONFLICT (work) DO UPDATE SET owner = excluded.owner, until = excluded.until
             WHERE leases.owner = excluded.owner OR leases.until < now()",
        )
        .bind(work)
        .bind(&self.owner)
        .bind(time.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Gives it back early.
    pub(crate) async fn release(&self, work: &str) -> Result<(), LogError> {
        sqlx::query("DELETE FROM leases WHERE work = $1 AND owner = $2")
            .bind(work)
            .bind(&self.owner)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

//! The PostgreSQL database beside the topic.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, PgPool, Row};

use super::options::KafkaLogOptions;
use crate::LogError;

/// Nodes of this version start also where a newer one has migrated: migrations only add what older ones can ignore.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations/log");
    migrations.set_ignore_missing(true);
    migrations
});

/// Longest to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connects, and brings the tables to this version.
pub(crate) async fn open(options: &KafkaLogOptions) -> Result<PgPool, LogError> {
    let failed = |error: &dyn std::fmt::Display| LogError::Open(format!("PostgreSQL: {error}"));
    let schema = options.schema.clone();
    let connect: PgConnectOptions = options.postgres.parse().map_err(|error: sqlx::Error| failed(&error))?;
    let connect = connect.application_name(&format!("chancery {}", options.node));
    let pool = PgPoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            // No statement waits for ever, neither for a lock nor for a client that went away inside a transaction.
            let settings = format!(
                "SET search_path = {schema}; SET statement_timeout = '10s'; SET lock_timeout = '5s';
                 SET idle_in_transaction_session_timeout = '5s'"
            );
            Box::pin(async move { connection.execute(AssertSqlSafe(settings)).await.map(drop) })
        })
        .connect_with(connect)
        .await
        .map_err(|error| failed(&error))?;
    // Two nodes that start at once would both find that there is no schema.
    let create = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(hashtext('chancery')); CREATE SCHEMA IF NOT EXISTS {}; COMMIT",
        options.schema
    );
    pool.execute(AssertSqlSafe(create)).await.map_err(|error| failed(&error))?;
    MIGRATIONS.run(&pool).await.map_err(|error| failed(&error))?;
    Ok(pool)
}

/// Notes which topic the tables are about, or finds out that they are about another.
pub(crate) async fn bind(pool: &PgPool, topic: &str, partitions: u16) -> Result<(), LogError> {
    sqlx::query("INSERT INTO topic (name, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(topic)
        .bind(partitions.cast_signed())
        .execute(pool)
        .await?;
    sqlx::query(
        "INSERT INTO partitions (partition) SELECT n FROM generate_series(0, $1::int - 1) n ON CONFLICT DO NOTHING",
    )
    .bind(i32::from(partitions))
    .execute(pool)
    .await?;
    let row = sqlx::query("SELECT name, partitions FROM topic").fetch_one(pool).await?;
    let (name, bound): (String, i16) = (row.try_get(0)?, row.try_get(1)?);
    if name != topic || bound.cast_unsigned() != partitions {
        return Err(LogError::Open(format!(
            "the database belongs to the topic `{name}` with {bound} partitions, not to `{topic}` with {partitions}: \
             streams would change their partitions, and order would be lost"
        )));
    }
    Ok(())
}

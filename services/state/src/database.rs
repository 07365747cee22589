//! Where the tables are: a SQLite file or a schema of a PostgreSQL database, through one driver and the same
//! statements.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Executor};

use crate::StateError;

/// Counts the ways in which events were ever folded into tables. It goes up with every version that folds what is in the
/// log already into other rows: that version folds the log into tables of its own, beside those that nodes of the version
/// before still use, and neither depends on what the other makes of an event.
pub const GENERATION: u32 = 2;

/// Every table that is folded from the log, with the columns that order its rows.
pub(crate) const PROJECTIONS: [(&str, &[&str]); 36] = [
    ("organizations", &["id"]),
    ("users", &["id"]),
    ("user_emails", &["user_id", "email_key"]),
    ("user_roles", &["user_id", "role", "organization"]),
    ("groups", &["id"]),
    ("group_members", &["group_id", "user_id"]),
    ("templates", &["id"]),
    ("template_versions", &["template_id", "id"]),
    ("template_access", &["template_id", "subject_kind", "subject_id", "permission"]),
    ("template_promotions", &["template_id"]),
    ("workspaces", &["id"]),
    ("sessions", &["id"]),
    ("session_grants", &["id"]),
    ("signing_keys", &["id"]),
    ("settings", &["section"]),
    ("tokens", &["id"]),
    ("connections", &["id"]),
    ("directory_resources", &["resource_type", "id"]),
    ("custom_roles", &["name"]),
    ("policies", &["id", "version"]),
    ("builds", &["workspace_id", "number"]),
    ("runner_keys", &["id"]),
    ("runners", &["id"]),
    ("build_reports", &["workspace_id", "number"]),
    ("workspace_states", &["workspace_id", "version"]),
    ("state_locks", &["workspace_id"]),
    ("quota_ledger", &["quota_id", "workspace_id"]),
    ("quota_usage", &["quota_id", "began_version"]),
    ("quota_caps", &["id"]),
    ("quota_budgets", &["id"]),
    ("quota_settings", &["organization"]),
    ("session_spans", &["position"]),
    ("membership_spans", &["position"]),
    ("allowance_changes", &["position"]),
    ("quota_denials", &["position"]),
    ("label_changes", &["position"]),
];

static ON_SQLITE: Migrator = sqlx::migrate!("../../migrations/state/sqlite");
/// Nodes of this version start also where a newer one has migrated: migrations only add what older ones can ignore.
static ON_POSTGRES: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations/state/postgres");
    migrations.set_ignore_missing(true);
    migrations
});

/// Longest to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where state is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A schema of a PostgreSQL database.
    Postgres {
        /// `postgres://…`, with TLS as its `sslmode` says.
        url: String,
        /// The schema, a plain name.
        schema: String,
        /// Most connections of this process.
        connections: u32,
    },
}

/// Without the URL, which may hold a password.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres { schema, .. } => f.debug_struct("Postgres").field("schema", schema).finish_non_exhaustive(),
        }
    }
}

impl Database {
    /// Opens or creates it and brings its tables to this version.
    pub(crate) async fn open(&self) -> Result<AnyPool, StateError> {
        sqlx::any::install_default_drivers();
        if let Self::Postgres { schema, .. } = self {
            // Two nodes that start at once would both find that there is none.
            let lock = "SELECT pg_advisory_xact_lock(hashtext('chancery'))";
            self.administer(format!("BEGIN; {lock}; CREATE SCHEMA IF NOT EXISTS {schema}; COMMIT")).await?;
        }
        let pool = self.connect().await?;
        let migrations = if self.is_postgres() { &*ON_POSTGRES } else { &ON_SQLITE };
        migrations.run(&pool).await?;
        Ok(pool)
    }

    async fn connect(&self) -> Result<AnyPool, StateError> {
        let session = self.session();
        let options = AnyPoolOptions::new()
            .max_connections(match self {
                Self::Sqlite(_) => 5,
                Self::Postgres { connections, .. } => *connections,
            })
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                let session = session.clone();
                Box::pin(async move { prepare(connection, &session).await })
            });
        Ok(options.connect(&self.url()).await?)
    }

    fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => {
                let path = path.as_os_str().to_string_lossy();
                format!("sqlite://{}?mode=rwc", utf8_percent_encode(&path, NON_ALPHANUMERIC))
            }
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// What every connection begins with.
    ///
    /// Commits to SQLite are not synced one by one: what a power cut takes is folded from the log again, and its
    /// write-ahead log keeps rows and position together. PostgreSQL must not wait for ever, neither for a lock nor
    /// for a client that went away inside a transaction.
    fn session(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => {
                ["journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 10000", "cache_size = -8192"]
                    .map(|pragma| format!("PRAGMA {pragma}"))
                    .to_vec()
            }
            Self::Postgres { schema, .. } => vec![
                format!("SET search_path = {schema}"),
                "SET statement_timeout = '30s'".to_owned(),
                "SET lock_timeout = '10s'".to_owned(),
                "SET idle_in_transaction_session_timeout = '60s'".to_owned(),
            ],
        }
    }

    /// The statement that begins a transaction that will write.
    pub(crate) fn begin(&self) -> &'static str {
        // SQLite cannot turn a reading transaction into a writing one while another writes.
        if self.is_postgres() { "BEGIN" } else { "BEGIN IMMEDIATE" }
    }

    /// The place beside this one where a rebuild happens.
    fn beside(&self) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(path.with_extension("rebuild.db")),
            Self::Postgres { url, schema, connections } => {
                Self::Postgres { url: url.clone(), schema: format!("{schema}_rebuild"), connections: *connections }
            }
        }
    }

    /// An empty place beside this one.
    pub(crate) async fn fresh(&self) -> Result<Self, StateError> {
        sqlx::any::install_default_drivers();
        let fresh = self.beside();
        fresh.remove().await?;
        Ok(fresh)
    }

    /// Puts the tables that were made in the fresh place where these are. Nobody may have either open.
    pub(crate) async fn renew(&self) -> Result<(), StateError> {
        match (self, self.beside()) {
            (Self::Postgres { schema, .. }, Self::Postgres { schema: fresh, .. }) => {
                let swap =
                    format!("BEGIN; DROP SCHEMA {schema} CASCADE; ALTER SCHEMA {fresh} RENAME TO {schema}; COMMIT");
                self.administer(swap).await
            }
            (Self::Sqlite(path), Self::Sqlite(fresh)) => {
                self.remove().await?;
                Ok(std::fs::rename(fresh, path)?)
            }
            _ => Ok(()),
        }
    }

    /// Removes the files of a state that the version before has left. Schemas stay: nodes of that version may use theirs.
    pub fn remove_older(&self) -> std::io::Result<()> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        let older = (2..GENERATION).map(|number| format!("state-{number}.db"));
        older.chain(["state.db".to_owned()]).try_for_each(|name| remove_files(&path.with_file_name(name)))
    }

    async fn remove(&self) -> Result<(), StateError> {
        match self {
            Self::Sqlite(path) => Ok(remove_files(path)?),
            Self::Postgres { schema, .. } => self.administer(format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await,
        }
    }

    async fn administer(&self, statements: String) -> Result<(), StateError> {
        let pool = AnyPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect(&self.url()).await?;
        pool.execute(AssertSqlSafe(statements)).await?;
        pool.close().await;
        Ok(())
    }
}

async fn prepare(connection: &mut AnyConnection, session: &[String]) -> Result<(), sqlx::Error> {
    for statement in session {
        connection.execute(AssertSqlSafe(statement.as_str())).await?;
    }
    Ok(())
}

fn remove_files(database: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(Path::new(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

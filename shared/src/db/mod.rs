//! Every SQL statement, one function each.
//!
//! A function is one statement and takes an executor; the caller owns the transaction. `find_` gives an
//! Option, `get_` errors when missing, `list_` pages, `claim_` takes, `mark_` is a guarded transition and
//! says when the job is no longer ours. Deliveries to apalis are pushed in [`queue`], nowhere else.

pub mod answering;
pub mod batcher;
pub mod evaluations;
pub mod events;
pub mod gallery;
pub mod generations;
pub mod idempotency;
pub mod indexes;
pub mod items;
pub mod jobs;
pub mod keys;
pub mod leader;
pub mod logs;
pub mod metrics;
pub mod models;
pub mod pausing;
pub mod pictures;
pub mod queue;
pub mod queues;
pub mod retention;
pub mod schedules;
pub mod taking;
pub mod trainings;
pub mod workers;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::DatabaseConfig;

pub use sqlx::postgres::PgListener;
pub use sqlx::{Error as ListenError, PgConnection, PgPool};

/// A transaction of our database.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// Channel that wakes readers of `job_events`.
pub const EVENTS_CHANNEL: &str = "job_events";
/// Channel that tells workers which job to stop; the payload is its id.
pub const CANCEL_CHANNEL: &str = "job_cancel";
/// Channel that tells workers which job to stop and give back; the payload is its id.
pub const PAUSE_CHANNEL: &str = "job_pause";

/// How long background work waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a statement did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Nothing of that name or id.
    #[error("there is no {what} \"{id}\"")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// How it was named.
        id: String,
    },
    /// Something of that name exists already, or something else depends on it.
    #[error("{0}")]
    Conflict(String),
    /// The database could not be reached or gave up; trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(sqlx::Error),
    /// Anything else: a bug, or a database that is not ours.
    #[error("database error: {0}")]
    Other(sqlx::Error),
    /// A stored value that this version does not know.
    #[error("the database holds an unknown value: {0}")]
    Unknown(#[from] crate::domain::UnknownValue),
    /// The queue refused a task.
    #[error("the queue refused a task: {0}")]
    Queue(String),
}

impl DbError {
    /// Whether the same statement may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether a statement waited for a lock longer than it may.
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03"))
    }

    /// Whether a statement was broken off on somebody's demand.
    pub fn is_interrupted(&self) -> bool {
        let (Self::Other(error) | Self::Unavailable(error)) = self else { return false };
        matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("57014"))
    }

    /// Whether a statement named a table that is not there any more.
    pub fn is_missing_table(&self) -> bool {
        let Self::Other(sqlx::Error::Database(error)) = self else { return false };
        // The second is what PostgreSQL says of a table that was dropped after its name was looked up.
        error.code().as_deref() == Some("42P01") || error.message().starts_with("could not open relation")
    }

    /// A thing that is not there.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            let conflict = match (database.code().as_deref(), database.constraint()) {
                (Some("23505"), Some("keys_name_key")) => Some("a key of that name exists already"),
                (Some("23505"), Some("indexes_name_key")) => Some("an index of that name exists already"),
                (Some("23505"), Some("schedules_name_key")) => Some("a schedule of that name exists already"),
                (Some("23503"), Some("generations_model_id_fkey")) => Some("an index uses this model"),
                _ => None,
            };
            if let Some(message) = conflict {
                return Self::Conflict(message.to_owned());
            }
            // Connection, resource and operator classes (PostgreSQL appendix A), deadlock, serialisation.
            let code = database.code().unwrap_or_default();
            let passing = ["08", "53", "57"].iter().any(|class| code.starts_with(class));
            if passing || matches!(&*code, "40P01" | "40001" | "55P03") {
                return Self::Unavailable(error);
            }
            return Self::Other(error);
        }
        let passing = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_)
        );
        if passing { Self::Unavailable(error) } else { Self::Other(error) }
    }
}

/// Opens a pool of connections.
///
/// # Errors
/// [`DbError::Unavailable`] when the database cannot be reached.
pub async fn connect(config: &DatabaseConfig) -> Result<PgPool, DbError> {
    open(config, config.max_connections, PATIENCE, &[("jit", "off")]).await
}

/// Opens a pool for a process that answers requests: what finds no connection within 3 seconds is better told
/// so than kept waiting.
///
/// # Errors
/// [`DbError::Unavailable`] when the database cannot be reached.
pub async fn connect_impatient(config: &DatabaseConfig) -> Result<PgPool, DbError> {
    open(config, config.max_connections, Duration::from_secs(3), &[("jit", "off")]).await
}

/// Opens a pool whose commits do not wait for the disk, for what may be lost in a crash of the database.
///
/// # Errors
/// [`DbError::Unavailable`] when the database cannot be reached.
pub async fn connect_relaxed(config: &DatabaseConfig, max_connections: u32) -> Result<PgPool, DbError> {
    open(config, max_connections, PATIENCE, &[("jit", "off"), ("synchronous_commit", "off")]).await
}

async fn open(
    config: &DatabaseConfig,
    connections: u32,
    patience: Duration,
    options: &[(&str, &str)],
) -> Result<PgPool, DbError> {
    let connect: PgConnectOptions = config.url.expose().parse::<PgConnectOptions>()?;
    let connect = connect.application_name("lookalike").options(options.iter().copied());
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .connect_with(connect)
        .await?;
    Ok(pool)
}

/// Begins a transaction, rolled back when dropped.
///
/// # Errors
/// [`DbError`].
pub async fn begin(pool: &PgPool) -> Result<Transaction, DbError> {
    Ok(pool.begin().await?)
}

/// Commits a transaction.
///
/// # Errors
/// [`DbError`]; whether it was committed is then not known when the connection broke.
pub async fn commit(tx: Transaction) -> Result<(), DbError> {
    Ok(tx.commit().await?)
}

/// Brings both schemas, ours and apalis', to this version. Safe to run from several processes at once.
///
/// # Errors
/// [`MigrateError::Newer`] when the database was made by a newer version.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    apalis_postgres::PostgresStorage::<()>::setup(pool)
        .await
        .map_err(|error| MigrateError::Queue(error.to_string()))?;
    match sqlx::migrate!("../migrations").run(pool).await {
        Ok(()) => Ok(()),
        Err(sqlx::migrate::MigrateError::VersionMissing(version)) => Err(MigrateError::Newer(version)),
        Err(error) => Err(MigrateError::Ours(error)),
    }
}

/// Why a database could not be brought to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It holds a migration that this version does not know.
    #[error(
        "the database holds migration {0}, made by a newer version of Lookalike; use that version or a backup"
    )]
    Newer(i64),
    /// A migration of ours failed.
    #[error("migration failed: {0}")]
    Ours(sqlx::migrate::MigrateError),
    /// A migration of the queue failed.
    #[error("migration of the queue failed: {0}")]
    Queue(String),
}

/// Whether every migration of this version is applied.
///
/// # Errors
/// [`DbError`] when the database cannot be asked.
pub async fn is_migrated(pool: &PgPool) -> Result<bool, DbError> {
    let newest = sqlx::migrate!("../migrations").iter().map(|migration| migration.version).max();
    let applied = sqlx::query_scalar!("select max(version) from _sqlx_migrations where success");
    Ok(applied.fetch_one(pool).await? >= newest)
}

/// The version of PostgreSQL.
///
/// # Errors
/// [`DbError`] when the database cannot be asked.
pub async fn server_version(pool: &PgPool) -> Result<String, DbError> {
    let version = sqlx::query_scalar!(r#"select current_setting('server_version') as "version!""#);
    Ok(version.fetch_one(pool).await?)
}

/// The size of the database in bytes.
///
/// # Errors
/// [`DbError`] when the database cannot be asked.
pub async fn size_bytes(pool: &PgPool) -> Result<i64, DbError> {
    let size = sqlx::query_scalar!(r#"select pg_database_size(current_database()) as "size!""#);
    Ok(size.fetch_one(pool).await?)
}

//! A migrated database per test.
//!
//! Migrations run once per schema version, into a template; every test gets a copy of it, which takes tens of
//! milliseconds, and drops it at its end.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

use super::server;
use crate::config::{DatabaseConfig, Secret};
use crate::db;

/// Serialises the making of templates: a number of our own.
const TEMPLATE_LOCK: i64 = 712_099;

/// A fresh database with the current schema, dropped with this value.
pub struct TestDatabase {
    /// A pool of up to ten connections to it.
    pub pool: PgPool,
    /// Its address, for programs that connect themselves.
    pub url: String,
    name: String,
    admin_url: String,
}

impl TestDatabase {
    /// Makes a database.
    ///
    /// # Panics
    /// When that fails; the message says why.
    pub async fn create() -> Self {
        Self::try_create().await.unwrap_or_else(|error| panic!("no database for this test: {error:#}"))
    }

    async fn try_create() -> Result<Self> {
        let admin_url = tokio::task::spawn_blocking(server::admin_url).await??;
        let template = ensure_template(&admin_url).await.context("cannot make the template database")?;
        let name = format!("lookalike_test_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&admin_url).await?;
        execute(&mut admin, format!("create database {name} template {template}")).await?;
        admin.close().await?;
        let url = url_of(&admin_url, &name)?;
        let pool = db::connect(&config(&url, 10)).await?;
        Ok(Self { pool, url, name, admin_url })
    }

    /// What a program needs to connect to it with at most `max_connections`.
    pub fn config(&self, max_connections: u32) -> DatabaseConfig {
        config(&self.url, max_connections)
    }

    /// Another pool on it, as another process would have.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn connect(&self, max_connections: u32) -> PgPool {
        db::connect(&self.config(max_connections)).await.expect("the database was just made")
    }
}

impl Drop for TestDatabase {
    /// Drops the database, whoever is still connected to it. A failure costs disk space, no test.
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        let url = self.admin_url.clone();
        let work = thread::spawn(move || -> Result<()> {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let mut admin = PgConnection::connect(&url).await?;
                execute(&mut admin, sql).await
            })
        });
        _ = work.join();
    }
}

/// Makes the template of this schema version unless it is there, and gives its name.
async fn ensure_template(admin_url: &str) -> Result<String> {
    let name = format!("lookalike_template_{}", schema_version());
    let mut admin = PgConnection::connect(admin_url).await?;
    if template_exists(&mut admin, &name).await? {
        return Ok(name);
    }
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await?;
    if !template_exists(&mut admin, &name).await? {
        let unfinished = format!("{name}_unfinished");
        execute(&mut admin, format!("drop database if exists {unfinished} with (force)")).await?;
        execute(&mut admin, format!("create database {unfinished}")).await?;
        migrate(&url_of(admin_url, &unfinished)?).await?;
        execute(&mut admin, format!("alter database {unfinished} rename to {name}")).await?;
    }
    admin.close().await?;
    Ok(name)
}

async fn template_exists(admin: &mut PgConnection, name: &str) -> Result<bool> {
    let exists = sqlx::query_scalar("select exists (select from pg_database where datname = $1)").bind(name);
    Ok(exists.fetch_one(admin).await?)
}

async fn migrate(url: &str) -> Result<()> {
    let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
    let pool = options.connect(url).await?;
    db::migrate(&pool).await?;
    pool.close().await;
    Ok(())
}

/// A name for the state of the schema: a hash of every migration, ours and the queue's.
fn schema_version() -> String {
    let mut hash = Sha256::new();
    let ours = sqlx::migrate!("../migrations");
    let theirs = apalis_postgres::PostgresStorage::<()>::migrations();
    for migration in ours.iter().chain(theirs.iter()) {
        hash.update(&migration.checksum);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn config(url: &str, max_connections: u32) -> DatabaseConfig {
    DatabaseConfig { url: Secret::new(url), max_connections }
}

fn url_of(admin_url: &str, database: &str) -> Result<String> {
    let mut url = Url::parse(admin_url).context("the address of the test server is no URL")?;
    url.set_path(database);
    Ok(url.into())
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<()> {
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

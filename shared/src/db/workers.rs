//! Workers: who they are, how busy their devices are.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;

/// A worker as it registers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// Its id, new at every start.
    pub id: Uuid,
    /// A name for people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i32,
    /// Version of the program.
    pub version: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// What the device calls itself.
    pub device_name: String,
    /// The inference engine.
    pub engine: String,
    /// The queues it takes jobs from.
    pub queues: Vec<String>,
}

/// A registered worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Its id.
    pub id: Uuid,
    /// A name for people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// `starting`, `ready`, `draining`, `stopped`; `lost` when it was not heard of for a while.
    pub state: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// What the device calls itself.
    pub device_name: String,
    /// The inference engine.
    pub engine: String,
    /// What runs each model that is loaded, most recently used last.
    pub engines: Value,
    /// The queues it takes jobs from.
    pub queues: Vec<String>,
    /// The jobs it runs: `[{"id", "kind"}]`.
    pub jobs: Value,
    /// How busy its device is.
    pub utilisation_percent: Option<f32>,
    /// Memory of the device in use.
    pub memory_used_bytes: Option<i64>,
    /// Memory of the device.
    pub memory_total_bytes: Option<i64>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen: DateTime<Utc>,
}

/// Registers a worker that starts.
///
/// # Errors
/// [`DbError`].
pub async fn insert_worker(db: impl PgExecutor<'_>, worker: &NewWorker) -> Result<(), DbError> {
    sqlx::query!(
        "insert into workers (id, name, host, pid, version, device, device_name, engine, queues, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'starting')",
        worker.id,
        worker.name,
        worker.host,
        worker.pid,
        worker.version,
        worker.device,
        worker.device_name,
        worker.engine,
        &worker.queues,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes a worker's state: `ready`, `draining`, `stopped`.
///
/// # Errors
/// [`DbError`].
pub async fn mark_worker(db: impl PgExecutor<'_>, id: Uuid, state: &str) -> Result<(), DbError> {
    sqlx::query!("update workers set state = $2, last_seen = now() where id = $1", id, state)
        .execute(db)
        .await?;
    Ok(())
}

/// Notes what runs the models that a worker has loaded; `engine` is that of the one used last.
///
/// # Errors
/// [`DbError`].
pub async fn mark_engines(
    db: impl PgExecutor<'_>,
    id: Uuid,
    engine: &str,
    engines: &Value,
) -> Result<(), DbError> {
    let mark =
        sqlx::query!("update workers set engine = $2, engines = $3 where id = $1", id, engine, engines);
    mark.execute(db).await?;
    Ok(())
}

/// What a worker of that version last ran a model with on a device of that name, having compared what can.
///
/// # Errors
/// [`DbError`].
pub async fn find_engine(
    db: impl PgExecutor<'_>,
    device_name: &str,
    version: &str,
    model: Uuid,
) -> Result<Option<Value>, DbError> {
    let row = sqlx::query_scalar!(
        r#"select e.value as "engine!"
           from workers w, jsonb_array_elements(w.engines) e
           where w.device_name = $1 and w.version = $2 and e.value ->> 'model' = $3::uuid::text
             and e.value ->> 'pictures_per_second' is not null
           order by w.started_at desc limit 1"#,
        device_name,
        version,
        model,
    );
    Ok(row.fetch_optional(db).await?)
}

/// How busy a device is at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceUse {
    /// 0 to 100.
    pub utilisation_percent: f32,
    /// Memory in use.
    pub memory_used_bytes: i64,
    /// All memory.
    pub memory_total_bytes: i64,
}

/// Notes that a worker is alive and how busy its device is.
///
/// # Errors
/// [`DbError`].
pub async fn insert_sample(db: impl PgExecutor<'_>, id: Uuid, sample: &DeviceUse) -> Result<(), DbError> {
    sqlx::query!(
        "with seen as (
             update workers set last_seen = now(), utilisation_percent = $2, memory_used_bytes = $3, memory_total_bytes = $4
             where id = $1 returning id
         )
         insert into worker_samples (worker_id, at, utilisation_percent, memory_used_bytes, memory_total_bytes)
         select id, now(), $2, $3, $4 from seen on conflict do nothing",
        id,
        sample.utilisation_percent,
        sample.memory_used_bytes,
        sample.memory_total_bytes,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Every worker heard of in the last day, those that live first.
///
/// # Errors
/// [`DbError`].
pub async fn list_workers(db: impl PgExecutor<'_>) -> Result<Vec<Worker>, DbError> {
    let rows = sqlx::query_as!(
        Worker,
        r#"select w.id, w.name, w.host, w.version, w.device, w.device_name, w.engine, w.engines, w.queues, w.utilisation_percent,
                  w.memory_used_bytes, w.memory_total_bytes, w.started_at, w.last_seen,
                  case when w.state <> 'stopped' and w.last_seen < now() - interval '15 seconds' then 'lost'
                       else w.state end as "state!",
                  coalesce(j.jobs, '[]') as "jobs!"
           from workers w
           left join (
               select worker_id, jsonb_agg(jsonb_build_object('id', id, 'kind', kind) order by id) as jobs
               from jobs where lease_expires_at is not null group by worker_id
           ) j on j.worker_id = w.id
           where w.last_seen > now() - interval '1 day'
           order by w.state in ('ready', 'starting', 'draining') and w.last_seen > now() - interval '15 seconds' desc,
                    w.started_at desc"#,
    );
    Ok(rows.fetch_all(db).await?)
}

/// A device at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSample {
    /// When.
    pub at: DateTime<Utc>,
    /// 0 to 100.
    pub utilisation_percent: f32,
    /// Memory in use.
    pub memory_used_bytes: i64,
    /// All memory.
    pub memory_total_bytes: i64,
}

/// A worker's samples since `since`, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_samples(
    db: impl PgExecutor<'_>,
    id: Uuid,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<WorkerSample>, DbError> {
    let rows = sqlx::query_as!(
        WorkerSample,
        "select at, utilisation_percent, memory_used_bytes, memory_total_bytes from worker_samples
         where worker_id = $1 and at > $2 order by at limit $3",
        id,
        since,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many workers are ready now.
///
/// # Errors
/// [`DbError`].
pub async fn count_ready(db: impl PgExecutor<'_>) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from workers where state = 'ready' and last_seen > now() - interval '15 seconds'"#
    );
    Ok(count.fetch_one(db).await?)
}

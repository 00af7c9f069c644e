//! Jobs as they are looked at. How they move is in [`super::queue`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::job::{JobFailure, JobId, JobKind, JobState, Progress, Queue};

/// A stored job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// The queue it waits in.
    pub queue: Queue,
    /// Where it stands.
    pub state: JobState,
    /// Why it stands there, when that is not plain.
    pub state_reason: Option<String>,
    /// Whether it is paused or, while it runs, about to be.
    pub paused: bool,
    /// Higher goes first.
    pub priority: i32,
    /// Its payload.
    pub params: Value,
    /// Free words.
    pub labels: Value,
    /// Attempts used up.
    pub attempt: i32,
    /// How many there may be.
    pub max_attempts: i32,
    /// How far it is.
    pub progress: Option<Progress>,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<JobFailure>,
    /// The worker of its last attempt.
    pub worker: Option<Uuid>,
    /// The name of the key that asked for it.
    pub created_by: Option<String>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// Not before this time.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When its first attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When its next attempt comes.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// As it is stored.
pub(super) struct Row {
    pub id: Uuid,
    pub kind: String,
    pub queue: String,
    pub state: String,
    pub state_reason: Option<String>,
    pub paused: bool,
    pub priority: i32,
    pub params: Value,
    pub labels: Value,
    pub attempt: i32,
    pub max_attempts: i32,
    pub progress: Option<Value>,
    pub result: Option<Value>,
    pub error_code: Option<String>,
    pub error_detail: Option<String>,
    pub worker_id: Option<Uuid>,
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub scheduled_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Job {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let error = row.error_code.map(|code| JobFailure::new(code, row.error_detail.unwrap_or_default()));
        Ok(Self {
            id: JobId(row.id),
            kind: row.kind.parse()?,
            queue: row.queue.parse()?,
            state: row.state.parse()?,
            state_reason: row.state_reason,
            paused: row.paused,
            priority: row.priority,
            params: row.params,
            labels: row.labels,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            progress: row.progress.and_then(|value| serde_json::from_value(value).ok()),
            result: row.result,
            error,
            worker: row.worker_id,
            created_by: row.created_by,
            created_at: row.created_at,
            scheduled_at: row.scheduled_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            next_attempt_at: row.next_attempt_at,
        })
    }
}

/// The job of that id.
///
/// # Errors
/// [`DbError`].
pub async fn find_job(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<Job>, DbError> {
    let row = sqlx::query_file_as!(Row, "queries/jobs/find.sql", &[id.0]);
    row.fetch_optional(db).await?.map(Job::try_from).transpose()
}

/// The jobs of these ids, in no order. Those that there are not are left out.
///
/// # Errors
/// [`DbError`].
pub async fn find_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<Job>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_file_as!(Row, "queries/jobs/find.sql", &ids);
    rows.fetch_all(db).await?.into_iter().map(Job::try_from).collect()
}

/// The job of that id.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn get_job(db: impl PgExecutor<'_>, id: JobId) -> Result<Job, DbError> {
    find_job(db, id).await?.ok_or_else(|| DbError::not_found("job", id))
}

/// What a list of jobs is narrowed to. Empty lists do not narrow.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only these kinds.
    pub kinds: Vec<JobKind>,
    /// Only these states.
    pub states: Vec<JobState>,
    /// Only these queues.
    pub queues: Vec<Queue>,
    /// Only jobs that carry all of these labels, a JSON object.
    pub labels: Option<Value>,
    /// Only jobs submitted since.
    pub since: Option<DateTime<Utc>>,
    /// Only jobs that are paused, or about to be; or only others.
    pub paused: Option<bool>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

/// The jobs that pass a filter, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_jobs(db: impl PgExecutor<'_>, filter: &JobFilter, limit: i64) -> Result<Vec<Job>, DbError> {
    let kinds: Vec<String> = filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let states: Vec<String> = filter.states.iter().map(|state| state.as_str().to_owned()).collect();
    let queues: Vec<String> = filter.queues.iter().map(|queue| queue.as_str().to_owned()).collect();
    let rows = sqlx::query_file_as!(
        Row,
        "queries/jobs/list.sql",
        &kinds,
        &states,
        &queues,
        filter.labels,
        filter.since,
        filter.paused,
        filter.before.map(|id| id.0),
        limit,
    );
    rows.fetch_all(db).await?.into_iter().map(Job::try_from).collect()
}

/// Where a job stands, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: JobState,
    /// Whether it is paused, or about to be.
    pub paused: bool,
}

/// How those of these jobs stand that exist.
///
/// # Errors
/// [`DbError`].
pub async fn list_standings(
    db: impl PgExecutor<'_>,
    ids: &[JobId],
) -> Result<Vec<(JobId, Standing)>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("select id, state, paused from jobs where id = any($1)", &ids);
    let rows = rows.fetch_all(db).await?;
    let standings = rows.into_iter().map(|row| {
        let standing = Standing { state: row.state.parse()?, paused: row.paused };
        Ok((JobId(row.id), standing))
    });
    standings.collect()
}

/// How many jobs there are of each kind in each state.
///
/// # Errors
/// [`DbError`].
pub async fn count_jobs(db: impl PgExecutor<'_>) -> Result<Vec<(String, String, i64)>, DbError> {
    let rows = sqlx::query!(
        r#"select kind, state, count(*) as "count!" from jobs group by kind, state order by 1, 2"#
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.kind, row.state, row.count)).collect())
}

/// Deletes jobs that have ended, with all that hangs on them and their deliveries. Gives the deleted ones.
///
/// # Errors
/// [`DbError`].
pub async fn delete_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_scalar!(
        "with gone as (
             delete from jobs where id in (
                 select id from jobs where id = any($1) and finished_at is not null order by id for update)
             returning id, delivery_id
         ),
         undelivered as (delete from apalis.jobs a using gone where a.id = gone.delivery_id)
         select id from gone",
        &ids,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(JobId).collect())
}

//! Queues: what waits in them, pause and resume, and samples over time.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::DbError;
use crate::domain::job::Queue;

/// How a queue stands.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// Whether it hands out no jobs.
    pub paused: bool,
    /// Jobs that wait for a worker; paused ones do not.
    pub depth: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs that wait for their back-off.
    pub retrying: i64,
    /// How long the oldest waiting job has waited, in seconds.
    pub oldest_age_seconds: Option<f64>,
    /// Jobs that ended well in the last minute.
    pub finished_per_minute: i64,
    /// Jobs that failed in the last minute.
    pub failed_per_minute: i64,
    /// Jobs submitted in the last minute.
    pub enqueued_per_minute: i64,
}

/// How every queue stands.
///
/// # Errors
/// [`DbError`].
pub async fn list_queues(db: impl PgExecutor<'_>) -> Result<Vec<QueueStatus>, DbError> {
    let rows = sqlx::query_file_as!(QueueStatus, "queries/queues/list.sql");
    Ok(rows.fetch_all(db).await?)
}

/// Pauses a queue: deliveries that wait are parked, and those that come are parked when claimed. Jobs that
/// run go on. False when it was paused already.
///
/// # Errors
/// [`DbError`].
pub async fn mark_paused(db: impl PgExecutor<'_>, queue: Queue) -> Result<bool, DbError> {
    let row = sqlx::query!(
        "with changed as (
             update queues set paused = true, paused_at = now() where name = $1 and not paused returning name
         ),
         parked as (
             update apalis.jobs a set run_at = a.run_at + interval '1000 years'
             from changed c
             where a.job_type = c.name and a.status in ('Pending', 'Failed') and a.run_at < now() + interval '500 years'
         )
         select name from changed",
        queue.as_str(),
    );
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Resumes a queue: parked deliveries come when their jobs are due, save those of jobs that are paused themselves. False when it was not paused.
///
/// # Errors
/// [`DbError`].
pub async fn mark_resumed(db: impl PgExecutor<'_>, queue: Queue) -> Result<bool, DbError> {
    let row = sqlx::query!(
        "with changed as (
             update queues set paused = false, paused_at = null where name = $1 and paused returning name
         ),
         back as (
             update apalis.jobs a set run_at = coalesce(j.next_attempt_at, j.scheduled_at, j.created_at)
             from changed c, jobs j
             where a.job_type = c.name and a.run_at > now() + interval '500 years' and j.delivery_id = a.id and not j.paused
         )
         select name from changed",
        queue.as_str(),
    );
    Ok(row.fetch_optional(db).await?.is_some())
}

/// A queue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSample {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub queue: String,
    /// Jobs that waited.
    pub depth: i32,
    /// Jobs that ran.
    pub running: i32,
    /// Jobs that ended well since the sample before.
    pub succeeded: i32,
    /// Jobs that failed since the sample before.
    pub failed: i32,
}

/// Takes a sample of every queue, the ends counted since `since`.
///
/// # Errors
/// [`DbError`].
pub async fn insert_samples(db: impl PgExecutor<'_>, since: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query!(
        "insert into queue_samples (queue, at, depth, running, succeeded, failed)
         select q.name, now(),
                (select count(*) from jobs j where j.queue = q.name and j.state = 'queued' and not j.paused and finished_at is null),
                (select count(*) from jobs j where j.queue = q.name and j.state in ('running', 'cancelling') and finished_at is null),
                coalesce(e.succeeded, 0), coalesce(e.failed, 0)
         from queues q
         left join (
             select queue, count(*) filter (where state = 'succeeded') as succeeded,
                    count(*) filter (where state = 'failed') as failed
             from jobs where finished_at > $1 group by queue
         ) e on e.queue = q.name
         on conflict do nothing",
        since,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The samples taken after `since`, oldest first; with `queue` also those of later queues at that very moment,
/// which is how a list goes on within one.
///
/// # Errors
/// [`DbError`].
pub async fn list_samples(
    db: impl PgExecutor<'_>,
    since: DateTime<Utc>,
    queue: Option<&str>,
    limit: i64,
) -> Result<Vec<QueueSample>, DbError> {
    let rows = sqlx::query_as!(
        QueueSample,
        "select at, queue, depth, running, succeeded, failed from queue_samples
         where at >= $1 and (at > $1 or queue > $2) order by at, queue limit $3",
        since,
        queue,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

//! The log of changes of jobs, from which clients follow them. Rows are written by triggers on `jobs`,
//! `job_metrics` and `job_steps`; ids grow in commit order, so a reader that follows `id > last` misses nothing.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::job::JobId;

/// A change of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number, larger than that of every change committed before.
    pub id: i64,
    /// The job.
    pub job_id: Uuid,
    /// What happened: `queued`, `started`, `progress`, `succeeded`, ...
    pub r#type: String,
    /// The job's kind.
    pub kind: String,
    /// The job's queue.
    pub queue: String,
    /// The job's state after the change.
    pub state: String,
    /// The job's attempt.
    pub attempt: i32,
    /// How far it is.
    pub progress: Option<Value>,
    /// What else belongs to the change: an error, a row of metrics.
    pub data: Option<Value>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// The changes after `after`, of one job or of all, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_events(
    db: impl PgExecutor<'_>,
    job: Option<JobId>,
    after: i64,
    limit: i64,
) -> Result<Vec<Event>, DbError> {
    let rows = sqlx::query_as!(
        Event,
        "select id, job_id, type, kind, queue, state, attempt, progress, data, at from job_events
         where id > $1 and ($2::uuid is null or job_id = $2) order by id limit $3",
        after,
        job.map(|id| id.0),
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// The ids of the oldest change kept and of the newest; zeros when there is none.
///
/// # Errors
/// [`DbError`].
pub async fn find_bounds(db: impl PgExecutor<'_>) -> Result<(i64, i64), DbError> {
    let row = sqlx::query!(
        r#"select coalesce(min(id), 0) as "oldest!", coalesce(max(id), 0) as "newest!" from job_events"#
    );
    let row = row.fetch_one(db).await?;
    Ok((row.oldest, row.newest))
}

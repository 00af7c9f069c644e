//! Pause and resume of single jobs.
//!
//! `jobs.paused` is what was asked for. A job that waits is paused at once: it is `queued`, and its delivery is parked
//! like those of a paused queue. A job that runs goes on until its attempt has noticed, and is given back then
//! ([`super::queue::mark_released`]). No statement starts a job that is paused.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::job::{JobId, JobState};

/// Pauses jobs that wait for a worker or a back-off, or run; the workers of running ones are told. Gives the state of
/// each job that changed: `queued` when it is paused, `running` while its attempt still has to stop.
///
/// # Errors
/// [`DbError`].
pub async fn pause_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<(JobId, JobState)>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_file!("queries/jobs/pause.sql", &ids).fetch_all(db).await?;
    rows.into_iter().map(|row| Ok((JobId(row.id), row.state.parse()?))).collect()
}

/// Lets paused jobs go on, in the place that they had in their queues; one that has not stopped yet stops and starts
/// anew. Gives the jobs that changed.
///
/// # Errors
/// [`DbError`].
pub async fn resume_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_file_scalar!("queries/jobs/resume.sql", &ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(JobId).collect())
}

//! What a job said while it ran, per attempt, bounded.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::DbError;
use crate::domain::job::JobId;

/// The most lines kept per attempt; what comes after is counted, not kept.
pub const MAX_LINES: usize = 1_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number, for paging.
    pub id: i64,
    /// The attempt that said it.
    pub attempt: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// What.
    pub message: String,
}

/// Appends a line, if the attempt still holds its job.
///
/// # Errors
/// [`DbError`].
pub async fn insert_line(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    level: &str,
    message: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into job_logs (job_id, attempt, at, level, message)
         select id, attempt, now(), $3, left($4, 4000) from jobs
         where id = $1 and fence = $2 and state in ('running', 'cancelling')",
        job.0,
        fence,
        level,
        message,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The lines after `after`, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_lines(
    db: impl PgExecutor<'_>,
    job: JobId,
    after: i64,
    limit: i64,
) -> Result<Vec<LogLine>, DbError> {
    let rows = sqlx::query_as!(
        LogLine,
        "select id, attempt, at, level, message from job_logs where job_id = $1 and id > $2 order by id limit $3",
        job.0,
        after,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

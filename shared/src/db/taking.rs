//! Taking many short jobs of a queue at once.

use std::time::Duration;

use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use super::queue::Attempt;
use crate::domain::job::{JobId, Queue};

/// Channel on which the queue tells of new deliveries; the payload is JSON that names their queue as `job_type`.
pub const DELIVERIES_CHANNEL: &str = "apalis::job::insert";

/// Takes the leases of up to `most` due jobs of a queue for `worker`, the most urgent first, in one statement. Their
/// deliveries are acknowledged with it: from then on the leases are what brings them back.
///
/// # Errors
/// [`DbError`]; nothing was taken then, or the leases of what was run out.
pub async fn take_jobs(
    db: impl PgExecutor<'_>,
    queue: Queue,
    most: usize,
    worker: Uuid,
    lease: Duration,
) -> Result<Vec<Attempt>, DbError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = sqlx::query_file!("queries/jobs/take.sql", queue.as_str(), most, worker, lease.as_secs_f64());
    let rows = rows.fetch_all(db).await?;
    let started = rows.into_iter().filter(|row| row.verdict == "started").map(|row| {
        Ok(Attempt {
            job_id: JobId(row.id),
            kind: row.kind.parse()?,
            params: row.params,
            number: row.attempt,
            last_stored: row.stored_attempt,
            max_attempts: row.max_attempts,
            fence: row.fence,
            timeout: Duration::from_secs(row.timeout_seconds.unsigned_abs().into()),
            created_at: row.created_at,
            checkpoint: row.checkpoint,
        })
    });
    started.collect()
}

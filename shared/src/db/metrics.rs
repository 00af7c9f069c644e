//! What a training job measured, one row per epoch.

use serde_json::Value;
use sqlx::PgExecutor;

use super::DbError;
use crate::domain::job::JobId;

/// Stores an epoch's row, if the attempt still holds its job; a repeated epoch replaces its row. False: not ours.
///
/// # Errors
/// [`DbError`].
pub async fn insert_epoch(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    epoch: i32,
    row: &Value,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into job_metrics (job_id, epoch, row)
         select id, $3, $4 from jobs where id = $1 and fence = $2 and state = 'running'
         on conflict (job_id, epoch) do update set row = excluded.row, at = now()",
        job.0,
        fence,
        epoch,
        row,
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// The rows of a job after an epoch, in order.
///
/// # Errors
/// [`DbError`].
pub async fn list_epochs(
    db: impl PgExecutor<'_>,
    job: JobId,
    after: i32,
    limit: i64,
) -> Result<Vec<(i32, Value)>, DbError> {
    let rows = sqlx::query!(
        "select epoch, row from job_metrics where job_id = $1 and epoch > $2 order by epoch limit $3",
        job.0,
        after,
        limit,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.epoch, row.row)).collect())
}

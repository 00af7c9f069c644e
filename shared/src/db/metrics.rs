//! What a training job measured: a row per epoch, and rows of single steps. Rows are free-form JSON.
//!
//! A run that goes on from a checkpoint does a part again: [`delete_after`] clears what was measured of it before. A run that
//! is being cancelled makes its last checkpoint, and what was measured until then belongs to it.

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
         select id, $3, $4 from jobs where id = $1 and fence = $2 and state in ('running', 'cancelling')
         on conflict (job_id, epoch) do update set row = excluded.row, at = now()",
        job.0,
        fence,
        epoch,
        row,
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Stores rows of steps, if the attempt still holds its job. What was stored of the first of these steps and later ones
/// is replaced. False: not ours.
///
/// # Errors
/// [`DbError`].
pub async fn insert_steps(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    rows: &[(i64, Value)],
) -> Result<bool, DbError> {
    let (steps, rows): (Vec<i64>, Vec<Value>) = rows.iter().cloned().unzip();
    let held = sqlx::query_scalar!(
        r#"with held as (
             select id from jobs where id = $1 and fence = $2 and state in ('running', 'cancelling')
         ),
         stale as (
             delete from job_steps s using held h
             where s.job_id = h.id and s.step > (select min(step) from unnest($3::bigint[]) as n (step))
               and s.step <> all($3)
         ),
         stored as (
             insert into job_steps (job_id, step, row)
             select h.id, n.step, n.row from held h, unnest($3::bigint[], $4::jsonb[]) as n (step, row)
             on conflict (job_id, step) do update set row = excluded.row, at = now()
         )
         select exists (select from held) as "held!""#,
        job.0,
        fence,
        &steps,
        &rows,
    );
    Ok(held.fetch_one(db).await?)
}

/// Deletes the rows of epochs after `epoch` and of steps after `step`, which are to be done again, if the attempt still
/// holds its job. False: not ours.
///
/// # Errors
/// [`DbError`].
pub async fn delete_after(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    epoch: i32,
    step: i64,
) -> Result<bool, DbError> {
    let held = sqlx::query_scalar!(
        r#"with held as (
             select id from jobs where id = $1 and fence = $2 and state in ('running', 'cancelling')
         ),
         epochs as (delete from job_metrics m using held h where m.job_id = h.id and m.epoch > $3),
         steps as (delete from job_steps s using held h where s.job_id = h.id and s.step > $4)
         select exists (select from held) as "held!""#,
        job.0,
        fence,
        epoch,
        step,
    );
    Ok(held.fetch_one(db).await?)
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

/// The rows of a job after a step, in order.
///
/// # Errors
/// [`DbError`].
pub async fn list_steps(
    db: impl PgExecutor<'_>,
    job: JobId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Value)>, DbError> {
    let rows = sqlx::query!(
        "select step, row from job_steps where job_id = $1 and step > $2 order by step limit $3",
        job.0,
        after,
        limit,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.step, row.row)).collect())
}

/// At most about `points` rows of a job's steps, evenly spread over the run, the newest among them.
///
/// # Errors
/// [`DbError`].
pub async fn sample_steps(
    db: impl PgExecutor<'_>,
    job: JobId,
    points: i64,
) -> Result<Vec<(i64, Value)>, DbError> {
    let rows = sqlx::query!(
        "select step, row from (
             select step, row, row_number() over (order by step desc) as number, count(*) over () as total
             from job_steps where job_id = $1
         ) s
         where (number - 1) % greatest(1, (total + $2 - 1) / $2) = 0
         order by step",
        job.0,
        points,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.step, row.row)).collect())
}

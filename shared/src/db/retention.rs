//! What is thrown away, and when. Everything is deleted in batches, so that no statement runs long.

use std::time::Duration;

use sqlx::PgExecutor;

use super::DbError;
use crate::config::Retention;

/// Rows deleted per statement.
const BATCH: i64 = 5_000;

/// Deletes one batch of what is older than `keep` allows; gives how many rows went. Call until it gives 0.
///
/// # Errors
/// [`DbError`].
pub async fn prune<'c, E: PgExecutor<'c> + Copy>(db: E, keep: &Retention) -> Result<u64, DbError> {
    let seconds = |duration: Duration| duration.as_secs_f64();
    let jobs = sqlx::query_scalar!(
        r#"with gone as (
             delete from jobs where id in (
                 select id from jobs
                 where finished_at < now() - make_interval(secs => case when kind = 'search' then $2::float8 else $1::float8 end)
                 limit $3 for update skip locked)
             returning delivery_id
         ),
         undelivered as (delete from apalis.jobs a using gone where a.id = gone.delivery_id)
         select count(*) as "count!" from gone"#,
        seconds(keep.jobs),
        seconds(keep.searches),
        BATCH,
    );
    let mut rows = jobs.fetch_one(db).await?.unsigned_abs();
    let events = sqlx::query!(
        "delete from job_events where id in (
             select id from job_events where at < now() - make_interval(secs => $1) limit $2)",
        seconds(keep.events),
        BATCH,
    );
    rows += events.execute(db).await?.rows_affected();
    let samples = sqlx::query_scalar!(
        r#"with queue as (delete from queue_samples where at < now() - make_interval(secs => $1) returning 1),
                worker as (delete from worker_samples where at < now() - make_interval(secs => $1) returning 1)
         select (select count(*) from queue) + (select count(*) from worker) as "count!""#,
        seconds(keep.samples),
    );
    rows += samples.fetch_one(db).await?.unsigned_abs();
    let rest = sqlx::query_scalar!(
        r#"with answers as (delete from idempotency_keys where created_at < now() - interval '24 hours' returning 1),
              ended as (delete from sessions where expires_at < now() returning 1),
              gone as (delete from workers where last_seen < now() - interval '7 days' returning 1),
              loops as (
                  delete from apalis.workers w
                  where w.last_seen < now() - interval '1 day'
                    and not exists (select from apalis.jobs j where j.lock_by = w.id)
                  returning 1)
         select (select count(*) from answers) + (select count(*) from ended) + (select count(*) from gone)
              + (select count(*) from loops) as "count!""#,
    );
    rows += rest.fetch_one(db).await?.unsigned_abs();
    Ok(rows)
}

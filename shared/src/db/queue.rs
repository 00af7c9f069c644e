//! How jobs enter the queue and move through it.
//!
//! `jobs` is the authority, apalis the carrier: its row has our id (as a ULID) and nothing else. Every start
//! counts up `fence`; every later write of that attempt is guarded by `(id, fence, running)`. Statements
//! that touch `apalis.jobs` do it for what apalis lacks: back-off, pause, cancel, and the recovery of jobs
//! whose worker was lost. A paused queue's deliveries are parked in the far future.

use std::time::Duration;

use apalis::prelude::{TaskBuilder, TaskId};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::DbError;
use super::jobs::{Job, Row};
use crate::domain::job::{JobFailure, JobId, JobKind, JobState, Progress, Queue};
use crate::jobs::{Payload, Submission};

/// Attempts that apalis may count; it counts hand-backs and orphans too, so the real bound is ours.
const DELIVERY_ATTEMPTS: usize = 1_000_000;

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Its kind, hence its queue.
    pub kind: JobKind,
    /// Its payload.
    pub params: Value,
    /// Priority, labels, attempts and time.
    pub submission: Submission,
    /// The key that asked for it.
    pub created_by: Option<Uuid>,
}

impl NewJob {
    /// A job of `payload`'s kind.
    pub fn new<P: Payload>(payload: &P, submission: Submission, created_by: Option<Uuid>) -> Self {
        let params = serde_json::to_value(payload).expect("a payload is plain data");
        Self { id: JobId::generate(), kind: P::KIND, params, submission, created_by }
    }
}

/// Enqueues jobs, the deliveries and ours, in the caller's transaction: a statement for each queue's deliveries and one for
/// the jobs, which it gives as they are stored, in no order. To be the transaction's last act: from here to the commit no
/// other change of a job is recorded.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn enqueue(tx: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Job>, DbError> {
    let now = Utc::now();
    for queue in Queue::ALL {
        let tasks: Vec<_> = jobs
            .iter()
            .filter(|job| job.kind.queue() == queue)
            .map(|job| {
                let body = serde_json::to_vec(&job.id).expect("an id is plain data");
                let due = job.submission.scheduled_at.unwrap_or(now).max(now);
                let due = u64::try_from(due.timestamp()).unwrap_or_default();
                TaskBuilder::new(body)
                    .task_id(TaskId::from_ulid(ulid::Ulid(job.id.0.as_u128())))
                    .priority(delivery_priority(job.submission.priority))
                    .max_attempts(DELIVERY_ATTEMPTS)
                    .run_at_timestamp(due)
                    .build()
            })
            .collect();
        if !tasks.is_empty() {
            let pushed = apalis_postgres::queries::push_tasks(&mut *tx, queue.as_str(), tasks).await;
            pushed.map_err(|error| DbError::Queue(error.to_string()))?;
        }
    }
    insert_jobs(tx, jobs, now).await
}

/// apalis knows no negative priorities, so ours (-100 to 100) are shifted; `jobs.priority + 100` in SQL.
fn delivery_priority(priority: i32) -> usize {
    usize::try_from(priority.saturating_add(100)).unwrap_or_default()
}

async fn insert_jobs(
    tx: &mut PgConnection,
    jobs: &[NewJob],
    now: DateTime<Utc>,
) -> Result<Vec<Job>, DbError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id.0).collect();
    let deliveries: Vec<String> = jobs.iter().map(|job| job.id.delivery_id()).collect();
    let kinds: Vec<String> = jobs.iter().map(|job| job.kind.as_str().to_owned()).collect();
    let queues: Vec<String> = jobs.iter().map(|job| job.kind.queue().as_str().to_owned()).collect();
    let states: Vec<String> = jobs
        .iter()
        .map(|job| match job.submission.scheduled_at {
            Some(due) if due > now => JobState::Scheduled.as_str().to_owned(),
            _ => JobState::Queued.as_str().to_owned(),
        })
        .collect();
    let priorities: Vec<i32> = jobs.iter().map(|job| job.submission.priority).collect();
    let params: Vec<Value> = jobs.iter().map(|job| job.params.clone()).collect();
    let labels: Vec<Value> = jobs.iter().map(|job| serde_json::json!(job.submission.labels)).collect();
    let attempts: Vec<i32> = jobs
        .iter()
        .map(|job| job.submission.max_attempts.unwrap_or(job.kind.default_max_attempts()))
        .collect();
    let timeouts: Vec<i32> = jobs.iter().map(|job| job.kind.timeout_seconds()).collect();
    let makers: Vec<Option<Uuid>> = jobs.iter().map(|job| job.created_by).collect();
    let times: Vec<Option<DateTime<Utc>>> = jobs.iter().map(|job| job.submission.scheduled_at).collect();
    let rows = sqlx::query_file_as!(
        Row,
        "queries/jobs/insert.sql",
        &ids,
        &deliveries,
        &kinds,
        &queues,
        &states,
        &priorities,
        &params,
        &labels,
        &attempts,
        &timeouts,
        &makers as &[Option<Uuid>],
        &times as &[Option<DateTime<Utc>>],
    );
    rows.fetch_all(tx).await?.into_iter().map(Job::try_from).collect()
}

/// A started attempt: what it is to do, and the token that guards its writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The job.
    pub job_id: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// Its payload.
    pub params: Value,
    /// Which attempt this is, from 1.
    pub number: i32,
    /// The last attempt before this one that stored what a later one goes on from; 0: none did.
    pub last_stored: i32,
    /// How many there may be.
    pub max_attempts: i32,
    /// The fencing token.
    pub fence: i64,
    /// How long it may take.
    pub timeout: Duration,
    /// When the job was submitted.
    pub created_at: DateTime<Utc>,
    /// What an earlier attempt left to go on from.
    pub checkpoint: Option<Value>,
}

/// What became of a job that was delivered.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// It is ours: run it.
    Started(Attempt),
    /// It needs nothing more: it is done, was cancelled, has no attempts left, or is gone.
    Settled(JobId),
    /// Not now: deliver it again at this time. Another worker holds it, its time has not come, or it or
    /// its queue is paused.
    Later(JobId, DateTime<Utc>),
}

/// Where the deliveries of paused jobs and queues are parked: seconds to add to now, about a thousand years.
const PARKED_SECONDS: i64 = 31_557_600_000;

/// Takes the leases of delivered jobs for `worker`, in one statement for any number of them.
///
/// # Errors
/// [`DbError`]; nothing was taken then.
pub async fn claim_jobs(
    db: impl PgExecutor<'_>,
    ids: &[JobId],
    worker: Uuid,
    lease: Duration,
) -> Result<Vec<Claim>, DbError> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_file!("queries/jobs/claim.sql", &wanted, worker, lease.as_secs_f64());
    let rows = rows.fetch_all(db).await?;
    let now = Utc::now();
    let mut claims = Vec::with_capacity(ids.len());
    for row in &rows {
        let id = JobId(row.id);
        claims.push(match row.verdict.as_str() {
            "held" => Claim::Later(id, now + Duration::from_secs(2)),
            "early" => Claim::Later(id, row.due.unwrap_or(now)),
            "paused" => Claim::Later(id, now + chrono::Duration::seconds(PARKED_SECONDS)),
            "started" => Claim::Started(Attempt {
                job_id: id,
                kind: row.kind.as_deref().unwrap_or_default().parse()?,
                params: row.params.clone().unwrap_or_default(),
                number: row.attempt.unwrap_or_default(),
                last_stored: row.stored_attempt.unwrap_or_default(),
                max_attempts: row.max_attempts.unwrap_or_default(),
                fence: row.fence.unwrap_or_default(),
                timeout: Duration::from_secs(row.timeout_seconds.unwrap_or_default().unsigned_abs().into()),
                created_at: row.created_at.unwrap_or(now),
                checkpoint: row.checkpoint.clone(),
            }),
            _ => Claim::Settled(id),
        });
    }
    let gone = ids.iter().filter(|id| !rows.iter().any(|row| row.id == id.0));
    claims.extend(gone.map(|id| Claim::Settled(*id)));
    Ok(claims)
}

/// Sets when deliveries come again. apalis takes up a failed task once its `run_at` has passed.
///
/// # Errors
/// [`DbError`].
pub async fn defer_deliveries(
    db: impl PgExecutor<'_>,
    deliveries: &[(JobId, DateTime<Utc>)],
) -> Result<(), DbError> {
    let ids: Vec<String> = deliveries.iter().map(|(id, _)| id.delivery_id()).collect();
    let times: Vec<DateTime<Utc>> = deliveries.iter().map(|(_, at)| *at).collect();
    sqlx::query!(
        "update apalis.jobs a set run_at = d.at
         from unnest($1::text[], $2::timestamptz[]) as d (id, at) where a.id = d.id",
        &ids,
        &times,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether an attempt still holds its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Yes: go on.
    Held,
    /// Yes, but it was asked to stop for good.
    Cancelling,
    /// Yes, but it is to stop and to be given back.
    Pausing,
    /// No: another attempt, or nobody, has the job. Store nothing more.
    Lost,
}

impl Hold {
    fn of(state: &str, paused: bool) -> Self {
        match state {
            "running" if paused => Self::Pausing,
            "running" => Self::Held,
            _ => Self::Cancelling,
        }
    }
}

/// Stores how far an attempt is, and what a later one would go on from, if it still holds its job.
///
/// # Errors
/// [`DbError`].
pub async fn mark_progress(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    progress: &Progress,
    checkpoint: Option<&Value>,
) -> Result<Hold, DbError> {
    let value = serde_json::json!(progress);
    let row = sqlx::query!(
        "update jobs set progress = $3, checkpoint = coalesce($4, checkpoint), updated_at = now(),
             stored_attempt = case when checkpoint is distinct from coalesce($4, checkpoint) then attempt else stored_attempt end
         where id = $1 and fence = $2 and state in ('running', 'cancelling') returning state, paused",
        job.0,
        fence,
        value,
        checkpoint,
    );
    Ok(row.fetch_optional(db).await?.map_or(Hold::Lost, |row| Hold::of(&row.state, row.paused)))
}

/// Renews the leases of everything a worker runs, and says how each job stands; what is not in the answer is
/// lost.
///
/// # Errors
/// [`DbError`].
pub async fn renew_leases(
    db: impl PgExecutor<'_>,
    attempts: &[(JobId, i64)],
    lease: Duration,
) -> Result<Vec<(JobId, Hold)>, DbError> {
    let ids: Vec<Uuid> = attempts.iter().map(|(id, _)| id.0).collect();
    let fences: Vec<i64> = attempts.iter().map(|(_, fence)| *fence).collect();
    let rows = sqlx::query!(
        "with held as (
             select j.id from jobs j join unnest($1::uuid[], $2::bigint[]) as h (id, fence) on h.id = j.id
             where j.fence = h.fence and j.state in ('running', 'cancelling')
             order by j.id for update of j
         )
         update jobs j set lease_expires_at = now() + make_interval(secs => $3)
         from held h where j.id = h.id
         returning j.id, j.state, j.paused",
        &ids,
        &fences,
        lease.as_secs_f64(),
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (JobId(row.id), Hold::of(&row.state, row.paused))).collect())
}

/// How an attempt ended for good.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With a result.
    Succeeded(Value),
    /// Without one.
    Failed(JobFailure),
    /// Because it was asked to stop.
    Cancelled,
}

/// An attempt's end, to be stored by [`finish_jobs`].
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The job.
    pub job_id: JobId,
    /// The fencing token of the attempt.
    pub fence: i64,
    /// How it ended.
    pub ending: Ending,
}

/// Ends attempts in one statement, those that still hold their jobs; gives the state each job ended in.
///
/// # Errors
/// [`DbError`]; nothing was stored then.
pub async fn finish_jobs(
    db: impl PgExecutor<'_>,
    finishes: &[Finish],
) -> Result<Vec<(JobId, JobState)>, DbError> {
    let mut ids = Vec::new();
    let mut fences = Vec::new();
    let mut states = Vec::new();
    let mut results: Vec<Option<Value>> = Vec::new();
    let mut codes: Vec<Option<String>> = Vec::new();
    let mut details: Vec<Option<String>> = Vec::new();
    for finish in finishes {
        ids.push(finish.job_id.0);
        fences.push(finish.fence);
        let (state, result, failure) = match &finish.ending {
            Ending::Succeeded(result) => (JobState::Succeeded, Some(result.clone()), None),
            Ending::Failed(failure) => (JobState::Failed, None, Some(failure.clone())),
            Ending::Cancelled => (JobState::Cancelled, None, None),
        };
        states.push(state.as_str().to_owned());
        results.push(result);
        codes.push(failure.as_ref().map(|failure| failure.code.clone()));
        details.push(failure.map(|failure| failure.detail));
    }
    let rows = sqlx::query_file!(
        "queries/jobs/finish.sql",
        &ids,
        &fences,
        &states,
        &results as &[Option<Value>],
        &codes as &[Option<String>],
        &details as &[Option<String>],
    );
    let rows = rows.fetch_all(db).await?;
    rows.into_iter().map(|row| Ok((JobId(row.id), row.state.parse()?))).collect()
}

/// Puts a failed attempt's job to wait for its back-off, together with its delivery; one that was to be paused is
/// paused. An attempt that is not to be used up is not counted. False: not ours.
///
/// # Errors
/// [`DbError`].
pub async fn mark_retrying(
    db: impl PgExecutor<'_>,
    job: JobId,
    fence: i64,
    failure: &JobFailure,
    at: DateTime<Utc>,
    use_up: bool,
) -> Result<bool, DbError> {
    let row = sqlx::query!(
        "with changed as (
             update jobs set state = case when paused then 'queued' else 'retrying' end,
                 state_reason = case when paused then 'paused' else $4 end, error_code = $3, error_detail = $4,
                 attempt = attempt - case when $6::bool then 0 else 1 end,
                 next_attempt_at = case when not paused then $5::timestamptz end, lease_expires_at = null, updated_at = now()
             where id = $1 and fence = $2 and state = 'running' returning delivery_id, paused
         )
         update apalis.jobs a
         set run_at = case when c.paused then now() + interval '1000 years' else $5 end,
             status = case a.status when 'Done' then 'Pending' else a.status end
         from changed c where a.id = c.delivery_id returning a.id",
        job.0,
        fence,
        failure.code,
        failure.detail,
        at,
        use_up,
    );
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Gives a running job back without using up its attempt, as a worker that stops gracefully does, and the attempt of a
/// job that is to be paused. False: not ours.
///
/// # Errors
/// [`DbError`].
pub async fn mark_released(db: impl PgExecutor<'_>, job: JobId, fence: i64) -> Result<bool, DbError> {
    let row = sqlx::query!(
        "with changed as (
             update jobs set state = 'queued', state_reason = case when paused then 'paused' else 'its worker stopped' end,
                 attempt = attempt - 1, lease_expires_at = null, updated_at = now()
             where id = $1 and fence = $2 and state = 'running' returning delivery_id, paused
         )
         update apalis.jobs a
         set run_at = case when c.paused then now() + interval '1000 years' else now() end,
             status = case a.status when 'Done' then 'Pending' else a.status end
         from changed c where a.id = c.delivery_id returning a.id",
        job.0,
        fence,
    );
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Cancels jobs: those that wait at once, with their deliveries; those that run become `cancelling` and
/// their workers are told. Gives the new state of each job that changed.
///
/// `w` locks the rows in order; what is set depends on `j` alone: PostgreSQL checks constraints on the row as the
/// statement first saw it, before it finds that another session has changed it meanwhile, and sets it anew.
///
/// # Errors
/// [`DbError`].
pub async fn cancel_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<(JobId, JobState)>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"with changed as (
             update jobs j
             set state = case when j.state = 'running' then 'cancelling' else 'cancelled' end,
                 state_reason = null, paused = false, next_attempt_at = null, updated_at = now(),
                 finished_at = case when j.state = 'running' then null else now() end
             from (select id from jobs where id = any($1) order by id for update) w
             where j.id = w.id and j.state in ('scheduled', 'queued', 'running', 'retrying')
             returning j.id, j.delivery_id, j.state
         ),
         undelivered as (
             update apalis.jobs a set status = 'Killed', done_at = now()
             from changed c
             where a.id = c.delivery_id and c.state = 'cancelled' and a.status in ('Pending', 'Failed')
             returning a.id
         ),
         told as (
             select pg_notify('job_cancel', id::text) from changed where state = 'cancelling'
         )
         select c.id, c.state, (select count(*) from told) as "told!", (select count(*) from undelivered) as "undelivered!"
         from changed c"#,
        &ids,
    );
    let rows = rows.fetch_all(db).await?;
    rows.into_iter().map(|row| Ok((JobId(row.id), row.state.parse()?))).collect()
}

/// Sends failed and cancelled jobs back to their queues, with at least one attempt left. Gives those that
/// changed.
///
/// # Errors
/// [`DbError`].
pub async fn retry_jobs(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_scalar!(
        "with changed as (
             update jobs j
             set state = 'queued', state_reason = 'retried', max_attempts = least(100, greatest(j.max_attempts, j.attempt + 1)),
                 attempt = least(j.attempt, 99), error_code = null, error_detail = null, result = null, progress = null,
                 finished_at = null, next_attempt_at = null, scheduled_at = null, lease_expires_at = null, updated_at = now()
             from (select id from jobs where id = any($1) and state in ('failed', 'cancelled')
                   order by id for update) w
             where j.id = w.id
             returning j.id, j.delivery_id, j.queue, j.priority
         ),
         gone as (
             insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
             select delivery_id, queue, convert_to(to_json(id::text)::text, 'UTF8'), 'Pending', 0, 1000000, now(), priority + 100
             from changed
             on conflict (id) do update
                 set status = 'Pending', attempts = 0, run_at = now(), lock_by = null, lock_at = null, done_at = null
             returning id
         )
         select c.id from changed c join gone g on g.id = c.delivery_id",
        &ids,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(JobId).collect())
}

/// Turns scheduled and retrying jobs whose time has come into queued ones, so that their state is true.
///
/// # Errors
/// [`DbError`].
pub async fn promote_due(db: impl PgExecutor<'_>) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "update jobs set state = 'queued', next_attempt_at = null, updated_at = now()
         where id in (select id from jobs
                      where state in ('scheduled', 'retrying')
                        and finished_at is null and coalesce(next_attempt_at, scheduled_at) <= now()
                      order by id for update skip locked)",
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// Takes back the jobs of workers whose leases ran out and hands them out anew; gives the state of each.
///
/// # Errors
/// [`DbError`].
pub async fn recover_lost(db: impl PgExecutor<'_>) -> Result<Vec<(JobId, JobState)>, DbError> {
    let rows = sqlx::query_file!("queries/jobs/recover.sql").fetch_all(db).await?;
    rows.into_iter().map(|row| Ok((JobId(row.id), row.state.parse()?))).collect()
}

/// Delivers again what has waited for `after` in our table while the queue holds no live delivery of it.
///
/// # Errors
/// [`DbError`].
pub async fn redeliver_stranded(db: impl PgExecutor<'_>, after: Duration) -> Result<i64, DbError> {
    Ok(sqlx::query_file_scalar!("queries/jobs/redeliver.sql", after.as_secs_f64()).fetch_one(db).await?)
}

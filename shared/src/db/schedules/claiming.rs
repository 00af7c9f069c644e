//! What happens when a schedule is due.
//!
//! A due time is dealt with in one transaction that holds the schedule's row: the job is enqueued and the next due time
//! set, or, while a job of the schedule has not ended, the due time is skipped and counted. The database's clock is the
//! only one, so that it does not matter which process deals with it, and two that try at once enqueue one job.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Definition, LABEL, Schedule, clock, get_schedule};
use crate::db::DbError;
use crate::db::queue::{NewJob, enqueue};
use crate::domain::job::JobId;
use crate::domain::name::Name;
use crate::domain::schedule::{Due, Plan};
use crate::jobs::{Index, Submission};

/// What became of a due time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its job was enqueued.
    Started(JobId),
    /// This job has not ended: the due time was skipped.
    Skipped(JobId),
    /// The clock was set back since the due time was set: it was set anew, and no job enqueued.
    Replanned,
}

/// Deals with up to `limit` schedules that are due, each at most once however many due times it has missed. What another
/// transaction holds is left to it.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn claim_due(tx: &mut PgConnection, limit: i64) -> Result<Vec<(Name, Outcome)>, DbError> {
    let names = sqlx::query_file_scalar!("queries/schedules/list_due.sql", limit).fetch_all(&mut *tx).await?;
    let now = clock(&mut *tx).await?;
    let mut outcomes = Vec::with_capacity(names.len());
    for name in names {
        let name: Name = name.parse().expect("names are checked when they are stored");
        let schedule = get_schedule(&mut *tx, &name).await?;
        let outcome = deal_with(tx, &schedule, now).await?;
        outcomes.push((name, outcome));
    }
    Ok(outcomes)
}

async fn deal_with(
    tx: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<Outcome, DbError> {
    // A rule that this version cannot read any more is not due again until it is changed.
    let plan = schedule.definition.timing.parse().ok();
    let next = |anchor| plan.as_ref().and_then(|plan: &Plan| plan.next(schedule.id, anchor, now));
    if schedule.due.is_none_or(|due| due.next_at > now) {
        let anchor = schedule.anchor_at.min(now);
        mark_replanned(tx, schedule.id, anchor, next(anchor)).await?;
        return Ok(Outcome::Replanned);
    }
    let due = next(schedule.anchor_at);
    if let Some(running) = schedule.running {
        mark_skipped(tx, schedule.id, due).await?;
        return Ok(Outcome::Skipped(running));
    }
    let job = a_job_of(schedule, schedule.creator);
    enqueue(&mut *tx, std::slice::from_ref(&job)).await?;
    mark_started(tx, schedule.id, job.id, due).await?;
    Ok(Outcome::Started(job.id))
}

/// Enqueues a job of a schedule now, beside its due times, which stay. The caller holds the schedule's row and has seen
/// that no job of it runs.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn start_now(
    tx: &mut PgConnection,
    schedule: &Schedule,
    created_by: Uuid,
) -> Result<JobId, DbError> {
    let job = a_job_of(schedule, Some(created_by));
    enqueue(&mut *tx, std::slice::from_ref(&job)).await?;
    mark_started(tx, schedule.id, job.id, schedule.due).await?;
    Ok(job.id)
}

fn a_job_of(schedule: &Schedule, created_by: Option<Uuid>) -> NewJob {
    let Definition { source, prefix, mode, .. } = schedule.definition.clone();
    let payload = Index {
        index: schedule.index.clone(),
        model: None,
        source,
        prefix,
        mode,
        dry_run: false,
        failed_of: None,
        failed_codes: Vec::new(),
    };
    let labels = BTreeMap::from([(LABEL.to_owned(), schedule.name.to_string())]);
    NewJob::new(&payload, Submission { labels, ..Submission::default() }, created_by)
}

async fn mark_started(
    db: impl PgExecutor<'_>,
    id: Uuid,
    job: JobId,
    due: Option<Due>,
) -> Result<(), DbError> {
    let (due_at, next_at) = (due.map(|due| due.due_at), due.map(|due| due.next_at));
    sqlx::query_file!("queries/schedules/mark_started.sql", id, job.0, due_at, next_at).execute(db).await?;
    Ok(())
}

async fn mark_skipped(db: impl PgExecutor<'_>, id: Uuid, due: Option<Due>) -> Result<(), DbError> {
    let (due_at, next_at) = (due.map(|due| due.due_at), due.map(|due| due.next_at));
    sqlx::query_file!("queries/schedules/mark_skipped.sql", id, due_at, next_at).execute(db).await?;
    Ok(())
}

async fn mark_replanned(
    db: impl PgExecutor<'_>,
    id: Uuid,
    anchor_at: DateTime<Utc>,
    due: Option<Due>,
) -> Result<(), DbError> {
    let (due_at, next_at) = (due.map(|due| due.due_at), due.map(|due| due.next_at));
    sqlx::query!(
        "update schedules set anchor_at = $2, due_at = $3, next_at = $4, touched_at = now() where id = $1",
        id,
        anchor_at,
        due_at,
        next_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

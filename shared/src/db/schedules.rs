//! Schedules: what keeps an index like its source.
//!
//! Jobs of a schedule are the one it enqueued last and those that carry its label, whoever sent them back to their queue.
//! What happens when one is due is in [`claiming`].

mod claiming;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::DbError;
use crate::domain::job::{JobFailure, JobId, JobState};
use crate::domain::name::Name;
use crate::domain::schedule::{Due, Timing};
use crate::jobs::IndexMode;

pub use claiming::{Outcome, claim_due, start_now};

/// The label that the jobs of a schedule carry; its value is the schedule's name.
pub const LABEL: &str = "schedule";

/// A stored schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Name,
    /// The index that it fills.
    pub index: Name,
    /// What it does, and when.
    pub definition: Definition,
    /// Where its interval is counted from.
    pub anchor_at: DateTime<Utc>,
    /// When it is due next; none while it is paused.
    pub due: Option<Due>,
    /// When it last enqueued a job.
    pub last_at: Option<DateTime<Utc>>,
    /// That job, unless it is gone.
    pub last_job: Option<LastJob>,
    /// A job of it that has not ended.
    pub running: Option<JobId>,
    /// How many due times were skipped because a job had not ended.
    pub skipped: i64,
    /// When that happened last.
    pub last_skipped_at: Option<DateTime<Utc>>,
    /// The key that made it.
    pub creator: Option<Uuid>,
    /// That key's name.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What may be changed of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The source whose pictures are put into the index.
    pub source: Name,
    /// Where in the source.
    pub prefix: String,
    /// What becomes of entries whose object is gone.
    pub mode: IndexMode,
    /// When it is due.
    pub timing: Timing,
    /// Whether it waits to be resumed.
    pub paused: bool,
}

/// The job that a schedule enqueued last.
#[derive(Debug, Clone, PartialEq)]
pub struct LastJob {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<JobFailure>,
}

/// A schedule to be stored.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Its id, which its jitter depends on.
    pub id: Uuid,
    /// Its name, unique.
    pub name: Name,
    /// The index that it fills.
    pub index_id: Uuid,
    /// What it does, and when.
    pub definition: Definition,
    /// Where its interval is counted from.
    pub anchor_at: DateTime<Utc>,
    /// When it is due first; none when it is made paused.
    pub due: Option<Due>,
    /// The key that asks for it.
    pub created_by: Option<Uuid>,
}

struct Row {
    id: Uuid,
    name: String,
    index: String,
    source: String,
    prefix: String,
    mode: String,
    every_seconds: Option<i32>,
    cron: Option<String>,
    timezone: Option<String>,
    jitter_seconds: i32,
    paused: bool,
    anchor_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    next_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
    skipped: i64,
    last_skipped_at: Option<DateTime<Utc>>,
    creator: Option<Uuid>,
    created_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    job_id: Option<Uuid>,
    job_state: Option<String>,
    job_created_at: Option<DateTime<Utc>>,
    job_finished_at: Option<DateTime<Utc>>,
    job_error_code: Option<String>,
    job_error_detail: Option<String>,
    running: Option<Uuid>,
}

impl Row {
    fn last_job(&mut self) -> Result<Option<LastJob>, DbError> {
        let (Some(id), Some(state), Some(created_at)) = (self.job_id, &self.job_state, self.job_created_at)
        else {
            return Ok(None);
        };
        let state = state.parse()?;
        let detail = self.job_error_detail.take().unwrap_or_default();
        let error = self.job_error_code.take().map(|code| JobFailure::new(code, detail));
        Ok(Some(LastJob { id: JobId(id), state, created_at, finished_at: self.job_finished_at, error }))
    }
}

impl TryFrom<Row> for Schedule {
    type Error = DbError;

    fn try_from(mut row: Row) -> Result<Self, DbError> {
        let name = |name: String| name.parse::<Name>().expect("names are checked when they are stored");
        let last_job = row.last_job()?;
        Ok(Self {
            id: row.id,
            name: name(row.name),
            index: name(row.index),
            definition: Definition {
                source: name(row.source),
                prefix: row.prefix,
                mode: row.mode.parse()?,
                timing: Timing {
                    every_seconds: row.every_seconds.map(i64::from),
                    cron: row.cron,
                    timezone: row.timezone,
                    jitter_seconds: row.jitter_seconds.into(),
                },
                paused: row.paused,
            },
            anchor_at: row.anchor_at,
            due: row.due_at.zip(row.next_at).map(|(due_at, next_at)| Due { due_at, next_at }),
            last_at: row.last_at,
            last_job,
            running: row.running.map(JobId),
            skipped: row.skipped,
            last_skipped_at: row.last_skipped_at,
            creator: row.creator,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The time by the database's clock, when the transaction began.
///
/// # Errors
/// [`DbError`].
pub async fn clock(db: impl PgExecutor<'_>) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(db).await?)
}

/// The schedules by name after `after`; of one index when it is named.
///
/// # Errors
/// [`DbError`].
pub async fn list_schedules(
    db: impl PgExecutor<'_>,
    index: Option<&Name>,
    after: &str,
    limit: i64,
) -> Result<Vec<Schedule>, DbError> {
    let (name, index) = (None::<&str>, index.map(Name::as_str));
    let rows = sqlx::query_file_as!(Row, "queries/schedules/list.sql", name, index, after, limit);
    rows.fetch_all(db).await?.into_iter().map(Schedule::try_from).collect()
}

/// The schedule of that name.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn get_schedule(db: impl PgExecutor<'_>, name: &Name) -> Result<Schedule, DbError> {
    let row =
        sqlx::query_file_as!(Row, "queries/schedules/list.sql", Some(name.as_str()), None::<&str>, "", 1_i64);
    let row = row.fetch_optional(db).await?.ok_or_else(|| DbError::not_found("schedule", name))?;
    Schedule::try_from(row)
}

/// The schedule of that name, whose row this transaction then holds.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn lock_schedule(tx: &mut PgConnection, name: &Name) -> Result<Schedule, DbError> {
    sqlx::query!("select id from schedules where name = $1 for update", name.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    // Read after the lock: what was read before may have changed since.
    get_schedule(tx, name).await
}

/// Stores a schedule.
///
/// # Errors
/// [`DbError::Conflict`] when there is one of that name.
pub async fn insert_schedule(db: impl PgExecutor<'_>, schedule: &NewSchedule) -> Result<(), DbError> {
    let Definition { source, prefix, mode, timing, paused } = &schedule.definition;
    let (every_seconds, jitter_seconds) = seconds(timing);
    sqlx::query_file!(
        "queries/schedules/insert.sql",
        schedule.id,
        schedule.name.as_str(),
        schedule.index_id,
        source.as_str(),
        prefix,
        mode.as_str(),
        every_seconds,
        timing.cron,
        timing.timezone,
        jitter_seconds,
        paused,
        schedule.anchor_at,
        schedule.due.map(|due| due.due_at),
        schedule.due.map(|due| due.next_at),
        schedule.created_by,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Changes a schedule.
///
/// # Errors
/// [`DbError`].
pub async fn update_schedule(
    db: impl PgExecutor<'_>,
    id: Uuid,
    definition: &Definition,
    anchor_at: DateTime<Utc>,
    due: Option<Due>,
) -> Result<(), DbError> {
    let Definition { source, prefix, mode, timing, paused } = definition;
    let (every_seconds, jitter_seconds) = seconds(timing);
    sqlx::query_file!(
        "queries/schedules/update.sql",
        id,
        source.as_str(),
        prefix,
        mode.as_str(),
        every_seconds,
        timing.cron,
        timing.timezone,
        jitter_seconds,
        paused,
        anchor_at,
        due.map(|due| due.due_at),
        due.map(|due| due.next_at),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The interval and the jitter as they are stored; both were checked to fit.
fn seconds(timing: &Timing) -> (Option<i32>, i32) {
    let whole = |seconds: i64| i32::try_from(seconds).expect("at most 365 days");
    (timing.every_seconds.map(whole), whole(timing.jitter_seconds))
}

/// Deletes a schedule; its jobs stay. False when there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete_schedule(db: impl PgExecutor<'_>, name: &Name) -> Result<bool, DbError> {
    let done = sqlx::query!("delete from schedules where name = $1", name.as_str()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

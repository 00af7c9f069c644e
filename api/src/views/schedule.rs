//! Schedules as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::db::schedules::{LastJob, Schedule};
use lookalike_shared::domain::job::{JobFailure, JobState};
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::schedule::{Due, Timing};
use lookalike_shared::jobs::IndexMode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How many due times are told ahead.
const AHEAD: usize = 5;

/// Of which index schedules are asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ScheduleFilter {
    /// Only those that fill this index.
    #[param(value_type = Option<String>)]
    pub index: Option<Name>,
}

/// A schedule to be made. One of `every_seconds` and `cron` says when it is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "nightly", "index": "gallery", "source": "photos", "prefix": "gallery/", "cron": "0 3 * * *",
    "timezone": "Europe/Vienna", "jitter_seconds": 300
}))]
#[schema(as = NewSchedule)]
pub struct NewScheduleRequest {
    /// Its name, not in use.
    pub name: Name,
    /// The index that it fills; it goes when the index does.
    pub index: Name,
    /// A declared source, or `uploads`.
    pub source: Name,
    /// Where in the source; empty means all of it.
    #[serde(default)]
    pub prefix: String,
    /// `sync` (entries whose object is gone leave the index) or `add`; `sync` when not given.
    #[serde(default = "sync")]
    #[schema(default = "sync")]
    pub mode: IndexMode,
    /// Due every so many seconds, 60 to 31536000, the first time after as many.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 31_536_000)]
    pub every_seconds: Option<i64>,
    /// Due when this says: minute, hour, day of month, month and day of week, as in `0 3 * * *`.
    #[serde(default)]
    #[schema(example = "0 3 * * *")]
    pub cron: Option<String>,
    /// The time zone that `cron` is read in, by its IANA name; UTC when not given.
    #[serde(default)]
    #[schema(example = "Europe/Vienna")]
    pub timezone: Option<String>,
    /// Each job starts up to so many seconds later, 0 to 86400 and less than what lies between two due times.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 86_400)]
    pub jitter_seconds: i64,
    /// Whether it waits to be resumed.
    #[serde(default)]
    pub paused: bool,
}

fn sync() -> IndexMode {
    IndexMode::Sync
}

impl NewScheduleRequest {
    /// When it is to be due.
    pub fn timing(&self) -> Timing {
        timing(self.every_seconds, self.cron.clone(), self.timezone.clone(), self.jitter_seconds)
    }
}

/// What is to change of a schedule; what is left out stays. `every_seconds` takes the place of `cron`, and `cron` that of
/// `every_seconds`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"paused": true}))]
pub struct ScheduleChange {
    /// True stops it from being due, false makes it due again from now on; missed due times are not made up for.
    pub paused: Option<bool>,
    /// A declared source, or `uploads`.
    pub source: Option<Name>,
    /// Where in the source; empty means all of it.
    pub prefix: Option<String>,
    /// `sync` or `add`.
    pub mode: Option<IndexMode>,
    /// Due every so many seconds, 60 to 31536000, counted from now.
    #[schema(minimum = 60, maximum = 31_536_000)]
    pub every_seconds: Option<i64>,
    /// Due when this says: minute, hour, day of month, month and day of week.
    pub cron: Option<String>,
    /// The time zone that `cron` is read in.
    pub timezone: Option<String>,
    /// Each job starts up to so many seconds later, 0 to 86400 and less than what lies between two due times.
    #[schema(minimum = 0, maximum = 86_400)]
    pub jitter_seconds: Option<i64>,
}

impl ScheduleChange {
    /// What a schedule of this timing is to have instead.
    pub fn timing(&self, old: &Timing) -> Timing {
        let (every, cron) = if self.every_seconds.is_some() || self.cron.is_some() {
            (self.every_seconds, self.cron.clone())
        } else {
            (old.every_seconds, old.cron.clone())
        };
        let kept = old.timezone.clone().filter(|_| cron.is_some());
        let jitter_seconds = self.jitter_seconds.unwrap_or(old.jitter_seconds);
        timing(every, cron, self.timezone.clone().or(kept), jitter_seconds)
    }
}

fn timing(
    every_seconds: Option<i64>,
    cron: Option<String>,
    timezone: Option<String>,
    jitter_seconds: i64,
) -> Timing {
    let timezone = timezone.or_else(|| cron.as_ref().map(|_| "UTC".to_owned()));
    Timing { every_seconds, cron, timezone, jitter_seconds }
}

/// When a schedule would be due.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"cron": "0 3 * * *", "timezone": "Europe/Vienna"}))]
#[schema(as = TimingPreview)]
pub struct PreviewRequest {
    /// Due every so many seconds.
    pub every_seconds: Option<i64>,
    /// Due when this says.
    pub cron: Option<String>,
    /// The time zone that `cron` is read in; UTC when not given.
    pub timezone: Option<String>,
    /// Each job starts up to so many seconds later.
    pub jitter_seconds: i64,
}

impl PreviewRequest {
    /// When it would be due.
    pub fn timing(self) -> Timing {
        timing(self.every_seconds, self.cron, self.timezone, self.jitter_seconds)
    }
}

/// The next due times.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = DueTimes)]
pub struct PreviewView {
    /// The next five, without jitter.
    pub next: Vec<DateTime<Utc>>,
}

impl PreviewView {
    /// The first of these due times.
    pub fn of(dues: impl Iterator<Item = Due>) -> Self {
        Self { next: dues.take(AHEAD).map(|due| due.due_at).collect() }
    }
}

/// What keeps an index like its source.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = IndexSchedule)]
pub struct ScheduleView {
    /// Its name.
    #[schema(example = "nightly")]
    pub name: String,
    /// The index that it fills.
    #[schema(example = "gallery")]
    pub index: String,
    /// The source whose pictures are put into the index.
    #[schema(example = "photos")]
    pub source: String,
    /// Where in the source.
    pub prefix: String,
    /// What becomes of entries whose object is gone.
    pub mode: IndexMode,
    /// Due every so many seconds; null when `cron` says when.
    pub every_seconds: Option<i64>,
    /// Due when this says; null when it is due at an interval.
    #[schema(example = "0 3 * * *")]
    pub cron: Option<String>,
    /// The time zone that `cron` is read in.
    #[schema(example = "Europe/Vienna")]
    pub timezone: Option<String>,
    /// Each job starts up to so many seconds later.
    pub jitter_seconds: i64,
    /// Whether it waits to be resumed.
    pub paused: bool,
    /// When its next job starts, jitter included; null while it is paused.
    pub next_at: Option<DateTime<Utc>>,
    /// When its next five jobs start, jitter included; none while it is paused.
    pub next: Vec<DateTime<Utc>>,
    /// A job of it that has not ended.
    pub running: Option<Uuid>,
    /// When it last enqueued a job.
    pub last_at: Option<DateTime<Utc>>,
    /// That job; null when there was none, or it is kept no more.
    pub last_job: Option<ScheduledJobView>,
    /// How many due times were skipped because its job before had not ended.
    pub skipped: i64,
    /// When that happened last.
    pub last_skipped_at: Option<DateTime<Utc>>,
    /// The name of the key that made it, which its jobs are asked for by.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        let next = starts(&schedule);
        let Timing { every_seconds, cron, timezone, jitter_seconds } = schedule.definition.timing;
        Self {
            name: schedule.name.to_string(),
            index: schedule.index.to_string(),
            source: schedule.definition.source.to_string(),
            prefix: schedule.definition.prefix,
            mode: schedule.definition.mode,
            every_seconds,
            cron,
            timezone,
            jitter_seconds,
            paused: schedule.definition.paused,
            next_at: schedule.due.map(|due| due.next_at),
            next,
            running: schedule.running.map(|job| job.0),
            last_at: schedule.last_at,
            last_job: schedule.last_job.map(ScheduledJobView::from),
            skipped: schedule.skipped,
            last_skipped_at: schedule.last_skipped_at,
            created_by: schedule.created_by,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

/// When its next jobs start: the one that is set, and those after it.
fn starts(schedule: &Schedule) -> Vec<DateTime<Utc>> {
    let (Some(due), Ok(plan)) = (schedule.due, schedule.definition.timing.parse()) else { return Vec::new() };
    let later = plan.upcoming(schedule.id, schedule.anchor_at, due.due_at);
    std::iter::once(due).chain(later).take(AHEAD).map(|due| due.next_at).collect()
}

/// The job that a schedule enqueued last.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ScheduledJob)]
pub struct ScheduledJobView {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub state: JobState,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<JobFailure>,
}

impl From<LastJob> for ScheduledJobView {
    fn from(job: LastJob) -> Self {
        Self {
            id: job.id.0,
            state: job.state,
            created_at: job.created_at,
            finished_at: job.finished_at,
            error: job.error,
        }
    }
}

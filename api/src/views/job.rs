//! A job and what hangs on it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lookalike_shared::db::items::Item;
use lookalike_shared::db::jobs::Job;
use lookalike_shared::db::logs::LogLine;
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, JobState, Progress, Queue};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// UUIDv7.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// The queue it waits in.
    pub queue: Queue,
    /// Where it stands.
    pub state: JobState,
    /// Why it stands there, when that is not plain.
    pub state_reason: Option<String>,
    /// Whether somebody paused it: `queued` when it is paused, `running` while its attempt still stops.
    pub paused: bool,
    /// Higher goes first within its queue.
    pub priority: i32,
    /// What it was asked to do.
    #[schema(value_type = Object)]
    pub params: Value,
    /// Free words to find it by.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Value,
    /// Attempts used up.
    pub attempt: i32,
    /// How many there may be.
    pub max_attempts: i32,
    /// How far it is; before anything was counted, its state and no unit.
    pub progress: Progress,
    /// What came of it; its shape depends on the kind.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<JobFailure>,
    /// The worker of its last attempt.
    pub worker: Option<Uuid>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// Not before this time.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When its first attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When its next attempt comes.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The name of the key that asked for it.
    pub created_by: Option<String>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.0,
            kind: job.kind,
            queue: job.queue,
            state: job.state,
            state_reason: job.state_reason,
            paused: job.paused,
            priority: job.priority,
            params: job.params,
            labels: job.labels,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            progress: job
                .progress
                .unwrap_or_else(|| Progress { phase: job.state.as_str().to_owned(), ..Progress::default() }),
            result: job.result,
            error: job.error,
            worker: job.worker,
            created_at: job.created_at,
            scheduled_at: job.scheduled_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            next_attempt_at: job.next_attempt_at,
            created_by: job.created_by,
        }
    }
}

/// How many jobs there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobCounts {
    /// By state; every state is there.
    pub by_state: BTreeMap<String, i64>,
    /// By kind; every kind is there.
    pub by_kind: BTreeMap<String, i64>,
}

impl JobCounts {
    /// Sums up rows of kind, state and count.
    pub fn of_rows(rows: Vec<(String, String, i64)>) -> Self {
        let zeros = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 0)).collect();
        let mut counts = Self {
            by_state: zeros(&JobState::ALL.map(JobState::as_str)),
            by_kind: zeros(&JobKind::ALL.map(JobKind::as_str)),
        };
        for (kind, state, count) in rows {
            *counts.by_state.entry(state).or_default() += count;
            *counts.by_kind.entry(kind).or_default() += count;
        }
        counts
    }
}

/// One line that a job said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LogLineView {
    /// When.
    pub at: DateTime<Utc>,
    /// The attempt that said it.
    pub attempt: i32,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// What.
    pub message: String,
}

impl From<LogLine> for LogLineView {
    fn from(line: LogLine) -> Self {
        Self { at: line.at, attempt: line.attempt, level: line.level, message: line.message }
    }
}

/// A picture of a job that did not make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobItem)]
pub struct ItemView {
    /// `source/key`.
    pub uri: String,
    /// `failed`.
    pub status: String,
    /// A stable name of the reason.
    #[schema(example = "corrupt")]
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
    /// When it was seen.
    pub at: DateTime<Utc>,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self { uri: item.uri, status: item.status, code: item.code, detail: item.detail, at: item.at }
    }
}

/// How many pictures of a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemSummary {
    /// All of them.
    pub failed: i64,
    /// By reason, the most frequent first.
    pub codes: Vec<ItemCount>,
}

/// How many pictures failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemCount {
    /// A stable name of the reason.
    #[schema(example = "corrupt")]
    pub code: String,
    /// How many.
    pub count: i64,
}

impl ItemSummary {
    /// Sums up rows of reason and count.
    pub fn of_rows(rows: Vec<(String, i64)>) -> Self {
        let failed = rows.iter().map(|(_, count)| count).sum();
        Self { failed, codes: rows.into_iter().map(|(code, count)| ItemCount { code, count }).collect() }
    }
}

/// What became of one job of a bulk request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkItem {
    /// The job.
    pub id: JobId,
    /// Whether it was, or with `dry_run` would be, changed.
    pub ok: bool,
    /// Why not.
    pub problem: Option<crate::problem::Problem>,
}

/// What became of a bulk request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkAnswer {
    /// How many jobs were, or with `dry_run` would be, changed.
    pub affected: usize,
    /// Whether nothing was done in fact.
    pub dry_run: bool,
    /// One line per job.
    pub items: Vec<BulkItem>,
}

//! Queues over HTTP.

use chrono::{DateTime, Utc};
use lookalike_shared::db::queues::{QueueSample, QueueStatus};
use serde::Serialize;
use utoipa::ToSchema;

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = QueueStatus)]
pub struct QueueView {
    /// Its name.
    #[schema(example = "search")]
    pub name: String,
    /// Jobs that wait for a worker.
    pub depth: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs that wait for their back-off.
    pub retrying: i64,
    /// How long the oldest waiting job has waited.
    pub oldest_age_seconds: Option<f64>,
    /// Whether it hands out no jobs.
    pub paused: bool,
    /// Jobs that ended well in the last minute.
    pub finished_per_minute: i64,
    /// Jobs that failed in the last minute.
    pub failed_per_minute: i64,
    /// Jobs submitted in the last minute.
    pub enqueued_per_minute: i64,
}

impl From<QueueStatus> for QueueView {
    fn from(queue: QueueStatus) -> Self {
        Self {
            name: queue.name,
            depth: queue.depth,
            running: queue.running,
            scheduled: queue.scheduled,
            retrying: queue.retrying,
            oldest_age_seconds: queue.oldest_age_seconds,
            paused: queue.paused,
            finished_per_minute: queue.finished_per_minute,
            failed_per_minute: queue.failed_per_minute,
            enqueued_per_minute: queue.enqueued_per_minute,
        }
    }
}

/// A queue at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = QueueSample)]
pub struct QueueSampleView {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub queue: String,
    /// Jobs that waited.
    pub depth: i32,
    /// Jobs that ran.
    pub running: i32,
    /// Jobs that ended well since the sample before.
    pub succeeded: i32,
    /// Jobs that failed since the sample before.
    pub failed: i32,
}

impl From<QueueSample> for QueueSampleView {
    fn from(sample: QueueSample) -> Self {
        Self {
            at: sample.at,
            queue: sample.queue,
            depth: sample.depth,
            running: sample.running,
            succeeded: sample.succeeded,
            failed: sample.failed,
        }
    }
}

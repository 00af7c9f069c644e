//! Workers over HTTP.

use chrono::{DateTime, Utc};
use lookalike_shared::db::workers::{Worker, WorkerSample};
use lookalike_shared::domain::job::JobKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A job that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningJob {
    /// The job.
    pub id: Uuid,
    /// Its kind.
    pub kind: JobKind,
}

/// What runs a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelEngine {
    /// The model.
    pub model: Uuid,
    /// Its architecture.
    pub backbone: String,
    /// `torch` or `openvino`.
    pub engine: String,
    /// What it calculates with, e.g. `f32` or `bf16`.
    pub precision: String,
    /// Pictures per second in full batches, where engines were compared.
    pub pictures_per_second: Option<f64>,
    /// Why this engine runs the model.
    pub reason: Option<String>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerView {
    /// Its id, new at every start.
    pub id: Uuid,
    /// A name for people.
    pub name: String,
    /// The machine.
    pub host: String,
    /// `starting`, `ready`, `draining`, `stopped`, or `lost` when it was not heard of for a while.
    pub state: String,
    /// `cpu`, `cuda:0`, ...
    #[schema(example = "cuda:0")]
    pub device: String,
    /// What the device calls itself.
    pub device_name: String,
    /// The inference engine: that of the model used last, before there is one the engine that is tried first.
    pub engine: String,
    /// What runs each model that is loaded, most recently used last.
    pub engines: Vec<ModelEngine>,
    /// Version of the program.
    pub version: String,
    /// The queues it takes jobs from.
    pub queues: Vec<String>,
    /// What it runs now.
    pub jobs: Vec<RunningJob>,
    /// How busy its device is, 0 to 100.
    pub utilisation_percent: Option<f32>,
    /// Memory of the device in use.
    pub memory_used_bytes: Option<i64>,
    /// Memory of the device.
    pub memory_total_bytes: Option<i64>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen: DateTime<Utc>,
}

impl From<Worker> for WorkerView {
    fn from(worker: Worker) -> Self {
        Self {
            id: worker.id,
            name: worker.name,
            host: worker.host,
            state: worker.state,
            device: worker.device,
            device_name: worker.device_name,
            engine: worker.engine,
            engines: serde_json::from_value(worker.engines).unwrap_or_default(),
            version: worker.version,
            queues: worker.queues,
            jobs: serde_json::from_value(worker.jobs).unwrap_or_default(),
            utilisation_percent: worker.utilisation_percent,
            memory_used_bytes: worker.memory_used_bytes,
            memory_total_bytes: worker.memory_total_bytes,
            started_at: worker.started_at,
            last_seen: worker.last_seen,
        }
    }
}

/// A device at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WorkerSample)]
pub struct WorkerSampleView {
    /// When.
    pub at: DateTime<Utc>,
    /// 0 to 100.
    pub utilisation_percent: f32,
    /// Memory in use.
    pub memory_used_bytes: i64,
    /// All memory.
    pub memory_total_bytes: i64,
}

impl From<WorkerSample> for WorkerSampleView {
    fn from(sample: WorkerSample) -> Self {
        Self {
            at: sample.at,
            utilisation_percent: sample.utilisation_percent,
            memory_used_bytes: sample.memory_used_bytes,
            memory_total_bytes: sample.memory_total_bytes,
        }
    }
}

//! The worker as a process: it takes jobs, runs them, and stops gracefully.
//!
//! - [`delivery`]: apalis' loop per queue; [`searches`]: the lane of searches, which are taken and embedded together.
//! - [`arrivals`]: new deliveries heard at once.
//! - [`attempt`]: claim, run, end; many jobs share statements.
//! - [`context`]: what a job's code is given.
//! - [`warming`]: what searches will need, fetched ahead.
//! - [`lease`]: the heartbeat; [`cancel`]: cancels and pauses heard at once; [`running`], [`stop`]: who is to stop, and why.

pub mod arrivals;
pub mod attempt;
pub mod cancel;
pub mod context;
pub mod delivery;
pub mod lease;
pub mod running;
pub mod searches;
pub mod stop;
pub mod warming;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lookalike_shared::config::{DatabaseConfig, Limits, StorageConfig, WorkerConfig};
use lookalike_shared::db::{self, PgPool};
use lookalike_shared::domain::job::{JobKind, Queue};
use lookalike_shared::storage::Storage;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::dataset::cache::Cache;
use crate::device::{self, Sampler};
use crate::inference::{Inference, Options};
use crate::matching::Matcher;
use crate::models::ModelStore;
use arrivals::Arrivals;
use attempt::Attempts;
use lease::Heartbeat;
use running::Running;
use stop::StopReason;

/// Connections whose commits do not wait for the disk: claims, ends of searches.
const RELAXED: u32 = 8;

/// What every job of this process shares.
pub struct Services {
    /// This process's row in `workers`.
    pub worker_id: Uuid,
    /// Its name.
    pub worker_name: String,
    /// The database.
    pub db: PgPool,
    /// The same without waiting for the disk, for what may be lost in a crash of the database.
    pub relaxed: PgPool,
    /// Sources and artifacts.
    pub storage: Storage,
    /// The device for training.
    pub device: tch::Device,
    /// What the device calls itself.
    pub device_name: String,
    /// The inference thread.
    pub inference: Inference,
    /// Weights, fetched once.
    pub models: ModelStore,
    /// Partitions in memory, and the way to those that are not.
    pub matcher: Matcher,
    /// Bounds on pictures.
    pub limits: Limits,
    /// Decoded pictures of labelled sets.
    pub cache: Cache,
    /// How long a lease lasts.
    pub lease: Duration,
}

/// A worker that was built and can run.
pub struct Worker {
    services: Arc<Services>,
    running: Running,
    attempts: Attempts,
    queues: Vec<Queue>,
    grace: Duration,
    beat: CancellationToken,
}

/// All settings of a worker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The worker's own.
    pub worker: WorkerConfig,
    /// The database's.
    pub database: DatabaseConfig,
    /// Of sources and artifacts.
    pub storage: StorageConfig,
}

impl Worker {
    /// Opens everything, chooses the device, registers the worker and starts its heartbeat.
    ///
    /// # Errors
    /// What could not be opened or is not there.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        let chosen = device::choose(&settings.worker.device)?;
        let storage = Storage::open(&settings.storage)?;
        let db = db::connect(&settings.database).await.context("connecting to the database")?;
        let relaxed =
            db::connect_relaxed(&settings.database, RELAXED).await.context("connecting to the database")?;
        anyhow::ensure!(
            db::is_migrated(&db).await?,
            "the database is not migrated: run `lookalike migrate` first"
        );
        let resident_bytes = settings.worker.resident_bytes.unwrap_or_else(|| device::memory_bytes() / 4);
        let mut sampler = Sampler::new(chosen.device);
        let worker_id = Uuid::now_v7();
        let host = sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned());
        let worker_name = format!("{host}-{}", std::process::id());
        let device_name = sampler.device_name();
        let options = Options { engine: settings.worker.engine, ..Options::for_device(chosen.device) };
        let inference = Inference::start(chosen.device, options)?;
        let registered = db::workers::NewWorker {
            id: worker_id,
            name: worker_name.clone(),
            host,
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: chosen.name,
            device_name: device_name.clone(),
            engine: inference.preferred().to_owned(),
            queues: settings.worker.queues.iter().map(|queue| queue.as_str().to_owned()).collect(),
        };
        db::workers::insert_worker(&db, &registered).await?;
        let services = Arc::new(Services {
            worker_id,
            worker_name,
            models: ModelStore::new(db.clone(), storage.clone(), device_name.clone()),
            matcher: Matcher::new(db.clone(), resident_bytes)?,
            db,
            relaxed,
            storage,
            device: chosen.device,
            device_name,
            inference,
            limits: settings.worker.limits,
            cache: Cache::new(settings.worker.cache.clone()),
            lease: settings.worker.lease,
        });
        let (running, beat) = (Running::default(), CancellationToken::new());
        let heartbeat = Heartbeat {
            worker_id,
            lease: settings.worker.lease,
            database: settings.database,
            running: running.clone(),
            sampler,
            inference: services.inference.clone(),
            stop: beat.clone(),
        };
        heartbeat.start().context("starting the heartbeat")?;
        let attempts = Attempts::new(services.clone(), running.clone());
        let WorkerConfig { queues, grace, .. } = settings.worker;
        Ok(Self { services, running, attempts, queues, grace, beat })
    }

    /// Takes jobs until `stop`. Then searches end, long jobs are given back, and at most the grace period later
    /// this returns; what has not ended by then is taken over by others when its lease runs out.
    ///
    /// # Errors
    /// The worker's row could not be written.
    pub async fn run_until(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stops = cancel::hear_stops(self.services.db.clone(), self.running.clone(), self.beat.clone());
        let stops = tokio::spawn(stops);
        let arrivals = Arrivals::default();
        let hearing = tokio::spawn(arrivals.clone().hear(self.services.db.clone(), stop.clone()));
        if self.queues.contains(&Queue::Search) {
            let (services, stop) = (self.services.clone(), stop.clone());
            tokio::spawn(async move { stop.run_until_cancelled(warming::warm(&services)).await });
        }
        let loops: Vec<_> = self
            .queues
            .iter()
            .map(|queue| {
                let (queue, services, attempts) = (*queue, self.services.clone(), self.attempts.clone());
                let (arrivals, stop) = (arrivals.clone(), stop.clone());
                tokio::spawn(async move {
                    let take = match queue {
                        Queue::Search => {
                            return searches::run_searches(services, attempts, arrivals, stop).await;
                        }
                        Queue::Train | Queue::Index => delivery::LONG,
                        Queue::Maintenance => delivery::SHORT,
                    };
                    delivery::run_queue(queue, take, &services, attempts, arrivals, stop).await;
                })
            })
            .collect();
        db::workers::mark_worker(&self.services.db, self.services.worker_id, "ready").await?;
        tracing::info!(worker.id = %self.services.worker_id, device = self.services.device_name, "worker ready");
        stop.cancelled().await;
        tracing::info!("stopping: long jobs are given back");
        // The worker's last words must not keep it from stopping.
        _ = db::workers::mark_worker(&self.services.db, self.services.worker_id, "draining").await;
        self.running.trip_where(StopReason::Shutdown, is_long);
        if tokio::time::timeout(self.grace, futures::future::join_all(loops)).await.is_err() {
            tracing::warn!("jobs were still running when the grace period ended");
        }
        self.beat.cancel();
        _ = tokio::join!(stops, hearing);
        _ = db::workers::mark_worker(&self.services.db, self.services.worker_id, "stopped").await;
        Ok(())
    }
}

/// Whether a job of this kind is given back when the worker stops, rather than ended.
fn is_long(kind: JobKind) -> bool {
    match kind {
        JobKind::Train | JobKind::Index | JobKind::Evaluate | JobKind::Rebuild | JobKind::Validate => true,
        JobKind::Search | JobKind::Noop => false,
    }
}

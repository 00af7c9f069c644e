//! The heartbeat: a thread of its own, with its own runtime and connection, so that nothing a job does to the
//! others delays it. It renews the leases of everything that runs, notes how busy the device is, and tells
//! attempts that were cancelled or paused, or have lost their job, to stop.

use std::collections::HashSet;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lookalike_shared::config::DatabaseConfig;
use lookalike_shared::db::queue::{Hold, renew_leases};
use lookalike_shared::db::{self, DbError, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::running::Running;
use super::stop::StopReason;
use crate::device::Sampler;
use crate::inference::{Inference, LoadedModel};

/// How often the device is looked at and written down.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);

/// What the heartbeat needs.
pub struct Heartbeat {
    /// The worker's row.
    pub worker_id: Uuid,
    /// How long a lease lasts; renewed four times within.
    pub lease: Duration,
    /// Where the database is.
    pub database: DatabaseConfig,
    /// The attempts whose leases are renewed.
    pub running: Running,
    /// Reads the device.
    pub sampler: Sampler,
    /// Tells which models are loaded, and what runs them.
    pub inference: Inference,
    /// Ends the heartbeat.
    pub stop: CancellationToken,
}

impl Heartbeat {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || runtime.block_on(self.beat()))
    }

    async fn beat(mut self) {
        let config = DatabaseConfig { max_connections: 1, ..self.database.clone() };
        let mut ticks = tokio::time::interval((self.lease / 4).min(SAMPLE_INTERVAL));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pool = None;
        let mut last_held = Instant::now();
        let mut last_sample = Instant::now() - SAMPLE_INTERVAL;
        let mut shown = Vec::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stop.cancelled() => return,
            }
            match self.beat_once(&config, &mut pool, &mut last_sample, &mut shown).await {
                Ok(()) => last_held = Instant::now(),
                Err(error) => {
                    tracing::warn!(%error, since_s = last_held.elapsed().as_secs(), "heartbeat failed");
                    if last_held.elapsed() > self.lease {
                        // Others may have the jobs by now. What is under way is refused by its fence, if so;
                        // if not, it may still end well, so it is left to run.
                        tracing::warn!("leases may have run out");
                    }
                }
            }
        }
    }

    async fn beat_once(
        &mut self,
        config: &DatabaseConfig,
        pool: &mut Option<PgPool>,
        last_sample: &mut Instant,
        shown: &mut Vec<LoadedModel>,
    ) -> Result<(), DbError> {
        if pool.is_none() {
            *pool = Some(db::connect(config).await?);
        }
        let db = pool.as_ref().expect("connected above");
        self.renew(db).await?;
        if last_sample.elapsed() >= SAMPLE_INTERVAL {
            *last_sample = Instant::now();
            let sample = self.sampler.sample();
            db::workers::insert_sample(db, self.worker_id, &sample).await?;
            self.show_engines(db, shown).await?;
        }
        Ok(())
    }

    /// Writes down what runs the loaded models, when that has changed.
    async fn show_engines(&self, db: &PgPool, shown: &mut Vec<LoadedModel>) -> Result<(), DbError> {
        let loaded = self.inference.loaded();
        if let (Some(last), true) = (loaded.last(), loaded != *shown) {
            let engines = serde_json::json!(loaded);
            db::workers::mark_engines(db, self.worker_id, last.engine.engine, &engines).await?;
            *shown = loaded;
        }
        Ok(())
    }

    async fn renew(&self, db: &PgPool) -> Result<(), DbError> {
        let held = self.running.held();
        if held.is_empty() {
            return Ok(());
        }
        let standing = renew_leases(db, &held, self.lease).await?;
        let kept: HashSet<_> = standing.iter().map(|(job, _)| *job).collect();
        for (job, hold) in &standing {
            match hold {
                Hold::Cancelling => self.running.trip(*job, StopReason::Cancelled),
                Hold::Pausing => self.running.trip(*job, StopReason::Paused),
                Hold::Held | Hold::Lost => {}
            }
        }
        for (job, fence) in held.iter().filter(|(job, _)| !kept.contains(job)) {
            // An attempt that has just ended stores nothing more either way.
            self.running.trip_attempt(*job, *fence, StopReason::Lost);
        }
        Ok(())
    }
}

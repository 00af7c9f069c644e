//! The stages, joined.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use lookalike_shared::db::gallery;
use lookalike_shared::domain::job::Progress;
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::storage::{Source, StorageError};
use serde_json::{Value, json};

use super::batch::{decode_batch, embed_batch};
use super::commit::{commit_batch, commit_removal};
use super::{Counts, Target, Work};
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Pictures per batch: one forward pass, one commit.
const BATCH: usize = 64;
/// Batches of a stage under way at a time.
const AHEAD: usize = 2;
/// Entries removed per commit.
const REMOVALS: i64 = 500;

/// An index job on its way.
pub struct Pipeline {
    pub(super) context: JobContext,
    pub(super) target: Target,
    meter: Meter,
    counts: Counts,
    listed: Arc<Listed>,
}

/// How many objects there are, counted ahead of the pipeline.
#[derive(Default)]
struct Listed {
    count: AtomicU64,
    complete: AtomicBool,
}

impl Pipeline {
    /// A pipeline that goes on from what an earlier attempt committed.
    pub fn new(context: JobContext, target: Target) -> Self {
        let checkpoint = context.attempt.checkpoint.as_ref();
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint["generation"] == target.generation);
        let counts =
            checkpoint.and_then(|checkpoint| serde_json::from_value(checkpoint["counts"].clone()).ok());
        let counts = counts.unwrap_or_default();
        let meter = Meter::new("indexing", "pictures", None);
        Self { context, target, meter, counts, listed: Arc::default() }
    }

    /// Says how many objects there will be.
    pub fn expect(&mut self, total: u64) {
        self.meter.set_total(total);
    }

    /// Counts the objects of a listing beside the pipeline, so that progress has a total and an ETA early.
    pub fn count_in_background(&self, source: Source, prefix: String) {
        let (listed, stop) = (self.listed.clone(), self.context.stop.clone());
        tokio::spawn(async move {
            let Ok(mut objects) = source.list(&prefix) else { return };
            while let Ok(Some(_)) = objects.try_next().await {
                listed.count.fetch_add(1, Ordering::Relaxed);
                if stop.is_tripped() {
                    return;
                }
            }
            listed.complete.store(true, Ordering::Release);
        });
    }

    /// Indexes every object of the stream.
    ///
    /// # Errors
    /// [`JobError`]; what was committed stays.
    pub async fn run(
        &mut self,
        objects: BoxStream<'static, Result<Work, StorageError>>,
    ) -> Result<(), JobError> {
        let (context, target) = (self.context.clone(), self.target.clone());
        let (embedding, embedder) = (context.clone(), target.clone());
        let mut batches = objects
            .try_chunks(BATCH)
            .map(move |works| {
                let (context, target) = (context.clone(), target.clone());
                spawned(async move { decode_batch(context, target, works.map_err(|error| error.1)?).await })
            })
            .buffered(AHEAD)
            .map(move |decoded| {
                let (context, target) = (embedding.clone(), embedder.clone());
                spawned(async move { embed_batch(context, target, decoded?).await })
            })
            .buffered(AHEAD);
        while let Some(batch) = batches.next().await {
            let (batch, _counted_before) = batch?;
            if self.listed.complete.load(Ordering::Acquire) {
                self.meter.set_total(self.listed.count.load(Ordering::Relaxed));
            }
            let seconds = self.context.started.elapsed().as_secs_f64();
            let meter = &mut self.meter;
            let mut progress = |counts: &Counts| meter.update(seconds, counts.done(), counts.failed).clone();
            self.counts =
                commit_batch(&self.context, &self.target, batch, self.counts, &mut progress).await?;
        }
        Ok(())
    }

    /// Removes the entries under a uri prefix that this job has not seen.
    ///
    /// # Errors
    /// [`JobError`]; what was committed stays.
    pub async fn remove_unseen(&mut self, uri_prefix: &str) -> Result<(), JobError> {
        let generation = self.target.generation;
        loop {
            self.context.check_stop()?;
            let job = self.context.attempt.job_id.0;
            let gone = gallery::list_unseen(self.context.db(), generation, uri_prefix, job, REMOVALS).await?;
            if gone.is_empty() {
                return Ok(());
            }
            let progress = Progress { phase: "removing".to_owned(), ..self.meter.progress().clone() };
            self.counts = commit_removal(&self.context, &self.target, &gone, self.counts, &progress).await?;
        }
    }

    /// Ends the job with its counters.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job is not ours any more.
    pub async fn succeed(self) -> Result<JobOutcome, JobError> {
        Ok(JobOutcome::Result(self.result()))
    }

    pub(super) fn result(&self) -> Value {
        let seconds = self.context.started.elapsed().as_secs_f64();
        let Counts { added, updated, unchanged, failed, removed } = self.counts;
        json!({
            "index": self.target.index,
            "generation": self.target.generation,
            "model": self.target.model.row.reference(),
            "added": added,
            "updated": updated,
            "unchanged": unchanged,
            "removed": removed,
            "failed": failed,
            "images_per_second": self.counts.done() as f64 / seconds.max(1e-9),
            "seconds": seconds,
        })
    }
}

/// Runs a stage's work as a task of its own, so that stages overlap.
async fn spawned<T: Send + 'static>(
    work: impl Future<Output = Result<T, JobError>> + Send + 'static,
) -> Result<T, JobError> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(JobError::retry("panic", error.to_string())))
}

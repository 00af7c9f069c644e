//! The stages, joined by channels of bounded length.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::{BoxStream, TryStreamExt};
use lookalike_shared::db::gallery;
use lookalike_shared::domain::job::Progress;
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::jobs::IndexMode;
use lookalike_shared::storage::{Source, StorageError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::plan::{Todo, plan};
use super::read::{Reader, gone};
use super::seen::Seen;
use super::stages::Stages;
use super::{Counts, Done, Target, Work, embed};
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Objects that wait to be read.
const WAITING: usize = 256;
/// Pictures that wait for the network.
const PICTURES: usize = 128;
/// Messages to the last stage.
const DONE: usize = 16;
/// Changes that the planner is told of.
const ANALYZE_FROM: u64 = 1_000;
/// A job that is over sooner needs no total.
const COUNT_AFTER: Duration = Duration::from_secs(3);

/// An index job on its way.
pub struct Pipeline {
    pub(super) context: JobContext,
    pub(super) target: Target,
    pub(super) mode: IndexMode,
    pub(super) counts: Counts,
    pub(super) stages: Arc<Stages>,
    pub(super) seen: Arc<Seen>,
    meter: Meter,
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
    pub fn new(context: JobContext, target: Target, mode: IndexMode) -> Self {
        let checkpoint = context.attempt.checkpoint.as_ref();
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint["generation"] == target.generation);
        let counts =
            checkpoint.and_then(|checkpoint| serde_json::from_value(checkpoint["counts"].clone()).ok());
        let counts = counts.map(Counts::resumed).unwrap_or_default();
        let meter = Meter::new("indexing", "pictures", None);
        let (stages, seen, listed) = (Arc::default(), Arc::default(), Arc::default());
        Self { context, target, mode, counts, stages, seen, meter, listed }
    }

    /// Says how many objects there will be.
    pub fn expect(&mut self, total: u64) {
        self.meter.set_total(total);
    }

    /// Counts the objects of a listing beside the pipeline, so that progress has a total and an ETA early.
    pub fn count_in_background(&self, source: Source, prefix: String) {
        let (listed, stop) = (self.listed.clone(), self.context.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(COUNT_AFTER) => {}
                () = stop.tripped() => return,
            }
            let Ok(mut objects) = source.list(&prefix) else { return };
            while let Ok(Some(_)) = objects.try_next().await {
                // Nobody holds the other end any more when the pipeline is through.
                if stop.is_tripped() || Arc::strong_count(&listed) == 1 {
                    return;
                }
                listed.count.fetch_add(1, Ordering::Relaxed);
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
        let (context, target, stages) = (self.context.clone(), self.target.clone(), self.stages.clone());
        let (todo, todos) = mpsc::channel(WAITING);
        let (picture, pictures) = mpsc::channel(PICTURES);
        let (done, dones) = mpsc::channel(DONE);
        let plans = plan(context.clone(), target.clone(), self.seen.clone(), objects);
        let reader = Reader::new(&context, &target, stages.clone());
        let stages = async {
            tokio::try_join!(
                hand_out(plans, &stages, todo, done.clone()),
                reader.run(todos, picture, done.clone()),
                embed::run(&context, &target, &stages, pictures, done),
                self.store(dones),
            )
        };
        tokio::select! {
            ended = stages => ended.map(|_| ()),
            () = context.stop.tripped() => Err(JobError::Stopped),
        }
    }

    /// Removes the entries under a uri prefix whose objects were not listed.
    ///
    /// # Errors
    /// [`JobError`]; what was committed stays.
    pub async fn remove_unseen(&mut self, uri_prefix: &str, horizon: i64) -> Result<(), JobError> {
        let (seen, db) = (self.seen.clone(), self.context.db().clone());
        let (generation, mut after) = (self.target.generation, String::new());
        while let Some(missed) = seen.next_missed(&db, generation, uri_prefix, horizon, &mut after).await? {
            self.context.check_stop()?;
            if !missed.is_empty() {
                self.commit_removal(&missed).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing was listed.
    pub fn is_empty(&self) -> bool {
        self.seen.objects() == 0
    }

    /// Ends the job with its counters.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job is not ours any more.
    pub async fn succeed(self) -> Result<JobOutcome, JobError> {
        self.analyze().await;
        Ok(JobOutcome::Result(self.result()))
    }

    /// The planner learns of what has changed at once, and not when the database next looks around.
    pub async fn analyze(&self) {
        let Counts { added, updated, removed, .. } = self.counts;
        if added + updated + removed < ANALYZE_FROM {
            return;
        }
        if let Err(error) = gallery::analyze_tables(self.context.db(), self.target.generation).await {
            tracing::warn!(job.id = %self.context.attempt.job_id, %error, "the planner was not told of new entries");
        }
    }

    pub(super) fn note_progress(&mut self, counts: &Counts, phase: Option<&str>) -> Progress {
        if self.listed.complete.load(Ordering::Acquire) {
            self.meter.set_total(self.listed.count.load(Ordering::Relaxed));
        }
        let seconds = self.context.started.elapsed().as_secs_f64();
        let mut progress = self.meter.update(seconds, counts.done(), counts.failed).clone();
        if let Some(phase) = phase {
            phase.clone_into(&mut progress.phase);
        }
        progress
    }

    pub(super) fn result(&self) -> Value {
        let seconds = self.context.started.elapsed().as_secs_f64();
        let Counts { added, updated, unchanged, failed, removed } = self.counts;
        json!({
            "index": self.target.index,
            "generation": self.target.generation,
            "model": self.target.model.row.reference(),
            "listed": self.counts.done(),
            "added": added,
            "updated": updated,
            "unchanged": unchanged,
            "removed": removed,
            "failed": failed,
            "images_per_second": self.counts.done() as f64 / seconds.max(1e-9),
            "seconds": seconds,
            "stages": self.stages.to_json(),
        })
    }
}

/// Gives what has to be read to the reader, and what has not changed to the last stage.
async fn hand_out(
    mut plans: BoxStream<'static, Result<super::plan::Plan, JobError>>,
    stages: &Stages,
    todos: mpsc::Sender<Todo>,
    done: mpsc::Sender<Done>,
) -> Result<(), JobError> {
    while let Some(plan) = stages.list.input.time(plans.try_next()).await? {
        let hand_out = async {
            if plan.unchanged > 0 {
                done.send(Done::Unchanged(plan.unchanged)).await.map_err(|_| gone())?;
            }
            for todo in plan.todo {
                todos.send(todo).await.map_err(|_| gone())?;
            }
            Ok::<(), JobError>(())
        };
        stages.list.output.time(hand_out).await?;
    }
    Ok(())
}

//! Between the thread that trains and the task that stores.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lookalike_shared::domain::job::Progress as JobProgress;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::device::Sampler;
use crate::runtime::stop::{StopReason, StopToken};
use crate::training::{EpochRow, Observer, Phase, Progress, Snapshot, StepRow};

/// How often progress is handed over at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often a checkpoint is made at most: epochs may take a tenth of a second, and writing tens of megabytes
/// through to the disk after each would delay every commit of the database beside it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// Making checkpoints takes at most this share of the time.
const CHECKPOINT_SHARE: f64 = 0.05;

/// How often a step is told at most, and how many there are of a long run.
const STEP_INTERVAL: Duration = Duration::from_secs(1);
const STEP_ROWS: u32 = 2_000;
/// Steps that are handed over together.
const STEP_BATCH: usize = 10;

/// What the loop tells.
pub enum Message {
    /// How far it is.
    Progress(JobProgress),
    /// Some of the steps since the last of these: their numbers and figures.
    Steps(Vec<(i64, Value)>),
    /// The run goes on after so many epochs and steps.
    Resumed {
        /// Epochs that are done.
        epochs: u32,
        /// Steps that are done.
        steps: u64,
    },
    /// An epoch is over.
    Epoch {
        /// Counted from 1.
        epoch: u32,
        /// Its figures.
        row: Value,
    },
    /// What the run can be resumed from.
    Checkpoint(Vec<u8>),
    /// What the run decided by itself.
    Note(String),
}

/// Hands messages over and ends the loop when the attempt is to stop.
pub struct Reporter {
    stop: StopToken,
    messages: mpsc::Sender<Message>,
    started: Instant,
    device: Sampler,
    /// Epochs that were asked for.
    epochs: u32,
    /// Time between two checkpoints within an epoch.
    checkpoint_every: Duration,
    told: Instant,
    /// Pictures of an epoch, known once one has begun.
    per_epoch: u64,
    /// Pictures learnt, and when, at the start of what the rate is measured over; none before the first step.
    mark: Option<(u64, Instant)>,
    rate: Option<f64>,
    checkpointed: Option<Instant>,
    /// How long the last checkpoint took.
    cost: Duration,
    steps: Vec<(i64, Value)>,
    step_told: Instant,
}

impl Reporter {
    /// A reporter that heeds `stop`.
    pub fn new(
        stop: StopToken,
        messages: mpsc::Sender<Message>,
        device: Sampler,
        epochs: u32,
        checkpoint_every: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            stop,
            messages,
            started: now,
            device,
            epochs,
            checkpoint_every,
            told: now - INTERVAL,
            per_epoch: 0,
            mark: None,
            rate: None,
            checkpointed: None,
            cost: Duration::ZERO,
            steps: Vec::new(),
            step_told: now - STEP_INTERVAL,
        }
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.stop.is_tripped() || self.messages.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Whether `every` has passed since the last checkpoint, and enough time for making one to be cheap.
    fn is_due(&self, every: Duration) -> bool {
        let every = every.max(self.cost.div_f64(CHECKPOINT_SHARE));
        self.checkpointed.is_none_or(|last| last.elapsed() >= every)
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) {
        let started = Instant::now();
        // A later attempt measures only what comes after the checkpoint.
        self.hand_over_steps();
        match snapshot.checkpoint() {
            // A closed channel ends the loop soon.
            Ok(bytes) => _ = self.messages.blocking_send(Message::Checkpoint(bytes)),
            Err(error) => tracing::warn!(%error, "no checkpoint"),
        }
        self.cost = started.elapsed();
        self.checkpointed = Some(Instant::now());
    }

    fn hand_over_steps(&mut self) {
        if !self.steps.is_empty() {
            _ = self.messages.blocking_send(Message::Steps(std::mem::take(&mut self.steps)));
        }
    }

    /// Pictures per second, smoothed over about ten seconds.
    fn measure(&mut self, done: u64) {
        // Nothing is learnt before the arithmetic is chosen, and nothing is known of attempts before this one.
        let Some((before, since)) = self.mark.filter(|_| done > 0) else {
            self.mark = Some((done, Instant::now()));
            return;
        };
        let seconds = since.elapsed().as_secs_f64();
        if done < before || seconds < 0.5 {
            return;
        }
        let now = (done - before) as f64 / seconds;
        let weight = 1.0 - (-seconds / 10.0).exp();
        self.rate = Some(self.rate.map_or(now, |old| old + weight * (now - old)));
        self.mark = Some((done, Instant::now()));
    }

    fn job_progress(&mut self, progress: &Progress) -> JobProgress {
        let whole = u64::from(self.epochs) * self.per_epoch;
        let (phase, done, total) = match progress.phase {
            Phase::Train => {
                self.per_epoch = progress.total as u64;
                let done = u64::from(progress.epoch - 1) * self.per_epoch + progress.done as u64;
                self.measure(done);
                ("training", done, u64::from(self.epochs) * self.per_epoch)
            }
            // The epoch's pictures are all learnt by then.
            Phase::Validate => {
                let done = u64::from(progress.epoch) * self.per_epoch;
                self.mark = Some((done, Instant::now())).filter(|_| self.per_epoch > 0);
                ("validating", done, whole)
            }
            Phase::Evaluate => ("evaluating", progress.done as u64, progress.total as u64),
        };
        let rate = if progress.phase == Phase::Evaluate { None } else { self.rate };
        JobProgress {
            phase: phase.to_owned(),
            done,
            total: Some(total),
            unit: "pictures".to_owned(),
            failed: 0,
            rate,
            eta_seconds: progress.eta_seconds,
        }
    }
}

impl Observer for Reporter {
    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        if self.told.elapsed() >= INTERVAL {
            self.told = Instant::now();
            let progress = self.job_progress(&progress);
            // A full channel means that the last one is still being stored: this one is not needed.
            _ = self.messages.try_send(Message::Progress(progress));
        }
        self.go_on()
    }

    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()> {
        self.hand_over_steps();
        if self.is_due(CHECKPOINT_INTERVAL) {
            self.save(snapshot);
        }
        let used = self.device.sample();
        let mut value = json!(row);
        value["utilisation_percent"] = json!(used.utilisation_percent);
        value["memory_used_bytes"] = json!(used.memory_used_bytes);
        _ = self.messages.blocking_send(Message::Epoch { epoch: row.epoch, row: value });
        self.go_on()
    }

    fn resumed(&mut self, epochs: u32, steps: u64) {
        _ = self.messages.blocking_send(Message::Resumed { epochs, steps });
    }

    fn step(&mut self, row: &StepRow) {
        let interval = STEP_INTERVAL.max(self.started.elapsed() / STEP_ROWS);
        if self.step_told.elapsed() < interval {
            return;
        }
        self.step_told = Instant::now();
        self.steps.push((i64::try_from(row.step).unwrap_or(i64::MAX), json!(row)));
        if self.steps.len() >= STEP_BATCH {
            self.hand_over_steps();
        }
    }

    fn wants_checkpoint(&mut self) -> bool {
        // The first one within an epoch comes after the interval, not at once.
        let since = self.checkpointed.unwrap_or(self.started).elapsed();
        since >= self.checkpoint_every && self.is_due(self.checkpoint_every)
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) {
        if self.stop.reason() != Some(StopReason::Lost) {
            self.save(snapshot);
        }
    }

    fn note(&mut self, text: &str) {
        _ = self.messages.blocking_send(Message::Note(text.to_owned()));
    }
}

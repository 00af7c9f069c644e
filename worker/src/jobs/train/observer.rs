//! Between the thread that trains and the task that stores.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::runtime::stop::StopToken;
use crate::training::{EpochRow, Observer, Phase, Progress, Snapshot};

/// How often progress is handed over at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often a checkpoint is made at most: epochs may take a tenth of a second, and writing tens of megabytes
/// through to the disk after each would delay every commit of the database beside it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// What the loop tells.
pub enum Message {
    /// How far it is, in pictures over all epochs.
    Progress {
        /// What it is busy with.
        phase: &'static str,
        /// Pictures seen.
        done: u64,
    },
    /// An epoch is over.
    Epoch {
        /// Its figures.
        row: EpochRow,
        /// What the run can be resumed from: after the first epoch, then now and again.
        checkpoint: Option<Vec<u8>>,
    },
}

/// Hands messages over and ends the loop when the attempt is to stop.
pub struct Reporter {
    stop: StopToken,
    messages: mpsc::Sender<Message>,
    last: Instant,
    done: u64,
    /// Pictures of an epoch, known once one has begun.
    per_epoch: u64,
    checkpointed: Option<Instant>,
}

impl Reporter {
    /// A reporter that heeds `stop`.
    pub fn new(stop: StopToken, messages: mpsc::Sender<Message>) -> Self {
        Self { stop, messages, last: Instant::now() - INTERVAL, done: 0, per_epoch: 0, checkpointed: None }
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.stop.is_tripped() || self.messages.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Observer for Reporter {
    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            let phase = match progress.phase {
                Phase::Train => {
                    self.per_epoch = progress.total as u64;
                    self.done = u64::from(progress.epoch - 1) * self.per_epoch + progress.done as u64;
                    "training"
                }
                // The epoch's pictures are all seen by then.
                Phase::Validate | Phase::Evaluate => {
                    self.done = self.done.max(u64::from(progress.epoch) * self.per_epoch);
                    if progress.phase == Phase::Validate { "validating" } else { "evaluating" }
                }
            };
            let done = self.done;
            // A full channel means that the last one is still being stored: this one is not needed.
            _ = self.messages.try_send(Message::Progress { phase, done });
        }
        self.go_on()
    }

    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()> {
        let mut checkpoint = None;
        if self.checkpointed.is_none_or(|last| last.elapsed() >= CHECKPOINT_INTERVAL) {
            match snapshot.checkpoint() {
                Ok(bytes) => checkpoint = Some(bytes),
                Err(error) => tracing::warn!(%error, epoch = row.epoch, "no checkpoint of this epoch"),
            }
            self.checkpointed = Some(Instant::now());
        }
        // A closed channel ends the loop below.
        _ = self.messages.blocking_send(Message::Epoch { row: row.clone(), checkpoint });
        self.go_on()
    }
}

//! Who hears how a run goes.

use std::ops::ControlFlow;

use super::checkpoint::Snapshot;
use super::metrics::{EpochRow, Metrics, StepRow};

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Learning, and before that measuring which numbers to compute with, when nothing is done yet.
    Train,
    /// Judging the epoch by the validation pictures.
    Validate,
    /// Judging the finished model by retrieval.
    Evaluate,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Pictures of this phase that are done, of this epoch.
    pub done: usize,
    /// Pictures of this phase, of this epoch.
    pub total: usize,
    /// Time to the end of the run, once something can be said.
    pub eta_seconds: Option<f64>,
}

/// Hears how a run goes and may stop it.
pub trait Observer {
    /// Called before every batch. Breaking ends the run at once.
    fn progress(&mut self, progress: Progress) -> ControlFlow<()>;

    /// Called after every epoch. Breaking ends the run; the snapshot is what it can be resumed from.
    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()>;

    /// Called when a run goes on from a checkpoint, with the epochs and steps that are done; later ones are done again.
    fn resumed(&mut self, _epochs: u32, _steps: u64) {}

    /// Called after every step, one step late.
    fn step(&mut self, _row: &StepRow) {}

    /// Asked after every step: whether it is time for a checkpoint within the epoch.
    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    /// Called with what the run can be resumed from, when that was wanted, and when the run is stopped within an epoch.
    fn checkpoint(&mut self, _snapshot: &Snapshot<'_>) {}

    /// Told what the run decided by itself.
    fn note(&mut self, _text: &str) {}
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The network has its best weights and was judged.
    Finished(Box<Metrics>),
    /// The observer stopped it; the network is between two states and of no use.
    Stopped,
}

//! When a run will be over.

use super::checkpoint::History;
use super::metrics::EpochRow;
use super::observer::Phase;

/// Epochs that the next ones are judged by.
const RECENT: usize = 3;

/// What is known about a run's speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace<'a> {
    pub history: &'a History,
    /// Epochs that were asked for.
    pub epochs: u32,
    /// Training pictures of an epoch.
    pub pictures: usize,
    /// Validation pictures.
    pub validation: usize,
    /// Pictures that the finished model is judged by.
    pub judged: usize,
}

impl Pace<'_> {
    /// Seconds to the end, `spent` seconds into an epoch of which `done` pictures are learnt.
    pub fn eta(&self, phase: Phase, done: usize, spent: f64) -> Option<f64> {
        let left = f64::from(self.epochs.saturating_sub(self.history.epochs()));
        let spent = spent + self.history.partial.seconds;
        if let Some(epoch) = self.epoch_seconds(&self.history.rows) {
            return Some((left * epoch - spent).max(0.0) + self.judging_seconds(&self.history.rows));
        }
        // In the first epoch: as if judging took as long, for each picture, as a third of learning, its forward pass.
        let learnt = if phase == Phase::Train { done } else { self.pictures };
        if learnt == 0 || spent < 1.0 {
            return None;
        }
        let each = spent / learnt as f64;
        let looked_at = (self.validation as f64 * left + self.judged as f64) / 3.0;
        Some((each * (self.pictures as f64 * left + looked_at) - spent).max(0.0))
    }

    /// Seconds to the end after the epoch of `row`.
    pub fn after(&self, row: &EpochRow) -> f64 {
        let mut rows = self.history.rows.clone();
        rows.push(row.clone());
        let left = f64::from(self.epochs.saturating_sub(row.epoch));
        left * self.epoch_seconds(&rows).unwrap_or_default() + self.judging_seconds(&rows)
    }

    /// Pictures per second while the finished model is judged, as far as validation tells.
    pub fn judging(&self) -> Option<f64> {
        let seconds = self.judging_seconds(&self.history.rows);
        (seconds > 0.0).then(|| self.judged as f64 / seconds)
    }

    /// How long an epoch takes, without what only the first ones need.
    fn epoch_seconds(&self, rows: &[EpochRow]) -> Option<f64> {
        let recent = &rows[rows.len().saturating_sub(RECENT)..];
        let sum: f64 = recent.iter().map(|row| row.seconds - row.preparing_seconds).sum();
        (!recent.is_empty()).then(|| sum / recent.len() as f64)
    }

    fn judging_seconds(&self, rows: &[EpochRow]) -> f64 {
        let Some(row) = rows.last() else { return 0.0 };
        let validating = row.seconds - self.pictures as f64 / row.images_per_second;
        validating.max(0.0) / self.validation.max(1) as f64 * self.judged as f64
    }
}

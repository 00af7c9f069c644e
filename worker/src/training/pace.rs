//! When a run will be over.
//!
//! Told by the epochs that are done. Where not all layers learn yet (`gradual`), later epochs are slower: learning is
//! taken to cost one forward pass, and twice that for the way back through the layers that learn, in proportion to their
//! number. Where the head learns from stored features (`backbone`), epochs say nothing of the pass through the whole
//! network that judging the finished model takes; the time in which the features were computed does.

use super::checkpoint::Partial;
use super::config::FreezePolicy;
use super::metrics::EpochRow;
use super::observer::Phase;

/// Epochs that the next ones are judged by.
const RECENT: usize = 3;

/// The way back through a network, in forward passes: each layer works out the gradients of its input and its weights.
const BACKWARD: f64 = 2.0;

/// What is known about a run's speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace<'a> {
    /// Epochs that are done.
    pub rows: &'a [EpochRow],
    /// What is done of the next one.
    pub partial: Partial,
    /// Epochs that were asked for.
    pub epochs: u32,
    pub freeze: FreezePolicy,
    /// Whether the head learns from stored features.
    pub has_features: bool,
    /// Training pictures of an epoch.
    pub pictures: usize,
    /// Validation pictures.
    pub validation: usize,
    /// Pictures that retrieval after an epoch looks at.
    pub compared: usize,
    /// Pictures that the finished model is judged by.
    pub judged: usize,
}

/// Seconds that the parts of a run take.
struct Speed {
    /// One picture forward through what steps run: the network, or the head alone.
    forward: f64,
    /// One picture judged by the whole network.
    whole: f64,
    /// Judging after an epoch.
    judging: f64,
}

impl Pace<'_> {
    /// Seconds to the end, `spent` seconds after the last entry in the history, when `done` pictures of the epoch under
    /// way are learnt.
    pub fn eta(&self, phase: Phase, done: usize, spent: f64) -> Option<f64> {
        let next = self.rows.len() as u32 + 1;
        let spent = (spent + self.partial.seconds - self.partial.preparing).max(0.0);
        let speed = match self.rows.last() {
            Some(last) => self.seen(last),
            None => self.guessed(if phase == Phase::Train { done } else { self.pictures }, spent)?,
        };
        let epoch = |number: u32| self.passes(number) * speed.forward + speed.judging;
        let epochs: f64 = (next..=self.epochs).map(epoch).sum();
        // An epoch that takes longer than expected makes the later ones no shorter.
        let left = (epochs - spent.min(epoch(next))).max(0.0);
        Some(left + self.judged as f64 * speed.whole)
    }

    /// Seconds that each picture takes while the finished model is judged; nothing before the first epoch is done.
    pub fn evaluating(&self) -> Option<f64> {
        self.rows.last().map(|last| self.seen(last).whole)
    }

    /// Forward passes that learning an epoch, counted from 1, costs.
    fn passes(&self, epoch: u32) -> f64 {
        // Behind stored features the head alone is run, and all of it learns.
        let share = if self.has_features { 1.0 } else { self.freeze.learning_share(epoch) };
        self.pictures as f64 * (1.0 + BACKWARD * share)
    }

    /// The speed of the last epochs in which as much learnt as in the last one.
    fn seen(&self, last: &EpochRow) -> Speed {
        let passes = self.passes(last.epoch);
        let recent = self.rows.iter().rev().take(RECENT);
        let alike: Vec<&EpochRow> = recent.take_while(|row| self.passes(row.epoch) == passes).collect();
        let mean =
            |of: &dyn Fn(&EpochRow) -> f64| alike.iter().map(|row| of(row)).sum::<f64>() / alike.len() as f64;
        let forward = mean(&|row| self.learning(row)) / passes;
        if self.has_features {
            return self.assumed(forward, self.preparing());
        }
        let judging = mean(&|row| self.judging(row));
        Speed { forward, judging, whole: judging / (self.validation + self.compared).max(1) as f64 }
    }

    /// The speed in the first epoch, of which `learnt` pictures took `spent` seconds.
    fn guessed(&self, learnt: usize, spent: f64) -> Option<Speed> {
        if learnt == 0 || spent < 1.0 {
            return None;
        }
        let forward = spent / learnt as f64 * self.pictures as f64 / self.passes(1);
        let whole = if self.has_features { self.partial.preparing / self.pictures as f64 } else { forward };
        Some(self.assumed(forward, whole))
    }

    /// As if judging took a forward pass for each picture: of what learns for validation, of the whole for retrieval.
    fn assumed(&self, forward: f64, whole: f64) -> Speed {
        let judging = self.validation as f64 * forward + self.compared as f64 * whole;
        Speed { forward, whole, judging }
    }

    /// Seconds that each picture took on its way through the whole network, where features are stored: of the training
    /// pictures, which are augmented too, or of the validation pictures, whichever is less.
    fn preparing(&self) -> f64 {
        let slowest = |of: &dyn Fn(&EpochRow) -> f64| self.rows.iter().map(of).fold(0.0, f64::max);
        let training = slowest(&|row| row.preparing_seconds) / self.pictures as f64;
        let validation = slowest(&|row| self.judging(row)) / (self.validation + self.compared).max(1) as f64;
        training.min(validation)
    }

    /// Seconds of an epoch's steps, without what only the first epochs need.
    fn learning(&self, row: &EpochRow) -> f64 {
        self.pictures as f64 / row.images_per_second - row.preparing_seconds
    }

    /// Seconds in which an epoch was judged.
    fn judging(&self, row: &EpochRow) -> f64 {
        (row.seconds - self.pictures as f64 / row.images_per_second).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Pace<'static> {
        Pace {
            rows: &[],
            partial: Partial::default(),
            epochs: 15,
            freeze: FreezePolicy::None,
            has_features: false,
            pictures: 1000,
            validation: 200,
            compared: 0,
            judged: 1200,
        }
    }

    /// An epoch of 1000 pictures that took so many seconds for features, for steps and for judging.
    fn row(epoch: u32, preparing: f64, learning: f64, judging: f64) -> EpochRow {
        EpochRow {
            epoch,
            step: 0,
            loss: 0.0,
            train_accuracy: 0.0,
            validation_loss: 0.0,
            validation_accuracy: 0.0,
            precision_at_10: None,
            map: None,
            learning_rate: 0.0,
            images_per_second: 1000.0 / (preparing + learning),
            loader_wait_share: 0.0,
            seconds: preparing + learning + judging,
            preparing_seconds: preparing,
            elapsed_seconds: 0.0,
            eta_seconds: 0.0,
        }
    }

    fn after(pace: Pace<'_>) -> f64 {
        pace.eta(Phase::Train, 0, 0.0).unwrap()
    }

    /// Whether `found` is within a fifth of `expected`.
    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 0.2, "{found} is far from {expected}");
    }

    #[test]
    fn steady_epochs_and_their_judging_are_repeated() {
        let rows = [row(1, 0.0, 36.0, 2.0), row(2, 0.0, 30.0, 2.0)];
        // 13 more of (33 + 2) seconds, then 1200 pictures at 100 a second.
        assert!((after(Pace { rows: &rows, ..usual() }) - (13.0 * 35.0 + 12.0)).abs() < 1e-9);
        let done: Vec<EpochRow> = (1..=15).map(|epoch| row(epoch, 0.0, 30.0, 2.0)).collect();
        let pace = Pace { rows: &done, ..usual() };
        assert!((after(pace) - 12.0).abs() < 1e-9 && (pace.evaluating().unwrap() - 0.01).abs() < 1e-9);
    }

    #[test]
    fn retrieval_after_epochs_is_no_reason_to_think_the_network_slow() {
        // 200 validation pictures, then these again and 1000 training pictures, at 100 a second.
        let rows = [row(1, 0.0, 30.0, 14.0), row(2, 0.0, 30.0, 14.0)];
        let pace = Pace { rows: &rows, compared: 1200, ..usual() };
        assert!((after(pace) - (13.0 * 44.0 + 12.0)).abs() < 1e-9);
    }

    #[test]
    fn an_epoch_that_takes_longer_makes_later_ones_no_shorter() {
        let rows = [row(1, 0.0, 30.0, 2.0)];
        let pace = Pace { rows: &rows, ..usual() };
        let eta = |spent| pace.eta(Phase::Train, 500, spent).unwrap();
        assert!((eta(12.0) - (14.0 * 32.0 - 12.0 + 12.0)).abs() < 1e-9);
        assert!((eta(100.0) - (13.0 * 32.0 + 12.0)).abs() < 1e-9);
        assert_eq!(eta(100.0), eta(200.0));
    }

    #[test]
    fn with_stored_features_the_preparation_tells_how_long_the_finished_model_takes_to_judge() {
        // The network does 100 pictures a second, 90 with augmentation, and the head's steps take half a second.
        let rows = [row(1, 11.1, 0.5, 2.0), row(2, 11.1, 0.5, 0.03)];
        let pace = Pace { rows: &rows, freeze: FreezePolicy::Backbone, has_features: true, ..usual() };
        near(after(pace), 13.0 * 0.53 + 12.0);
        // Few validation pictures on a device that is still cold tell less than the preparation.
        let rows = [row(1, 11.1, 0.5, 9.0), row(2, 11.1, 0.5, 0.03)];
        near(after(Pace { rows: &rows, ..pace }), 13.0 * 0.53 + 12.0);
        // What an epoch under way spends on features is not taken off its steps.
        let preparing = Partial { seconds: 11.1, preparing: 11.1, ..Partial::default() };
        let pace = Pace { rows: &rows[..1], partial: preparing, ..pace };
        near(after(pace), 14.0 * 0.53 + 12.0);
    }

    #[test]
    fn gradual_freezing_makes_later_epochs_slower() {
        // Forward 10 seconds; back through each fifth of the layers, the last ones first, these.
        let fifths = [3.0, 3.5, 4.0, 4.5, 6.0];
        let epoch = |number: u32| {
            let back: f64 = fifths[..(number as usize - 1).min(5)].iter().sum();
            row(number, 0.0, 10.0 + back, 2.0)
        };
        let rows: Vec<EpochRow> = (1..=15).map(epoch).collect();
        let truth = |done: usize| rows[done..].iter().map(|row| row.seconds).sum::<f64>() + 12.0;
        let pace = Pace { freeze: FreezePolicy::Gradual, ..usual() };
        for done in 2..6 {
            near(after(Pace { rows: &rows[..done], ..pace }), truth(done));
        }
        // Once all layers learn, their own epochs are what counts.
        for done in 6..=15 {
            assert!((after(Pace { rows: &rows[..done], ..pace }) - truth(done)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_first_epoch_is_judged_by_its_steps() {
        assert_eq!(usual().eta(Phase::Train, 0, 5.0), None);
        // 100 pictures in 3 seconds: 30 an epoch, and a third of that for each picture that is judged.
        let eta = usual().eta(Phase::Train, 100, 3.0).unwrap();
        assert!((eta - (15.0 * (30.0 + 2.0) - 3.0 + 12.0)).abs() < 1e-9);
    }
}

//! Finding out which numbers a step is faster with.

use std::ops::ControlFlow;
use std::time::Instant;

use super::TrainError;
use super::average::copies;
use super::fit::Fit;
use super::observer::Phase;
use super::source::Input;
use crate::network::Precision;

/// Steps of each kind that are timed, after one that is not.
const TIMED: u32 = 3;

/// 16 bits must save at least this share of a step's time to be worth their coarseness.
const WORTH: f64 = 0.15;

impl Fit<'_> {
    /// Decides about the numbers to compute with; breaks when the observer does, who is asked before every step that is
    /// measured. Nothing of the network changes, unless it is stopped.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn choose_precision(&mut self) -> Result<ControlFlow<()>, TrainError> {
        self.history.precision = match self.config.precision.fixed() {
            Some(precision) => precision,
            // Where only the head learns there is nothing to gain.
            None if self.source.has_features() => Precision::F32,
            None => match self.measured()? {
                Some(precision) => precision,
                None => return Ok(ControlFlow::Break(())),
            },
        };
        Ok(ControlFlow::Continue(()))
    }

    fn measured(&mut self) -> Result<Option<Precision>, TrainError> {
        let own = copies(self.network)?;
        let batches = self.source.batches();
        let input = self.source.shown(self.network, &batches.batch(&batches.order(0), 0, 0))?;
        let Some(full) = self.step_seconds(&input, Precision::F32, f64::INFINITY)? else { return Ok(None) };
        let Some(half) = self.step_seconds(&input, Precision::Bf16, full)? else { return Ok(None) };
        self.network.restore(&own)?;
        let is_worth = half < full * (1.0 - WORTH);
        let (precision, name) = if is_worth { (Precision::Bf16, "bf16") } else { (Precision::F32, "f32") };
        let speed = full / half;
        self.observer.note(&format!("a step in bf16 is {speed:.2} times as fast as in f32: {name} is used"));
        Ok(Some(precision))
    }

    /// The shortest of some steps, without changing weights. No more are timed after one that takes longer than
    /// `longest`. Nothing when the observer breaks.
    fn step_seconds(
        &mut self,
        input: &Input,
        precision: Precision,
        longest: f64,
    ) -> Result<Option<f64>, TrainError> {
        self.history.precision = precision;
        let total = self.dataset.train().labels.len();
        let mut shortest = f64::INFINITY;
        for number in 0..=TIMED {
            if self.tell(Phase::Train, 0, total).is_break() {
                return Ok(None);
            }
            let started = Instant::now();
            let (loss, _) = self.answer(input, 0, number)?;
            self.optimizer.discard();
            // Reading the loss waits for the device.
            _ = loss.f_double_value(&[])?;
            // The first step warms the device up, and finds out in how many parts the batch goes through.
            if number > 0 {
                shortest = shortest.min(started.elapsed().as_secs_f64());
                if shortest > longest {
                    break;
                }
            }
        }
        Ok(Some(shortest))
    }
}

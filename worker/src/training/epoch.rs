//! One pass over the training pictures, step by step.

use std::ops::ControlFlow;
use std::time::Instant;

use tch::{Kind, TchError, Tensor};

use super::TrainError;
use super::checkpoint::Exact;
use super::fit::Fit;
use super::loader::Loader;
use super::metrics::StepRow;
use super::observer::Phase;
use super::predict::cross_entropy;
use super::random::{self, Purpose};
use super::schedule::learning_rate;
use super::source::Input;
use crate::network::Mode;

/// What a step gave; the tensors are fetched from the device later.
pub(super) struct Step {
    loss: Tensor,
    correct: Tensor,
    pictures: usize,
    learning_rate: f64,
    epoch: u32,
    number: u32,
}

impl Fit<'_> {
    /// Learns what is left of the epoch under way; breaks when the observer does. The history then says how far it
    /// came.
    pub(super) fn learn(&mut self) -> Result<ControlFlow<()>, TrainError> {
        let epoch = self.history.epochs() + 1;
        self.network.freeze(self.config.freeze.at(epoch, self.network.backbone()))?;
        if self.prepare(epoch)?.is_break() {
            self.settle_accounts()?;
            return Ok(ControlFlow::Break(()));
        }
        let batches = self.source.batches().clone();
        let order = batches.order(epoch);
        let first = self.history.partial.steps;
        std::thread::scope(|scope| {
            let has_features = self.source.has_features();
            let mut loader = (!has_features).then(|| Loader::start(scope, &batches, &order, epoch, first));
            for number in first..batches.steps() {
                if self.tell(Phase::Train, self.learnt(), order.len()).is_break() {
                    self.settle_accounts()?;
                    return Ok(ControlFlow::Break(()));
                }
                let input = self.input(loader.as_mut(), &order, epoch, number)?;
                self.step(&input, epoch, number)?;
                if self.observer.wants_checkpoint() {
                    self.settle_accounts()?;
                    self.offer_checkpoint();
                }
            }
            self.settle_accounts()?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn prepare(&mut self, epoch: u32) -> Result<ControlFlow<()>, TrainError> {
        let started = Instant::now();
        let total = self.dataset.train().labels.len();
        let eta = self.pace().eta(Phase::Train, 0, 0.0);
        let observer = &mut *self.observer;
        let progress = &mut |done| {
            let phase = Phase::Train;
            observer.progress(super::Progress { phase, epoch, done, total, eta_seconds: eta })
        };
        let prepared = self.source.prepare(self.network, epoch, progress)?;
        self.history.partial.preparing += started.elapsed().as_secs_f64();
        Ok(prepared)
    }

    /// Pictures of this epoch that were learnt, the last step's included.
    fn learnt(&self) -> usize {
        self.history.partial.pictures + self.pending.as_ref().map_or(0, |step| step.pictures)
    }

    fn input(
        &mut self,
        loader: Option<&mut Loader>,
        order: &[usize],
        epoch: u32,
        number: u32,
    ) -> Result<Input, TrainError> {
        if let Some(input) = self.source.stored(order, epoch, number)? {
            return Ok(input);
        }
        let batch = loader.and_then(|loader| {
            let before = loader.waited();
            let batch = loader.next();
            self.history.partial.waited += (loader.waited() - before).as_secs_f64();
            batch
        });
        let batch = batch.expect("a loader runs and has a batch for each step");
        self.source.shown(self.network, &batch)
    }

    fn step(&mut self, input: &Input, epoch: u32, number: u32) -> Result<(), TrainError> {
        let (loss, correct) = self.answer(input, epoch, number)?;
        let learning_rate = learning_rate(self.config, self.optimizer.steps(), self.source.batches().steps());
        self.optimizer.step(learning_rate)?;
        if let Some(average) = &mut self.average {
            average.update(self.network, self.optimizer.steps())?;
        }
        let step = Step { loss, correct, pictures: input.len(), learning_rate, epoch, number };
        // A GPU works on this step while the figures of the one before are fetched.
        if let Some(before) = self.pending.replace(step) {
            self.add(&before)?;
        }
        Ok(())
    }

    /// Adds up the gradients of a step; gives its mean loss and how many pictures were classified correctly. When the
    /// device's memory is too small for the batch, it goes through in more parts, from now on.
    pub(super) fn answer(
        &mut self,
        input: &Input,
        epoch: u32,
        number: u32,
    ) -> Result<(Tensor, Tensor), TrainError> {
        loop {
            let error = match self.answer_in_parts(input, epoch, number) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            self.optimizer.discard();
            self.history.parts = more_parts(&error, self.history.parts, input.len()).ok_or(error)?;
            self.observer.note(&format!(
                "the device's memory is too small for a batch of {}: it goes through in {} parts",
                input.len(),
                self.history.parts
            ));
        }
    }

    fn answer_in_parts(
        &mut self,
        input: &Input,
        epoch: u32,
        number: u32,
    ) -> Result<(Tensor, Tensor), TrainError> {
        let mut rng = random::stream(self.config.seed, Purpose::Dropout, epoch, number);
        let parts = self.history.parts.min(input.len() as u32);
        let mut sums: Option<(Tensor, Tensor)> = None;
        for part in 0..parts {
            let part = input.part(part, parts)?;
            let mode = Mode::Train { rng: &mut rng, precision: self.history.precision };
            let logits = self.source.logits(self.network, &part, mode)?;
            let share = part.len() as f64 / input.len() as f64;
            let loss = loss(&logits, &part, self.config.label_smoothing)?.f_multiply_scalar(share)?;
            self.optimizer.accumulate(&loss)?;
            let correct = logits.f_detach()?.f_argmax(1, false)?.f_eq_tensor(&part.labels)?;
            let (loss, correct) = (loss.f_detach()?, correct.f_sum(Kind::Float)?);
            sums = Some(match sums {
                Some((losses, right)) => (losses.f_add(&loss)?, right.f_add(&correct)?),
                None => (loss, correct),
            });
        }
        Ok(sums.expect("a step has at least one part"))
    }

    /// Fetches what is still outstanding, so that the history says all.
    fn settle_accounts(&mut self) -> Result<(), TrainError> {
        if let Some(step) = self.pending.take() {
            self.add(&step)?;
        }
        self.history.steps = self.optimizer.steps();
        self.take_time();
        Ok(())
    }

    fn take_time(&mut self) {
        self.history.partial.seconds += self.lap.elapsed().as_secs_f64();
        self.lap = Instant::now();
    }

    fn add(&mut self, step: &Step) -> Result<(), TrainError> {
        let loss = step.loss.f_double_value(&[])?;
        if !loss.is_finite() {
            let Step { epoch, number, learning_rate, .. } = *step;
            return Err(TrainError::Diverged { loss, epoch, step: number + 1, learning_rate });
        }
        let correct = step.correct.f_double_value(&[])?;
        self.take_time();
        let partial = &mut self.history.partial;
        partial.steps = step.number + 1;
        partial.pictures += step.pictures;
        partial.loss = Exact(partial.loss.0 + loss * step.pictures as f64);
        partial.correct = Exact(partial.correct.0 + correct);
        partial.learning_rate = Exact(step.learning_rate);
        let partial = self.history.partial;
        let before: f64 = self.history.rows.iter().map(|row| row.seconds).sum();
        self.observer.step(&StepRow {
            step: u64::from(step.epoch - 1) * u64::from(self.source.batches().steps())
                + u64::from(partial.steps),
            epoch: step.epoch,
            loss,
            accuracy: correct / step.pictures as f64,
            learning_rate: step.learning_rate,
            images_per_second: partial.pictures as f64 / partial.seconds,
            loader_wait_share: partial.waited / partial.seconds,
            elapsed_seconds: before + partial.seconds,
        });
        Ok(())
    }
}

/// In how many parts a batch of `pictures` is tried again that failed in `parts`: nothing when memory was not the
/// reason, or each part was a single picture.
pub(super) fn more_parts(error: &TrainError, parts: u32, pictures: usize) -> Option<u32> {
    (error.is_out_of_memory() && (parts as usize) < pictures).then_some(parts * 2)
}

/// Mean loss; of mixed pictures a mean of both classes' losses, weighted as the pictures are.
fn loss(logits: &Tensor, input: &Input, smoothing: f64) -> Result<Tensor, TchError> {
    let own = cross_entropy(logits, &input.labels, smoothing)?;
    match &input.mixed {
        Some((others, share)) => cross_entropy(logits, others, smoothing)?.f_lerp(&own, *share),
        None => Ok(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_that_of_smoothed_and_mixed_targets() {
        // Logits are the logarithms of probabilities, which softmax gives back. A smoothing of 0.3 over three classes
        // makes the target 0.8 for the true class and 0.1 for each other one.
        let logits = Tensor::from_slice(&[0.5_f64, 0.3, 0.2, 0.1, 0.7, 0.2]).log().view([2, 3]);
        let row = |target: [f64; 3], seen: [f64; 3]| -> f64 {
            -target.iter().zip(seen).map(|(target, seen)| target * seen.ln()).sum::<f64>()
        };
        let (first, second) = ([0.5, 0.3, 0.2], [0.1, 0.7, 0.2]);
        let own = (row([0.8, 0.1, 0.1], first) + row([0.1, 0.8, 0.1], second)) / 2.0;
        let others = (row([0.1, 0.1, 0.8], first) + row([0.8, 0.1, 0.1], second)) / 2.0;
        let input = |mixed| Input {
            values: logits.shallow_clone(),
            labels: Tensor::from_slice(&[0_i64, 1]),
            mixed,
            is_features: true,
        };
        let found = |input: &Input| loss(&logits, input, 0.3).unwrap().double_value(&[]);
        assert!((own - 0.756_200_5).abs() < 1e-6 && (found(&input(None)) - own).abs() < 1e-9);
        let partners = Some((Tensor::from_slice(&[2_i64, 0]), 0.75));
        let mixed = 0.75 * own + 0.25 * others;
        assert!((mixed - 1.006_643_1).abs() < 1e-6 && (found(&input(partners)) - mixed).abs() < 1e-9);
    }
}

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

    /// One step. When the device's memory is too small for the batch, it goes through in more parts, from now on.
    fn step(&mut self, input: &Input, epoch: u32, number: u32) -> Result<(), TrainError> {
        let (loss, correct) = loop {
            match self.answer(input, epoch, number) {
                Err(error) if error.is_out_of_memory() && (self.history.parts as usize) < input.len() => {
                    self.optimizer.discard();
                    self.history.parts *= 2;
                    let note = format!(
                        "the device's memory is too small for a batch of {}: it goes through in {} parts",
                        input.len(),
                        self.history.parts
                    );
                    self.observer.note(&note);
                }
                other => break other?,
            }
        };
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

    /// Adds up the gradients of a step; gives its mean loss and how many pictures were classified correctly.
    fn answer(&mut self, input: &Input, epoch: u32, number: u32) -> Result<(Tensor, Tensor), TrainError> {
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

/// Mean loss; of mixed pictures a mean of both classes' losses, weighted as the pictures are.
fn loss(logits: &Tensor, input: &Input, smoothing: f64) -> Result<Tensor, TchError> {
    let own = cross_entropy(logits, &input.labels, smoothing)?;
    match &input.mixed {
        Some((others, share)) => cross_entropy(logits, others, smoothing)?.f_lerp(&own, *share),
        None => Ok(own),
    }
}

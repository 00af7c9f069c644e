//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use tch::{Kind, Tensor};

use super::TrainError;
use super::batches;
use super::checkpoint::{self, History, Snapshot};
use super::config::TrainConfig;
use super::dataset::{Dataset, DatasetError};
use super::evaluation;
use super::metrics::{EpochRow, Metrics};
use super::optimizer::Optimizer;
use super::predict::{accuracy, classes, cross_entropy, loss};
use super::schedule::learning_rate;
use super::source::{Answered, Source};
use crate::network::{Freeze, Network};

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Learning.
    Train,
    /// Judging the epoch by the validation pictures.
    Validate,
    /// Judging the finished model by retrieval.
    Evaluate,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Pictures of this phase that are done, of this epoch.
    pub done: usize,
    /// Pictures of this phase, of this epoch.
    pub total: usize,
}

/// Hears how a run goes and may stop it.
pub trait Observer {
    /// Called before every batch. Breaking ends the run at once.
    fn progress(&mut self, progress: Progress) -> ControlFlow<()>;

    /// Called after every epoch. Breaking ends the run; the snapshot is what it can be resumed from.
    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()>;
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The network has its best weights and was judged.
    Finished(Box<Metrics>),
    /// The observer stopped it; the network is between two states and of no use.
    Stopped,
}

/// Trains `network` on `dataset`, or goes on from the checkpoint `resume`.
///
/// Blocks its thread until the end. A run resumed from a checkpoint ends as one that was not interrupted: on CPUs bit
/// for bit, given the same network at the start, settings, pictures and number of threads. Checkpoints hold what
/// learns, so a frozen backbone is not in them and must be in `network` again.
///
/// # Errors
/// When settings, pictures, network and checkpoint do not go together, the loss diverges or the device fails.
pub fn train(
    network: &mut Network,
    dataset: &Dataset,
    config: &TrainConfig,
    resume: Option<&[u8]>,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    config.check()?;
    if network.classes() != dataset.classes() {
        let (network, dataset) = (network.classes(), dataset.classes());
        return Err(DatasetError::OtherClasses { network, dataset }.into());
    }
    network.freeze(config.freeze)?;
    let mut optimizer = Optimizer::new(network, config)?;
    let mut history = History::new(network, config);
    let mut best = None;
    if let Some(bytes) = resume {
        let resumed = checkpoint::resume(bytes, network, &mut optimizer, config)?;
        history = resumed.history;
        best = resumed.best;
    } else if config.freeze == Freeze::None && network.has_folded_norms()? {
        settle(network, dataset, config)?;
    }
    // Checkpoints and settling change what batch norms look like, on which it depends whether they measure.
    network.freeze(config.freeze)?;
    let source = Source::new(network, dataset, config)?;
    Fit { network, dataset, config, source, optimizer, history, best, observer }.run()
}

/// Measures the statistics of folded batch norms on pictures spread evenly over the training part.
fn settle(network: &mut Network, dataset: &Dataset, config: &TrainConfig) -> Result<(), TrainError> {
    const PICTURES: usize = 64;
    let part = dataset.train();
    let chosen = evaluation::spread(part.labels.len(), PICTURES);
    let pixels = batches::centres(&part.pictures, &chosen, dataset.image_size());
    let pictures = config.normalisation.tensor(&pixels, dataset.image_size(), network.device())?;
    Ok(network.settle(&pictures)?)
}

struct Fit<'a> {
    network: &'a mut Network,
    dataset: &'a Dataset,
    config: &'a TrainConfig,
    source: Source<'a>,
    optimizer: Optimizer,
    history: History,
    /// The best weights, when the latest are not the best.
    best: Option<Vec<(String, Tensor)>>,
    observer: &'a mut dyn Observer,
}

/// What learning in one epoch gave.
struct Learnt {
    loss: f64,
    accuracy: f64,
    learning_rate: f64,
    seconds: f64,
}

impl Fit<'_> {
    fn run(mut self) -> Result<Outcome, TrainError> {
        while self.history.epochs() < self.config.epochs && !self.is_stuck() {
            let epoch_started = Instant::now();
            let Some(learnt) = self.learn()? else { return Ok(Outcome::Stopped) };
            let Some(row) = self.judge(&learnt, epoch_started)? else { return Ok(Outcome::Stopped) };
            self.keep_best(&row);
            self.history.rows.push(row);
            self.history.steps = self.optimizer.steps();
            if self.report().is_break() {
                return Ok(Outcome::Stopped);
            }
        }
        self.finish()
    }

    /// Whether patience is used up.
    fn is_stuck(&self) -> bool {
        let waited = self.history.epochs() - self.history.best_epoch;
        self.config.early_stopping.is_some_and(|stopping| waited >= stopping.patience.max(1))
            && self.history.epochs() > 0
    }

    fn report(&mut self) -> ControlFlow<()> {
        let snapshot = Snapshot {
            network: self.network,
            optimizer: &self.optimizer,
            best: self.best.as_deref(),
            history: &self.history,
        };
        let row = self.history.rows.last().expect("a row was just added");
        self.observer.epoch(row, &snapshot)
    }

    /// One pass over the training pictures; nothing when the observer stops it.
    fn learn(&mut self) -> Result<Option<Learnt>, TrainError> {
        let started = Instant::now();
        self.save_best()?;
        let epoch = self.history.epochs() + 1;
        let total = self.dataset.train().labels.len();
        let tell = |observer: &mut dyn Observer, done| {
            observer.progress(Progress { phase: Phase::Train, epoch, done, total })
        };
        let order = self.source.start(self.network, epoch, &mut |done| tell(self.observer, done))?;
        let Some(order) = order else { return Ok(None) };
        let mut sums = Sums::default();
        let mut waiting: Option<Step> = None;
        let mut done = 0;
        for number in 0..self.source.steps() {
            if tell(self.observer, done).is_break() {
                return Ok(None);
            }
            let step = self.step(&order, epoch, number)?;
            done += step.pictures;
            // A GPU works on this step while the figures of the one before are fetched.
            if let Some(before) = waiting.replace(step) {
                sums.add(&before)?;
            }
        }
        let last = waiting.expect("an epoch has at least one step");
        sums.add(&last)?;
        let count = sums.pictures as f64;
        Ok(Some(Learnt {
            loss: sums.loss / count,
            accuracy: sums.correct / count,
            learning_rate: last.learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        }))
    }

    fn step(&mut self, order: &[usize], epoch: u32, number: u32) -> Result<Step, TrainError> {
        let Answered { logits, labels, pictures } = self.source.answer(self.network, order, epoch, number)?;
        let loss = cross_entropy(&logits, &labels, self.config.label_smoothing)?;
        let learning_rate = learning_rate(self.config, self.optimizer.steps(), self.source.steps());
        self.optimizer.step(&loss, learning_rate)?;
        let correct = logits.f_detach()?.f_argmax(1, false)?.f_eq_tensor(&labels)?;
        let correct = correct.f_sum(Kind::Float)?;
        Ok(Step { loss: loss.f_detach()?, correct, pictures, learning_rate, epoch, number })
    }

    /// The row of an epoch; nothing when the observer stops its validation.
    fn judge(&mut self, learnt: &Learnt, started: Instant) -> Result<Option<EpochRow>, TrainError> {
        let epoch = self.history.epochs() + 1;
        let part = self.dataset.validation();
        let total = part.labels.len();
        let observer = &mut *self.observer;
        let progress = &mut |done| observer.progress(Progress { phase: Phase::Validate, epoch, done, total });
        let Some(logits) = self.source.validate(self.network, progress)? else { return Ok(None) };
        let all: Vec<usize> = (0..total).collect();
        let labels = evaluation::labels(part, &all);
        let validation_loss = loss(&logits, &labels)?;
        if !validation_loss.is_finite() {
            let (step, learning_rate) = (self.source.steps(), learnt.learning_rate);
            return Err(TrainError::Diverged { loss: validation_loss, epoch, step, learning_rate });
        }
        Ok(Some(EpochRow {
            epoch,
            loss: learnt.loss,
            train_accuracy: learnt.accuracy,
            validation_loss,
            validation_accuracy: accuracy(&classes(&logits)?, &labels),
            learning_rate: learnt.learning_rate,
            images_per_second: self.dataset.train().labels.len() as f64 / learnt.seconds,
            seconds: started.elapsed().as_secs_f64(),
        }))
    }

    /// Notes whether the epoch is the best one.
    fn keep_best(&mut self, row: &EpochRow) {
        let best = self.history.best_epoch.checked_sub(1).map(|index| &self.history.rows[index as usize]);
        let better = best.is_none_or(|best| {
            let accuracy = row.validation_accuracy.total_cmp(&best.validation_accuracy);
            accuracy.then(best.validation_loss.total_cmp(&row.validation_loss)).is_gt()
        });
        if better {
            self.history.best_epoch = row.epoch;
            self.best = None;
        }
    }

    /// Copies the weights before they change, when they are the best so far.
    fn save_best(&mut self) -> Result<(), TrainError> {
        if self.best.is_some() || self.history.rows.is_empty() {
            return Ok(());
        }
        let mut copies = Vec::new();
        for (name, tensor) in self.network.changing() {
            let mut copy = tensor.f_detach()?.f_empty_like()?;
            copy.f_copy_(&tensor.f_detach()?)?;
            copies.push((name.to_owned(), copy));
        }
        self.best = Some(copies);
        Ok(())
    }

    /// Takes the best weights and judges them.
    fn finish(mut self) -> Result<Outcome, TrainError> {
        if let Some(best) = self.best.take() {
            self.network.restore(&best)?;
        }
        let started = Instant::now();
        let epoch = self.history.epochs();
        let observer = &mut *self.observer;
        let progress =
            &mut |done, total| observer.progress(Progress { phase: Phase::Evaluate, epoch, done, total });
        let judged = evaluation::evaluate(self.network, self.dataset, &self.config.normalisation, progress)?;
        let Some(judged) = judged else { return Ok(Outcome::Stopped) };
        let rows = &self.history.rows;
        let pictures = rows.len() as f64 * self.dataset.train().labels.len() as f64;
        let learning: f64 =
            rows.iter().map(|row| self.dataset.train().labels.len() as f64 / row.images_per_second).sum();
        Ok(Outcome::Finished(Box::new(Metrics {
            epochs: epoch,
            best_epoch: self.history.best_epoch,
            steps: self.history.steps,
            images_per_second: pictures / learning,
            seconds: rows.iter().map(|row| row.seconds).sum::<f64>() + started.elapsed().as_secs_f64(),
            ..judged
        })))
    }
}

/// What a step gave; the tensors are fetched from the device later.
struct Step {
    loss: Tensor,
    correct: Tensor,
    pictures: usize,
    learning_rate: f64,
    epoch: u32,
    number: u32,
}

/// What the steps of an epoch add up to.
#[derive(Default)]
struct Sums {
    loss: f64,
    correct: f64,
    pictures: usize,
}

impl Sums {
    fn add(&mut self, step: &Step) -> Result<(), TrainError> {
        let loss = step.loss.f_double_value(&[])?;
        if !loss.is_finite() {
            let Step { epoch, number, learning_rate, .. } = *step;
            return Err(TrainError::Diverged { loss, epoch, step: number + 1, learning_rate });
        }
        self.loss += loss * step.pictures as f64;
        self.correct += step.correct.f_double_value(&[])?;
        self.pictures += step.pictures;
        Ok(())
    }
}

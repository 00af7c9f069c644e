//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use tch::{Kind, Tensor};

use super::batches::{Batch, Batches};
use super::checkpoint::{self, History, Snapshot};
use super::colour::PrincipalColours;
use super::config::TrainConfig;
use super::dataset::{Dataset, DatasetError};
use super::evaluation;
use super::metrics::{EpochRow, Metrics};
use super::optimizer::Optimizer;
use super::predict::{accuracy, predict};
use super::random::{self, Purpose};
use super::schedule::learning_rate;
use super::TrainError;
use crate::network::{Freeze, Mode, Network};

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
/// for bit, given the same settings, pictures and number of threads.
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
    let batches = batches(dataset, config)?;
    Fit { network, dataset, config, batches, optimizer, history, best, observer }.run()
}

fn batches<'a>(dataset: &'a Dataset, config: &TrainConfig) -> Result<Batches<'a>, TrainError> {
    let part = dataset.train();
    let colours = config.augment.color_pca.then(|| PrincipalColours::of(&part.pictures)).transpose()?;
    Ok(Batches {
        part,
        size: dataset.image_size(),
        batch_size: config.batch_size,
        augment: config.augment,
        colours,
        seed: config.seed,
    })
}

/// Measures the statistics of folded batch norms on pictures spread evenly over the training part.
fn settle(network: &mut Network, dataset: &Dataset, config: &TrainConfig) -> Result<(), TrainError> {
    const PICTURES: usize = 64;
    let part = dataset.train();
    let chosen = evaluation::spread(part.labels.len(), PICTURES);
    let pixels = super::batches::centres(&part.pictures, &chosen, dataset.image_size());
    let pictures = config.normalisation.tensor(&pixels, dataset.image_size(), network.device())?;
    Ok(network.settle(&pictures)?)
}

struct Fit<'a> {
    network: &'a mut Network,
    dataset: &'a Dataset,
    config: &'a TrainConfig,
    batches: Batches<'a>,
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
        let order = self.batches.order(epoch);
        let mut sums = Sums::default();
        let mut waiting: Option<Step> = None;
        for number in 0..self.batches.steps() {
            let progress =
                Progress { phase: Phase::Train, epoch, done: sums.pictures, total: order.len() };
            if self.observer.progress(progress).is_break() {
                return Ok(None);
            }
            let batch = self.batches.batch(&order, epoch, number);
            let step = self.step(&batch, epoch, number)?;
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

    fn step(&mut self, batch: &Batch, epoch: u32, number: u32) -> Result<Step, TrainError> {
        let device = self.network.device();
        let size = self.dataset.image_size();
        let pictures = self.config.normalisation.shifted(&batch.pixels, size, &batch.shifts, device)?;
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(device)?;
        let mut rng = random::stream(self.config.seed, Purpose::Dropout, epoch, number);
        let logits = self.network.forward(&pictures, Mode::Train { rng: &mut rng })?.logits;
        let weights: Option<Tensor> = None;
        let smoothing = self.config.label_smoothing;
        let loss = logits.f_cross_entropy_loss(&labels, weights, tch::Reduction::Mean, -100, smoothing)?;
        let learning_rate = learning_rate(self.config, self.optimizer.steps(), self.batches.steps());
        self.optimizer.step(&loss, learning_rate)?;
        let correct = logits.f_detach()?.f_argmax(1, false)?.f_eq_tensor(&labels)?;
        let correct = correct.f_sum(Kind::Float)?;
        Ok(Step { loss: loss.f_detach()?, correct, pictures: batch.labels.len(), learning_rate, epoch, number })
    }

    /// The row of an epoch; nothing when the observer stops its validation.
    fn judge(&mut self, learnt: &Learnt, started: Instant) -> Result<Option<EpochRow>, TrainError> {
        let epoch = self.history.epochs() + 1;
        let part = self.dataset.validation();
        let total = part.labels.len();
        let all: Vec<usize> = (0..total).collect();
        let observer = &mut *self.observer;
        let predictions = predict(
            &self.network.folded()?,
            &part.pictures,
            &all,
            self.dataset.image_size(),
            &self.config.normalisation,
            &mut |done| observer.progress(Progress { phase: Phase::Validate, epoch, done, total }),
        )?;
        let Some(predictions) = predictions else { return Ok(None) };
        let labels = evaluation::labels(part, &all);
        Ok(Some(EpochRow {
            epoch,
            loss: learnt.loss,
            train_accuracy: learnt.accuracy,
            validation_loss: predictions.loss(&labels)?,
            validation_accuracy: accuracy(&predictions.classes()?, &labels),
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
        for (name, tensor) in self.network.tensors().named() {
            copies.push((name.to_owned(), tensor.f_detach()?.f_clone(tensor)?));
        }
        self.best = Some(copies);
        Ok(())
    }

    /// Takes the best weights and judges them.
    fn finish(mut self) -> Result<Outcome, TrainError> {
        if let Some(best) = self.best.take() {
            self.network.restore(&best)?;
        }
        let epoch = self.history.epochs();
        let observer = &mut *self.observer;
        let progress = &mut |done, total| {
            observer.progress(Progress { phase: Phase::Evaluate, epoch, done, total })
        };
        let judged = evaluation::evaluate(self.network, self.dataset, &self.config.normalisation, progress)?;
        let Some(judged) = judged else { return Ok(Outcome::Stopped) };
        let rows = &self.history.rows;
        let pictures = rows.len() as f64 * self.dataset.train().labels.len() as f64;
        let learning: f64 = rows.iter().map(|row| self.dataset.train().labels.len() as f64 / row.images_per_second).sum();
        Ok(Outcome::Finished(Box::new(Metrics {
            epochs: epoch,
            best_epoch: self.history.best_epoch,
            steps: self.history.steps,
            images_per_second: pictures / learning,
            seconds: rows.iter().map(|row| row.seconds).sum(),
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

//! The story of a run: settle, then epoch after epoch learn and judge, then take the best weights and judge them.

use std::ops::ControlFlow;
use std::time::Instant;

use tch::Tensor;

use super::TrainError;
use super::average::{self, Average};
use super::batches;
use super::checkpoint::{self, Exact, History, Partial, Snapshot};
use super::config::{BestBy, FreezePolicy, TrainConfig};
use super::dataset::{Dataset, DatasetError};
use super::epoch::Step;
use super::evaluation;
use super::metrics::{EpochRow, Metrics};
use super::observer::{Observer, Outcome, Phase, Progress};
use super::optimizer::Optimizer;
use super::pace::Pace;
use super::predict::{accuracy, classes, loss};
use super::source::Source;
use crate::network::Network;

/// Trains `network` on `dataset`, or goes on from the checkpoint `resume`.
///
/// Blocks its thread until the end. A run resumed from a checkpoint ends as one that was not interrupted: on CPUs bit
/// for bit, given the same network at the start, settings, pictures and number of threads.
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
    let mut fit = Fit::begin(network, dataset, config, resume, observer)?;
    if resume.is_none() && fit.choose_precision()?.is_break() {
        return Ok(Outcome::Stopped);
    }
    fit.run()
}

fn learns_norms(freeze: FreezePolicy) -> bool {
    match freeze {
        FreezePolicy::None | FreezePolicy::Gradual => true,
        FreezePolicy::Backbone | FreezePolicy::Norm => false,
    }
}

/// Measures the statistics of folded batch norms on pictures spread evenly over the training part.
fn settle(network: &mut Network, dataset: &Dataset, config: &TrainConfig) -> Result<(), TrainError> {
    const PICTURES: usize = 64;
    let part = dataset.train();
    let chosen = evaluation::spread(part.labels.len(), PICTURES);
    let pixels = batches::whole(&part.pictures, &chosen, dataset.image_size());
    let pictures = config.normalisation.tensor(&pixels, dataset.image_size(), network.device())?;
    Ok(network.settle(&pictures)?)
}

/// A run under way.
pub(super) struct Fit<'a> {
    pub network: &'a mut Network,
    pub dataset: &'a Dataset,
    pub config: &'a TrainConfig,
    pub source: Source<'a>,
    pub optimizer: Optimizer,
    pub average: Option<Average>,
    pub history: History,
    /// The weights of the best epoch.
    pub best: Option<Vec<(String, Tensor)>>,
    /// The last step, whose figures the device may still be working on.
    pub pending: Option<Step>,
    /// When time was last added to the history.
    pub lap: Instant,
    pub observer: &'a mut dyn Observer,
}

impl<'a> Fit<'a> {
    /// A run at its start, or where a checkpoint was made.
    pub fn begin(
        network: &'a mut Network,
        dataset: &'a Dataset,
        config: &'a TrainConfig,
        resume: Option<&[u8]>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, TrainError> {
        config.check()?;
        if network.classes() != dataset.classes() {
            let (network, dataset) = (network.classes(), dataset.classes());
            return Err(DatasetError::OtherClasses { network, dataset }.into());
        }
        network.freeze(config.freeze.at(u32::MAX, network.backbone()))?;
        let mut optimizer = Optimizer::new(network, config)?;
        if resume.is_none() && learns_norms(config.freeze) && network.has_folded_norms()? {
            settle(network, dataset, config)?;
        }
        let mut average =
            (config.ema_decay > 0.0).then(|| Average::new(network, config.ema_decay)).transpose()?;
        let mut history = History::new(network, config);
        let mut best = None;
        if let Some(bytes) = resume {
            let resumed = checkpoint::resume(bytes, network, &mut optimizer, average.as_mut(), config)?;
            history = resumed.history;
            observer.resumed(history.epochs(), history.steps);
            best = resumed.best;
        }
        // Checkpoints and settling change what batch norms look like, on which it depends whether they measure.
        network.freeze(config.freeze.at(history.epochs() + 1, network.backbone()))?;
        let source = Source::new(network, dataset, config)?;
        Ok(Self {
            network,
            dataset,
            config,
            source,
            optimizer,
            average,
            history,
            best,
            pending: None,
            lap: Instant::now(),
            observer,
        })
    }

    /// Goes through to the end.
    pub fn run(mut self) -> Result<Outcome, TrainError> {
        while self.history.epochs() < self.config.epochs && !self.is_stuck() {
            self.lap = Instant::now();
            if self.learn()?.is_break() {
                self.offer_checkpoint();
                return Ok(Outcome::Stopped);
            }
            let Some(row) = self.judge()? else {
                self.offer_checkpoint();
                return Ok(Outcome::Stopped);
            };
            self.keep_best(&row)?;
            self.history.rows.push(row);
            self.history.partial = Partial::default();
            self.note_eta();
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

    /// Tells progress; breaks when the observer does.
    pub fn tell(&mut self, phase: Phase, done: usize, total: usize) -> ControlFlow<()> {
        let epoch = (self.history.epochs() + 1).min(self.config.epochs);
        let eta_seconds = self.pace().eta(phase, done, self.lap.elapsed().as_secs_f64());
        self.observer.progress(Progress { phase, epoch, done, total, eta_seconds })
    }

    pub fn pace(&self) -> Pace<'_> {
        Pace {
            rows: &self.history.rows,
            partial: self.history.partial,
            epochs: self.config.epochs,
            freeze: self.config.freeze,
            has_features: self.source.has_features(),
            pictures: self.dataset.train().labels.len(),
            validation: self.dataset.validation().labels.len(),
            compared: evaluation::compared(self.dataset, self.config.best_by),
            judged: evaluation::evaluated(self.dataset),
        }
    }

    /// The observer, and the run as it stands.
    fn seen(&mut self) -> (&mut dyn Observer, Snapshot<'_>) {
        let snapshot = Snapshot {
            network: self.network,
            optimizer: &self.optimizer,
            average: self.average.as_ref(),
            best: self.best.as_deref(),
            history: &self.history,
        };
        (self.observer, snapshot)
    }

    /// Offers the observer a checkpoint of an epoch under way.
    pub fn offer_checkpoint(&mut self) {
        let (observer, snapshot) = self.seen();
        observer.checkpoint(&snapshot);
    }

    /// Writes the time to the end of the run into the last row.
    fn note_eta(&mut self) {
        let eta_seconds = self.pace().eta(Phase::Train, 0, 0.0).expect("after an epoch the pace is known");
        self.history.rows.last_mut().expect("a row was just added").eta_seconds = eta_seconds;
    }

    fn report(&mut self) -> ControlFlow<()> {
        let (observer, snapshot) = self.seen();
        let row = snapshot.history.rows.last().expect("a row was just added");
        observer.epoch(row, &snapshot)
    }

    /// The row of an epoch, without the time to the end of the run; nothing when the observer stops its validation.
    fn judge(&mut self) -> Result<Option<EpochRow>, TrainError> {
        let learnt = self.history.partial;
        let started = Instant::now();
        let logits = match self.average.take() {
            Some(mean) => {
                let own = average::copies(self.network)?;
                self.network.restore(mean.tensors())?;
                let judged = self.validate();
                self.network.restore(&own)?;
                self.average = Some(mean);
                judged?
            }
            None => self.validate()?,
        };
        let Some((logits, retrieved)) = logits else { return Ok(None) };
        let all: Vec<usize> = (0..self.dataset.validation().labels.len()).collect();
        let labels = evaluation::labels(self.dataset.validation(), &all);
        let validation_loss = loss(&logits, &labels)?;
        let epoch = self.history.epochs() + 1;
        if !validation_loss.is_finite() {
            let (step, learning_rate) = (learnt.steps, learnt.learning_rate.0);
            return Err(TrainError::Diverged { loss: validation_loss, epoch, step, learning_rate });
        }
        let count = learnt.pictures as f64;
        let seconds = learnt.seconds + started.elapsed().as_secs_f64();
        let before: f64 = self.history.rows.iter().map(|row| row.seconds).sum();
        Ok(Some(EpochRow {
            epoch,
            step: self.history.steps,
            loss: learnt.loss.0 / count,
            train_accuracy: learnt.correct.0 / count,
            validation_loss,
            validation_accuracy: accuracy(&classes(&logits)?, &labels),
            precision_at_10: retrieved.as_ref().map(|found| found.precision_at.ten),
            map: retrieved.map(|found| found.map),
            learning_rate: learnt.learning_rate.0,
            images_per_second: count / learnt.seconds,
            loader_wait_share: learnt.waited / learnt.seconds,
            seconds,
            preparing_seconds: learnt.preparing,
            elapsed_seconds: before + seconds,
            eta_seconds: 0.0,
        }))
    }

    /// The logits of the validation pictures, and what they find where the best epoch is chosen by that.
    fn validate(&mut self) -> Result<Option<(Tensor, Option<super::Retrieval>)>, TrainError> {
        let total = self.dataset.validation().labels.len();
        let epoch = self.history.epochs() + 1;
        let eta_seconds = self.pace().eta(Phase::Validate, 0, self.lap.elapsed().as_secs_f64());
        let observer = &mut *self.observer;
        let mut progress = |done, total| {
            observer.progress(Progress { phase: Phase::Validate, epoch, done, total, eta_seconds })
        };
        let logits = self.source.validate(self.network, &mut |done| progress(done, total))?;
        let Some(logits) = logits else { return Ok(None) };
        if self.config.best_by == BestBy::Accuracy {
            return Ok(Some((logits, None)));
        }
        let found = evaluation::retrieve(self.network, self.dataset, self.config, &mut progress)?;
        Ok(found.map(|found| (logits, Some(found))))
    }

    /// Notes whether the epoch is the best one, and keeps the weights if it is.
    fn keep_best(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        let figure = match self.config.best_by {
            BestBy::Accuracy => row.validation_accuracy,
            BestBy::PrecisionAt10 => row.precision_at_10.unwrap_or_default(),
            BestBy::Map => row.map.unwrap_or_default(),
        };
        let (best, best_loss) = self.history.best_score;
        let order = figure.total_cmp(&best.0).then(best_loss.0.total_cmp(&row.validation_loss));
        if self.history.best_epoch > 0 && !order.is_gt() {
            return Ok(());
        }
        self.history.best_epoch = row.epoch;
        self.history.best_score = (Exact(figure), Exact(row.validation_loss));
        self.best = Some(match &self.average {
            Some(mean) => average::copies_of(mean.tensors())?,
            None => average::copies(self.network)?,
        });
        Ok(())
    }

    /// Takes the best weights and judges them.
    fn finish(mut self) -> Result<Outcome, TrainError> {
        if let Some(best) = self.best.take() {
            self.network.restore(&best)?;
        }
        let started = Instant::now();
        let epoch = self.history.epochs();
        let each = self.pace().evaluating();
        let observer = &mut *self.observer;
        let progress = &mut |done, total| {
            let eta_seconds = each.map(|seconds| (total - done) as f64 * seconds);
            observer.progress(Progress { phase: Phase::Evaluate, epoch, done, total, eta_seconds })
        };
        let judged = evaluation::evaluate(self.network, self.dataset, self.config, progress)?;
        let Some(judged) = judged else { return Ok(Outcome::Stopped) };
        let rows = &self.history.rows;
        let pictures = self.dataset.train().labels.len() as f64;
        let learning: f64 = rows.iter().map(|row| pictures / row.images_per_second).sum();
        Ok(Outcome::Finished(Box::new(Metrics {
            epochs: epoch,
            best_epoch: self.history.best_epoch,
            steps: self.history.steps,
            precision: self.history.precision,
            parts: self.history.parts,
            images_per_second: rows.len() as f64 * pictures / learning,
            seconds: rows.iter().map(|row| row.seconds).sum::<f64>() + started.elapsed().as_secs_f64(),
            ..judged
        })))
    }
}

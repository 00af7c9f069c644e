//! Settings of a training run.

use crate::network::{Freeze, Normalisation, Precision};

/// How gradients change weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW,
}

/// How the learning rate goes down after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Half a cosine wave from the full rate to nothing.
    Cosine,
    /// A tenth of the rate after each third of the epochs.
    Step,
    /// Always the full rate.
    Constant,
}

/// How training pictures vary from epoch to epoch (Krizhevsky et al. 2012, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Augment {
    /// Cuts the picture from a random place of the stored one instead of its centre.
    pub crop: bool,
    /// Swaps left and right in half of the cases.
    pub mirror: bool,
    /// Adds a random amount of the training set's principal colours.
    pub color_pca: bool,
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EarlyStopping {
    /// Epochs in a row that may pass without a better validation result.
    pub patience: u32,
}

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TrainConfig {
    /// Passes over the training pictures.
    pub epochs: u32,
    /// Pictures in a step.
    pub batch_size: usize,
    /// How gradients change weights.
    pub optimizer: OptimizerKind,
    /// Full learning rate.
    pub learning_rate: f64,
    /// Share of the last change that a step repeats; SGD only.
    pub momentum: f64,
    /// Pull of weights towards 0; biases and batch norms are exempt.
    pub weight_decay: f64,
    /// How the rate goes down.
    pub schedule: ScheduleKind,
    /// Epochs over which the rate rises to its full value.
    pub warmup_epochs: f64,
    /// Share of the target spread over all classes.
    pub label_smoothing: f64,
    /// How pictures vary.
    pub augment: Augment,
    /// What does not learn.
    pub freeze: Freeze,
    /// Numbers to compute with.
    pub precision: Precision,
    /// How pixels are scaled.
    pub normalisation: Normalisation,
    /// Decides everything random.
    pub seed: u64,
    /// When to stop early; never without it.
    pub early_stopping: Option<EarlyStopping>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 64,
            optimizer: OptimizerKind::Sgd,
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 5e-4,
            schedule: ScheduleKind::Cosine,
            warmup_epochs: 1.0,
            label_smoothing: 0.0,
            augment: Augment { crop: true, mirror: true, color_pca: true },
            freeze: Freeze::None,
            precision: Precision::F32,
            normalisation: Normalisation::default(),
            seed: 1,
            early_stopping: Some(EarlyStopping { patience: 5 }),
        }
    }
}

/// A setting outside its bounds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}, must be {bounds}")]
pub struct ConfigError {
    name: &'static str,
    value: f64,
    bounds: &'static str,
}

impl TrainConfig {
    /// Whether every setting lies within its bounds.
    ///
    /// # Errors
    /// Names the first setting that does not, and its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            ("epochs", f64::from(self.epochs), self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size as f64, (1..=4096).contains(&self.batch_size), "1 to 4096"),
            (
                "learning_rate",
                self.learning_rate,
                self.learning_rate > 0.0 && self.learning_rate <= 10.0,
                "above 0, at most 10",
            ),
            ("momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "at least 0, below 1"),
            ("weight_decay", self.weight_decay, (0.0..=1.0).contains(&self.weight_decay), "0 to 1"),
            ("warmup_epochs", self.warmup_epochs, (0.0..=1000.0).contains(&self.warmup_epochs), "0 to 1000"),
            (
                "label_smoothing",
                self.label_smoothing,
                (0.0..1.0).contains(&self.label_smoothing),
                "at least 0, below 1",
            ),
        ];
        match rules.into_iter().find(|(_, _, within, _)| !within) {
            Some((name, value, _, bounds)) => Err(ConfigError { name, value, bounds }),
            None => Ok(()),
        }
    }
}

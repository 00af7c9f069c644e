//! Settings of a training run.

use crate::network::{Freeze, Normalisation, Precision};
use lookalike_shared::domain::backbone::Backbone;

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

/// How training pictures vary from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Augment {
    /// Cuts the picture from a random place of the stored one instead of showing all of it (Krizhevsky et al. 2012,
    /// section 4.1).
    pub crop: bool,
    /// Cuts a part of random size and place and scales it to full size (Szegedy et al. 2015); the smallest part's share
    /// of the area. Takes the place of `crop`.
    pub resized_crop: Option<f64>,
    /// Swaps left and right in half of the cases.
    pub mirror: bool,
    /// Adds a random amount of the training set's principal colours (Krizhevsky et al. 2012, section 4.1).
    pub color_pca: bool,
    /// Strength of random brightness, contrast and saturation, 0 to 1.
    pub color_jitter: f64,
    /// Magnitude, 0 to 30, of two random operations (after Cubuk et al. 2020).
    pub rand_augment: u32,
    /// Parameter of the beta distribution that pairs of pictures are mixed by (Zhang et al. 2018); 0 is no mixing.
    pub mixup: f64,
}

impl Augment {
    /// Every picture as it is.
    pub const NONE: Self = Self {
        crop: false,
        resized_crop: None,
        mirror: false,
        color_pca: false,
        color_jitter: 0.0,
        rand_augment: 0,
        mixup: 0.0,
    };

    /// The paper's: crop, mirror, principal colours.
    pub const PAPER: Self = Self { crop: true, mirror: true, color_pca: true, ..Self::NONE };

    /// Whether a picture looks different from time to time.
    pub fn varies(&self) -> bool {
        *self != Self { mixup: self.mixup, ..Self::NONE }
    }
}

impl Default for Augment {
    fn default() -> Self {
        Self::PAPER
    }
}

/// What does not learn, over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezePolicy {
    /// Nothing.
    #[default]
    None,
    /// Everything except the head.
    Backbone,
    /// The statistics of batch norms.
    Norm,
    /// Everything except the head in the first epoch; each later epoch a fifth of the layers more learns, the last ones
    /// first (Howard and Ruder 2018, section 3.3).
    Gradual,
}

/// Equal parts of the layers that [`FreezePolicy::Gradual`] lets learn one after the other.
const STAGES: usize = 5;

impl FreezePolicy {
    /// What does not learn in an epoch, counted from 1.
    pub fn at(self, epoch: u32, backbone: &Backbone) -> Freeze {
        match self {
            Self::None => Freeze::None,
            Self::Backbone => Freeze::Backbone,
            Self::Norm => Freeze::Norm,
            Self::Gradual if epoch <= 1 => Freeze::Backbone,
            Self::Gradual => Freeze::Before(backbone.layers.len() * (STAGES - stages(epoch)) / STAGES),
        }
    }

    /// Share of the layers that learn in an epoch, counted from 1; the head alone counts as none.
    pub fn learning_share(self, epoch: u32) -> f64 {
        match self {
            Self::None | Self::Norm => 1.0,
            Self::Backbone => 0.0,
            Self::Gradual => stages(epoch) as f64 / STAGES as f64,
        }
    }
}

/// Stages of gradual freezing that learn in an epoch, counted from 1.
fn stages(epoch: u32) -> usize {
    (epoch.saturating_sub(1) as usize).min(STAGES)
}

/// Numbers to compute with, or to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionChoice {
    /// What a step takes less time with, measured before the first one.
    Auto,
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits.
    Bf16,
}

impl PrecisionChoice {
    /// The numbers, unless they are to be found out.
    pub fn fixed(self) -> Option<Precision> {
        match self {
            Self::Auto => None,
            Self::F32 => Some(Precision::F32),
            Self::Bf16 => Some(Precision::Bf16),
        }
    }
}

/// What the best epoch is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Validation accuracy.
    #[default]
    Accuracy,
    /// Precision among the first ten found, ranked by embedding.
    PrecisionAt10,
    /// Mean average precision, ranked by embedding.
    Map,
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EarlyStopping {
    /// Epochs in a row that may pass without a better validation result.
    pub patience: u32,
}

/// Settings of a training run. What a record of them does not say, as one of an older program, reads as the default.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
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
    /// Share of the target spread over all classes (Szegedy et al. 2016, section 7).
    pub label_smoothing: f64,
    /// Longest gradient, as a Euclidean norm over all weights; longer ones are scaled down (Pascanu et al. 2013).
    pub gradient_clip: Option<f64>,
    /// Share of the old in the running mean of weights and statistics; 0 keeps no mean.
    pub ema_decay: f64,
    /// How pictures vary.
    pub augment: Augment,
    /// What does not learn.
    pub freeze: FreezePolicy,
    /// Numbers to compute with.
    pub precision: PrecisionChoice,
    /// How pixels are scaled.
    pub normalisation: Normalisation,
    /// Decides everything random.
    pub seed: u64,
    /// When to stop early; never without it.
    pub early_stopping: Option<EarlyStopping>,
    /// What the best epoch is chosen by.
    pub best_by: BestBy,
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
            gradient_clip: None,
            ema_decay: 0.0,
            augment: Augment::PAPER,
            freeze: FreezePolicy::None,
            precision: PrecisionChoice::F32,
            normalisation: Normalisation::default(),
            seed: 1,
            early_stopping: Some(EarlyStopping { patience: 5 }),
            best_by: BestBy::Accuracy,
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

/// Pictures in a batch, at most, while only answers are wanted.
const JUDGING_BATCH: usize = 64;

impl TrainConfig {
    /// Pictures in a batch while only answers are wanted: no more than in a step, which was chosen to fit the memory.
    pub fn judging_batch(&self) -> usize {
        self.batch_size.min(JUDGING_BATCH)
    }

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
            (
                "gradient_clip",
                self.gradient_clip.unwrap_or(1.0),
                self.gradient_clip.is_none_or(|length| length > 0.0),
                "above 0",
            ),
            ("ema_decay", self.ema_decay, (0.0..1.0).contains(&self.ema_decay), "at least 0, below 1"),
        ];
        match rules.into_iter().find(|(_, _, within, _)| !within) {
            Some((name, value, _, bounds)) => Err(ConfigError { name, value, bounds }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_and_what_it_does_not_say_is_the_default() {
        let augment = Augment { mixup: 0.2, mirror: false, ..Augment::PAPER };
        let config = TrainConfig {
            augment,
            epochs: 7,
            freeze: FreezePolicy::Gradual,
            early_stopping: None,
            ..TrainConfig::default()
        };
        let mut record = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<TrainConfig>(record.clone()).unwrap(), config);
        for field in ["best_by", "ema_decay", "normalisation"] {
            record.as_object_mut().unwrap().remove(field).unwrap();
        }
        record["augment"].as_object_mut().unwrap().remove("rand_augment").unwrap();
        assert_eq!(serde_json::from_value::<TrainConfig>(record).unwrap(), config);
        assert_eq!(serde_json::from_str::<TrainConfig>("{}").unwrap(), TrainConfig::default());
    }

    #[test]
    fn gradual_freezing_opens_a_fifth_of_the_layers_after_each_of_the_first_epochs() {
        let shares: Vec<f64> = (1..8).map(|epoch| FreezePolicy::Gradual.learning_share(epoch)).collect();
        assert_eq!(shares, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0]);
    }

    #[test]
    fn judging_takes_no_more_memory_than_steps_were_given() {
        let batch = |batch_size| TrainConfig { batch_size, ..TrainConfig::default() }.judging_batch();
        assert_eq!([batch(1), batch(16), batch(64), batch(256)], [1, 16, 64, 64]);
    }
}

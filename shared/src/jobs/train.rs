//! Training a model on labelled pictures.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Payload, check_prefix, check_range};
use crate::domain::FieldError;
use crate::domain::backbone;
use crate::domain::job::JobKind;
use crate::domain::name::{ModelRef, Name};

/// Trains a classifier on the folders under `dataset` and stores it as the next version of `model`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The name that the trained model gets; its next version is made.
    pub model: Name,
    /// One folder per class.
    pub dataset: Dataset,
    /// A labelled set of its own, or the share of the dataset that is held back.
    #[serde(default)]
    #[schema(default = Validation::default)]
    pub validation: Validation,
    /// The network; that of `pretrained` when not given, else `mobilenet_v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<String>,
    /// A stored model to start from; none means random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<ModelRef>,
    /// Side of the square that pictures are scaled to, in pixels, 32 to 512; what suits the pictures and the network
    /// when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// Length of embeddings, 8 to 4096: a trained projection of the network's own, whose length it is when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_dim: Option<u32>,
    /// Passes over the dataset, 1 to 1000; 15 from pretrained weights and 30 from random ones when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Pictures per step, 1 to 1024.
    #[serde(default = "Train::default_batch_size")]
    #[schema(default = Train::default_batch_size)]
    pub batch_size: u32,
    /// `sgd` (with momentum) or `adamw`; `sgd` from pretrained weights and `adamw` from random ones when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
    /// The highest rate of the schedule; when not given, for `sgd` 0.01, or 0.003 where a network has no batch norms, and
    /// for `adamw` 0.0005 from pretrained weights and 0.0003 from random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Momentum of SGD, 0 to 0.999.
    #[serde(default = "Train::default_momentum")]
    #[schema(default = Train::default_momentum)]
    pub momentum: f64,
    /// Pull of weights towards 0, 0 to 1; norms and biases are exempt.
    #[serde(default = "Train::default_weight_decay")]
    #[schema(default = Train::default_weight_decay)]
    pub weight_decay: f64,
    /// How the rate changes over the run.
    #[serde(default)]
    #[schema(default = Schedule::default)]
    pub schedule: Schedule,
    /// Epochs over which the rate rises to its full value, 0 to 100; at most a fifth of the run.
    #[serde(default = "Train::default_warmup_epochs")]
    #[schema(default = Train::default_warmup_epochs)]
    pub warmup_epochs: f64,
    /// Share of the target that goes to all classes alike, 0 to 0.9.
    #[serde(default = "Train::default_label_smoothing")]
    #[schema(default = Train::default_label_smoothing)]
    pub label_smoothing: f64,
    /// Longest gradient that a step takes, as a Euclidean norm over all weights; longer ones are shortened. Any length
    /// when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<f64>,
    /// Share of the old in the running mean of the weights, 0 to 0.99999. The mean is what is judged and stored. 0 means
    /// the weights themselves.
    #[serde(default = "Train::default_ema_decay")]
    #[schema(default = Train::default_ema_decay)]
    pub ema_decay: f64,
    /// Random changes of the pictures.
    #[serde(default)]
    #[schema(default = Augment::default)]
    pub augment: Augment,
    /// Which weights stay as they are; `none` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// Arithmetic of the network.
    #[serde(default)]
    #[schema(default = Precision::default)]
    pub precision: Precision,
    /// Seed of every random choice.
    #[serde(default = "Train::default_seed")]
    #[schema(default = Train::default_seed)]
    pub seed: u64,
    /// Ends the run when validation stops getting better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// What the best epoch is chosen by, on the validation pictures.
    #[serde(default)]
    #[schema(default = BestBy::default)]
    pub best_by: BestBy,
    /// Minutes between two checkpoints within an epoch, 0.01 to 1440; the end of an epoch makes one anyway.
    #[serde(default = "Train::default_checkpoint_minutes")]
    #[schema(default = Train::default_checkpoint_minutes)]
    pub checkpoint_minutes: f64,
    /// Readable pictures that each class must have before any split, 1 to 1000000.
    #[serde(default = "Train::default_min_images_per_class")]
    #[schema(default = Train::default_min_images_per_class)]
    pub min_images_per_class: u32,
}

/// A folder of a source that holds one folder per class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// A declared source, or `uploads`.
    pub source: Name,
    /// Where in the source; empty means all of it.
    #[serde(default)]
    pub prefix: String,
}

/// Where the validation pictures come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Validation {
    /// A labelled set of its own.
    Set(Dataset),
    /// A stratified, seeded share of the dataset.
    Fraction(Fraction),
}

/// A share of the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fraction {
    /// Above 0, at most 0.9.
    pub fraction: f64,
}

impl Default for Validation {
    fn default() -> Self {
        Self::Fraction(Fraction { fraction: 0.23 })
    }
}

/// The rule that turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// How the learning rate changes over the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine, down to nothing.
    #[default]
    Cosine,
    /// A tenth after each third of the run.
    Step,
    /// Always the same.
    Constant,
}

/// Random changes of the training pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Random crops: of `resized_crop`, else of full size from a random place (Krizhevsky et al. 2012, section 4.1).
    /// Without, pictures are shown whole.
    pub crop: bool,
    /// Crops of a random size and place, scaled up (Szegedy et al. 2015); the smallest one's share of the picture's area,
    /// 0.05 to 1. `null` leaves crops at full size.
    pub resized_crop: Option<f64>,
    /// Random mirroring.
    pub mirror: bool,
    /// Noise along the principal components of colour (Krizhevsky et al. 2012, section 4.1).
    pub color_pca: bool,
    /// Strength of random brightness, contrast and saturation, 0 to 1.
    pub color_jitter: f64,
    /// Magnitude of two random operations of shape or colour (after Cubuk et al. 2020, RandAugment), 0 to 30; 0 is none.
    pub rand_augment: u32,
    /// Pictures are mixed in pairs, by shares from the beta distribution of this parameter (Zhang et al. 2018), 0 to 2; 0
    /// is not at all.
    pub mixup: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            crop: true,
            resized_crop: Some(0.3),
            mirror: true,
            color_pca: true,
            color_jitter: 0.2,
            rand_augment: 0,
            mixup: 0.2,
        }
    }
}

/// Which weights stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// None: the whole network learns.
    None,
    /// All but the classifier.
    Backbone,
    /// The statistics of batch normalisation.
    Norm,
    /// All but the classifier in the first epoch; then, epoch by epoch, a fifth of the layers more learns, the last ones
    /// first (Howard and Ruder 2018).
    Gradual,
}

/// What the best epoch is chosen by; ties go to the lower loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Share of validation pictures that are classified rightly.
    #[default]
    Accuracy,
    /// Share of relevant ones among the first ten found, ranked by embedding.
    PrecisionAt10,
    /// Mean average precision, ranked by embedding.
    Map,
}

/// Arithmetic of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// What the device does best at equal accuracy.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// bfloat16 where the network allows it.
    Bf16,
}

/// Ends the run when validation accuracy stops rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a better accuracy, 1 to 1000.
    pub patience: u32,
}

impl Train {
    /// The network when neither it nor a model to start from is named.
    pub const DEFAULT_BACKBONE: &str = "mobilenet_v2";
    /// Readable pictures that each class must have when it is not said, as many as in the paper.
    pub const DEFAULT_MIN_IMAGES_PER_CLASS: u32 = 100;

    fn default_batch_size() -> u32 {
        64
    }
    fn default_momentum() -> f64 {
        0.9
    }
    fn default_weight_decay() -> f64 {
        0.0005
    }
    fn default_warmup_epochs() -> f64 {
        1.0
    }
    fn default_label_smoothing() -> f64 {
        0.1
    }
    fn default_ema_decay() -> f64 {
        0.99
    }
    fn default_checkpoint_minutes() -> f64 {
        2.0
    }
    fn default_seed() -> u64 {
        1
    }
    pub(super) fn default_min_images_per_class() -> u32 {
        Self::DEFAULT_MIN_IMAGES_PER_CLASS
    }
}

impl Payload for Train {
    const KIND: JobKind = JobKind::Train;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/dataset/prefix", &self.dataset.prefix);
        match &self.validation {
            Validation::Set(set) => check_prefix(&mut errors, "/validation/prefix", &set.prefix),
            Validation::Fraction(share) => {
                if !(share.fraction > 0.0 && share.fraction <= 0.9) {
                    let detail =
                        format!("{} is out of range, above 0 and at most 0.9 expected", share.fraction);
                    errors.push(FieldError::new("/validation/fraction", detail));
                }
            }
        }
        if let Some(name) = &self.backbone
            && let Err(unknown) = backbone::by_name(name)
        {
            errors.push(FieldError::new("/backbone", unknown.to_string()));
        }
        if let Some(size) = self.image_size {
            check_range(&mut errors, "/image_size", size, 32, 512);
        }
        if let Some(length) = self.embedding_dim {
            check_range(&mut errors, "/embedding_dim", length, 8, 4_096);
        }
        if let Some(epochs) = self.epochs {
            check_range(&mut errors, "/epochs", epochs, 1, 1_000);
        }
        check_range(&mut errors, "/batch_size", self.batch_size, 1, 1_024);
        if let Some(rate) = self.learning_rate {
            check_range(&mut errors, "/learning_rate", rate, 1e-8, 10.0);
        }
        check_range(&mut errors, "/momentum", self.momentum, 0.0, 0.999);
        check_range(&mut errors, "/weight_decay", self.weight_decay, 0.0, 1.0);
        check_range(&mut errors, "/warmup_epochs", self.warmup_epochs, 0.0, 100.0);
        check_range(&mut errors, "/label_smoothing", self.label_smoothing, 0.0, 0.9);
        if let Some(length) = self.gradient_clip {
            check_range(&mut errors, "/gradient_clip", length, 1e-6, 1e6);
        }
        check_range(&mut errors, "/ema_decay", self.ema_decay, 0.0, 0.99999);
        if let Some(share) = self.augment.resized_crop {
            check_range(&mut errors, "/augment/resized_crop", share, 0.05, 1.0);
        }
        check_range(&mut errors, "/augment/color_jitter", self.augment.color_jitter, 0.0, 1.0);
        check_range(&mut errors, "/augment/rand_augment", self.augment.rand_augment, 0, 30);
        check_range(&mut errors, "/augment/mixup", self.augment.mixup, 0.0, 2.0);
        check_range(&mut errors, "/checkpoint_minutes", self.checkpoint_minutes, 0.01, 1_440.0);
        if let Some(stopping) = self.early_stopping {
            check_range(&mut errors, "/early_stopping/patience", stopping.patience, 1, 1_000);
        }
        check_range(&mut errors, "/min_images_per_class", self.min_images_per_class, 1, 1_000_000);
        errors
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn minimal() -> Train {
        serde_json::from_value(json!({"model": "scenes", "dataset": {"source": "photos"}})).unwrap()
    }

    #[test]
    fn only_model_and_dataset_are_required() {
        let train = minimal();
        assert!(train.check().is_empty());
        assert_eq!(train.validation, Validation::Fraction(Fraction { fraction: 0.23 }));
        assert_eq!(train.min_images_per_class, 100);
    }

    #[test]
    fn every_broken_bound_is_told_at_once() {
        let mut train = minimal();
        train.epochs = Some(0);
        train.learning_rate = Some(f64::NAN);
        train.dataset.prefix = "../etc".to_owned();
        let pointers: Vec<_> = train.check().into_iter().map(|error| error.pointer).collect();
        assert_eq!(pointers, ["/dataset/prefix", "/epochs", "/learning_rate"]);
    }

    #[test]
    fn validation_is_a_set_or_a_share() {
        for (value, good) in [
            (json!({"fraction": 0.2}), true),
            (json!({"source": "photos", "prefix": "val/"}), true),
            (json!({"frac": 0.2}), false),
        ] {
            let body = json!({"model": "m", "dataset": {"source": "s"}, "validation": value});
            assert_eq!(serde_json::from_value::<Train>(body).is_ok(), good);
        }
    }
}

//! From what was asked to what is done: backbone, settings of the loop, defaults.

use lookalike_shared::domain::backbone::{self, Backbone};
use lookalike_shared::jobs::{self, Train};

use crate::models::StoredModel;
use crate::network::Normalisation;
use crate::runtime::context::JobError;
use crate::training::{
    Augment, BestBy, EarlyStopping, FreezePolicy, OptimizerKind, PrecisionChoice, ScheduleKind, TrainConfig,
};

/// How a model is trained.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The network.
    pub backbone: &'static Backbone,
    /// `name@version` of the weights it starts from.
    pub pretrained: Option<String>,
    /// Length of its embeddings.
    pub embedding_dim: usize,
    /// Settings of the loop.
    pub config: TrainConfig,
}

impl Recipe {
    /// The recipe of a request.
    ///
    /// # Errors
    /// A permanent failure when backbone, pretrained weights and picture size do not go together.
    pub fn of(train: &Train, pretrained: Option<&StoredModel>) -> Result<Self, JobError> {
        let invalid = |detail: String| JobError::permanent("invalid_recipe", detail);
        let backbone = match (&train.backbone, pretrained) {
            (None, Some(model)) => model.backbone,
            (None, None) => {
                backbone::by_name(Train::DEFAULT_BACKBONE).map_err(|error| invalid(error.to_string()))?
            }
            (Some(name), _) => backbone::by_name(name).map_err(|error| invalid(error.to_string()))?,
        };
        if let Some(model) = pretrained.filter(|model| model.backbone.name != backbone.name) {
            let (reference, own) = (model.row.reference(), model.backbone.name);
            return Err(invalid(format!("model {reference} is a {own}, not a {}", backbone.name)));
        }
        // A model to start from brings its own length of embeddings, unless another one is asked for.
        let backbone = pretrained.map_or(backbone, |model| model.backbone);
        let backbone = match train.embedding_dim {
            Some(length) => {
                backbone.with_embedding_dim(length as usize).map_err(|error| invalid(error.to_string()))?
            }
            None => backbone,
        };
        if let Some(size) = train.image_size {
            backbone.check_image_size(size).map_err(|error| invalid(error.to_string()))?;
        }
        Ok(Self {
            backbone,
            pretrained: pretrained.map(|model| model.row.reference()),
            embedding_dim: backbone.embedding_dim,
            config: config(train, pretrained.is_some()),
        })
    }
}

fn config(train: &Train, pretrained: bool) -> TrainConfig {
    let (epochs, usual) = if pretrained { (15, jobs::Optimizer::Sgd) } else { (30, jobs::Optimizer::Adamw) };
    let optimizer = train.optimizer.unwrap_or(usual);
    let rate = match optimizer {
        jobs::Optimizer::Sgd => 0.01,
        jobs::Optimizer::Adamw if pretrained => 0.0005,
        jobs::Optimizer::Adamw => 0.0003,
    };
    TrainConfig {
        epochs: train.epochs.unwrap_or(epochs),
        batch_size: train.batch_size as usize,
        optimizer: match optimizer {
            jobs::Optimizer::Sgd => OptimizerKind::Sgd,
            jobs::Optimizer::Adamw => OptimizerKind::AdamW,
        },
        learning_rate: train.learning_rate.unwrap_or(rate),
        momentum: train.momentum,
        weight_decay: train.weight_decay,
        schedule: match train.schedule {
            jobs::Schedule::Cosine => ScheduleKind::Cosine,
            jobs::Schedule::Step => ScheduleKind::Step,
            jobs::Schedule::Constant => ScheduleKind::Constant,
        },
        warmup_epochs: train.warmup_epochs,
        label_smoothing: train.label_smoothing,
        gradient_clip: train.gradient_clip,
        ema_decay: train.ema_decay,
        augment: augment(&train.augment),
        freeze: match train.freeze {
            None | Some(jobs::Freeze::None) => FreezePolicy::None,
            Some(jobs::Freeze::Backbone) => FreezePolicy::Backbone,
            Some(jobs::Freeze::Norm) => FreezePolicy::Norm,
            Some(jobs::Freeze::Gradual) => FreezePolicy::Gradual,
        },
        precision: match train.precision {
            jobs::Precision::Auto => PrecisionChoice::Auto,
            jobs::Precision::F32 => PrecisionChoice::F32,
            jobs::Precision::Bf16 => PrecisionChoice::Bf16,
        },
        normalisation: Normalisation::default(),
        seed: train.seed,
        early_stopping: train.early_stopping.map(|stopping| EarlyStopping { patience: stopping.patience }),
        best_by: match train.best_by {
            jobs::BestBy::Accuracy => BestBy::Accuracy,
            jobs::BestBy::PrecisionAt10 => BestBy::PrecisionAt10,
            jobs::BestBy::Map => BestBy::Map,
        },
    }
}

fn augment(augment: &jobs::Augment) -> Augment {
    let jobs::Augment { crop, resized_crop, mirror, color_pca, color_jitter, rand_augment, mixup } = *augment;
    Augment { crop, resized_crop, mirror, color_pca, color_jitter, rand_augment, mixup }
}

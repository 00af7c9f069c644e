//! From what was asked to what is done: backbone, settings of the loop, defaults.

use lookalike_shared::domain::backbone::{self, Backbone};
use lookalike_shared::domain::name::ModelRef;
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
    /// The weights it starts from, with their version.
    pub pretrained: Option<ModelRef>,
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
        let reference = pretrained.map(|model| model.row.reference().parse::<ModelRef>()).transpose();
        Ok(Self {
            backbone,
            pretrained: reference.map_err(|error| invalid(error.to_string()))?,
            embedding_dim: backbone.embedding_dim,
            config: config(train, backbone, pretrained.is_some()),
        })
    }
}

/// The highest rate when none is asked for; TRAINING.md tells what was measured.
fn usual_rate(optimizer: jobs::Optimizer, backbone: &Backbone, pretrained: bool) -> f64 {
    match optimizer {
        jobs::Optimizer::Sgd if backbone.has_batch_norms() => 0.01,
        jobs::Optimizer::Sgd => 0.003,
        jobs::Optimizer::Adamw if pretrained => 0.0005,
        jobs::Optimizer::Adamw => 0.0003,
    }
}

fn config(train: &Train, backbone: &Backbone, pretrained: bool) -> TrainConfig {
    let (epochs, usual) = if pretrained { (15, jobs::Optimizer::Sgd) } else { (30, jobs::Optimizer::Adamw) };
    let optimizer = train.optimizer.unwrap_or(usual);
    TrainConfig {
        epochs: train.epochs.unwrap_or(epochs),
        batch_size: train.batch_size as usize,
        optimizer: match optimizer {
            jobs::Optimizer::Sgd => OptimizerKind::Sgd,
            jobs::Optimizer::Adamw => OptimizerKind::AdamW,
        },
        learning_rate: train.learning_rate.unwrap_or_else(|| usual_rate(optimizer, backbone, pretrained)),
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
    let resized_crop = resized_crop.filter(|_| crop);
    Augment { crop, resized_crop, mirror, color_pca, color_jitter, rand_augment, mixup }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chosen(fields: serde_json::Value, pretrained: bool) -> (OptimizerKind, f64, u32) {
        let mut body = json!({"model": "m", "dataset": {"source": "s"}});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let train: Train = serde_json::from_value(body).unwrap();
        let name = train.backbone.as_deref().unwrap_or(Train::DEFAULT_BACKBONE);
        let config = config(&train, backbone::by_name(name).unwrap(), pretrained);
        (config.optimizer, config.learning_rate, config.epochs)
    }

    #[test]
    fn what_is_not_said_fits_the_network_and_its_start() {
        use OptimizerKind::{AdamW, Sgd};
        assert_eq!(chosen(json!({}), true), (Sgd, 0.01, 15));
        assert_eq!(chosen(json!({"backbone": "squeezenet1_1"}), true), (Sgd, 0.003, 15));
        assert_eq!(chosen(json!({"backbone": "alexnet"}), false), (AdamW, 0.0003, 30));
        assert_eq!(chosen(json!({"optimizer": "adamw"}), true), (AdamW, 0.0005, 15));
        assert_eq!(chosen(json!({"optimizer": "sgd", "learning_rate": 0.1}), false), (Sgd, 0.1, 30));
    }

    #[test]
    fn without_crops_there_are_none_of_random_size_either() {
        let said = jobs::Augment { crop: false, ..jobs::Augment::default() };
        assert_eq!((said.resized_crop, augment(&said).resized_crop), (Some(0.3), None));
        assert_eq!(augment(&jobs::Augment::default()).resized_crop, Some(0.3));
    }
}

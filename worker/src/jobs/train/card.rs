//! The card of a trained model: who asked for it and when, what it was trained on, how, and how well it does.

use serde_json::{Value, json};

use super::Run;
use super::data::TrainingData;
use crate::runtime::context::JobContext;
use crate::training::Metrics;
use lookalike_shared::jobs::Train;

/// The model's card: who asked for it, what it was trained on, how, and how well it does.
pub fn card(
    context: &JobContext,
    payload: &Train,
    Run { recipe, data, fingerprint }: &Run,
    files: usize,
    asked_by: Option<String>,
    metrics: &Metrics,
) -> Value {
    json!({
        "trained_at": chrono::Utc::now(),
        "created_by": asked_by,
        "job_id": context.attempt.job_id,
        "dataset": {
            "source": payload.dataset.source,
            "prefix": payload.dataset.prefix,
            "train": data.dataset.train().labels.len(),
            "validation": data.dataset.validation().labels.len(),
            "unreadable": data.unreadable,
            "images_per_class": data.per_class,
            "files": files,
            "fingerprint": fingerprint,
            "duplicates": data.duplicate_counts(),
        },
        "pretrained": recipe.pretrained,
        "recipe": recipe.config,
        "backbone": recipe.backbone.name,
        "embedding_dim": recipe.embedding_dim,
        "hardest": hardest(data, metrics),
        "image_size": data.dataset.image_size(),
        "iterations": metrics.steps,
        "validation_accuracy": metrics.validation_accuracy,
        "train_accuracy": metrics.train_accuracy,
        "metrics": measured(metrics),
        "device": context.services.device_name,
        "version": env!("CARGO_PKG_VERSION"),
        "seconds": metrics.seconds,
    })
}

/// The figures; the hardest pictures stand beside them, by name.
fn measured(metrics: &Metrics) -> Value {
    let mut value = json!(metrics);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("hardest");
    }
    value
}

/// The validation pictures with the largest losses, by name.
fn hardest(data: &TrainingData, metrics: &Metrics) -> Vec<Value> {
    let class = |number: u32| data.classes.get(number as usize);
    let told = |hard: &crate::training::HardPicture| {
        json!({
            "uri": data.validation_files.get(hard.picture as usize).map(|file| &file.file.uri),
            "class": class(hard.class),
            "predicted": class(hard.predicted),
            "probability": hard.probability,
            "loss": hard.loss,
        })
    };
    metrics.hardest.iter().map(told).collect()
}

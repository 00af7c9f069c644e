//! Trains a model on labelled folders and stores it as the next version of its name.
//!
//! Pictures are decoded once into the worker's cache; a thread of its own runs the loop, and this task stores what it
//! tells: progress, a row per epoch, now and again a checkpoint. A later attempt goes on from the last checkpoint. The
//! model's row and the job's end are one transaction.

mod card;
mod data;
mod files;
mod observer;
mod recipe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lookalike_shared::db::models::{NewModel, insert_model, lock_name};
use lookalike_shared::db::{self, metrics};
use lookalike_shared::domain::job::Progress;
use lookalike_shared::jobs::Train;
use lookalike_shared::storage::{StorageError, model_folder};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use self::card::card;
use self::data::TrainingData;
use self::files::FileList;
use self::observer::{Message, Reporter};
use self::recipe::Recipe;
use crate::device::Sampler;
use crate::models::StoredModel;
use crate::network::Network;
use crate::runtime::context::{JobContext, JobError, JobOutcome, LogLevel, PROGRESS_INTERVAL};
use crate::runtime::stop::StopReason;
use crate::training::{Metrics, Outcome, TrainError};

/// The largest checkpoint that is read back.
const MAX_CHECKPOINT_BYTES: u64 = 8 << 30;

/// Reads the pictures, trains, stores the model.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Train = context.payload()?;
    let pretrained = match &payload.pretrained {
        Some(reference) => Some(context.services.models.get(reference).await?),
        None => None,
    };
    let recipe = Recipe::of(&payload, pretrained.as_deref())?;
    let data = data::read(&context, &payload, recipe.backbone).await?;
    let summary = format!(
        "training {} on {} pictures of {} classes, {} held back for validation",
        recipe.backbone.name,
        data.dataset.train().labels.len(),
        data.classes.len(),
        data.dataset.validation().labels.len(),
    );
    context.log(LogLevel::Info, summary).await;
    let resume = find_checkpoint(&context).await?;
    if resume.is_some() {
        context.log(LogLevel::Info, "going on from the last checkpoint").await;
    }
    let data = Arc::new(data);
    let checkpoint_every = Duration::from_secs_f64(payload.checkpoint_minutes * 60.0);
    let reading = context.started.elapsed();
    let mut trained = train(&context, &recipe, data.clone(), pretrained, resume, checkpoint_every).await?;
    // The time of all attempts, interruptions left out: that of the epochs is kept in the checkpoint.
    trained.metrics.seconds += reading.as_secs_f64();
    store(&context, &payload, &recipe, &data, trained).await
}

fn checkpoint_key(context: &JobContext) -> String {
    format!("jobs/{}/checkpoint.safetensors", context.attempt.job_id)
}

async fn find_checkpoint(context: &JobContext) -> Result<Option<Bytes>, JobError> {
    match context.storage().artifacts().get(&checkpoint_key(context), MAX_CHECKPOINT_BYTES).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StorageError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the loop gave.
struct Trained {
    weights: Vec<u8>,
    metrics: Metrics,
}

async fn train(
    context: &JobContext,
    recipe: &Recipe,
    data: Arc<TrainingData>,
    pretrained: Option<Arc<StoredModel>>,
    resume: Option<Bytes>,
    checkpoint_every: Duration,
) -> Result<Trained, JobError> {
    let (sender, mut messages) = mpsc::channel(4);
    let (recipe_of_loop, device) = (recipe.clone(), context.services.device);
    let epochs = recipe.config.epochs;
    let sampler = Sampler::new(device);
    let mut reporter = Reporter::new(context.stop.clone(), sender, sampler, epochs, checkpoint_every);
    let thread = tokio::task::spawn_blocking(move || {
        let classes = data.classes.len();
        let seed = recipe_of_loop.config.seed;
        let mut network = Network::new(recipe_of_loop.backbone, classes, seed, device)?;
        if let Some(model) = pretrained {
            network.load(&model.spec.weights)?;
        }
        let config = &recipe_of_loop.config;
        let outcome =
            crate::training::train(&mut network, &data.dataset, config, resume.as_deref(), &mut reporter)?;
        Ok::<_, TrainError>(match outcome {
            Outcome::Stopped => None,
            Outcome::Finished(metrics) => Some(Trained { weights: network.save()?, metrics: *metrics }),
        })
    });
    let mut told = Instant::now() - PROGRESS_INTERVAL;
    while let Some(message) = messages.recv().await {
        if let Message::Progress(_) = &message {
            if told.elapsed() < PROGRESS_INTERVAL {
                continue;
            }
            told = Instant::now();
        }
        heed(context, message).await?;
    }
    let ended = thread.await.map_err(|error| JobError::retry("panic", error.to_string()))?;
    ended.map_err(training_failed)?.ok_or(JobError::Stopped)
}

/// Stores what the loop tells. An attempt that is to stop is stopped by its token, and the loop ends by itself.
async fn heed(context: &JobContext, message: Message) -> Result<(), JobError> {
    let (job, fence) = (context.attempt.job_id, context.attempt.fence);
    match message {
        Message::Progress(progress) => match context.progress(&progress).await {
            Ok(()) | Err(JobError::Stopped) => {}
            Err(error) => return Err(error),
        },
        Message::Steps(rows) => _ = metrics::insert_steps(context.db(), job, fence, &rows).await?,
        Message::Resumed { epochs, steps } => {
            let (epoch, step) = (i32::try_from(epochs), i64::try_from(steps));
            let (epoch, step) = (epoch.unwrap_or(i32::MAX), step.unwrap_or(i64::MAX));
            metrics::delete_after(context.db(), job, fence, epoch, step).await?;
        }
        Message::Epoch { epoch, row } => {
            let number = i32::try_from(epoch).unwrap_or(i32::MAX);
            // Epochs after the last checkpoint are done again by a later attempt, and their rows written again: on
            // CPUs with the same figures.
            metrics::insert_epoch(context.db(), job, fence, number, &row).await?;
        }
        Message::Checkpoint(bytes) => {
            if context.stop.reason() != Some(StopReason::Lost) {
                context.storage().artifacts().put(&checkpoint_key(context), bytes.into()).await?;
            }
        }
        Message::Note(text) => context.log(LogLevel::Info, text).await,
    }
    Ok(())
}

fn training_failed(error: TrainError) -> JobError {
    match error {
        TrainError::Config(_) => JobError::permanent("invalid_recipe", error.to_string()),
        TrainError::Dataset(_) => JobError::permanent("invalid_dataset", error.to_string()),
        TrainError::Diverged { .. } => JobError::permanent("diverged", error.to_string()),
        TrainError::Checkpoint(_) => JobError::permanent("checkpoint_unusable", error.to_string()),
        TrainError::Network(_) => JobError::retry("device_failed", error.to_string()),
    }
}

async fn store(
    context: &JobContext,
    payload: &Train,
    recipe: &Recipe,
    data: &TrainingData,
    trained: Trained,
) -> Result<JobOutcome, JobError> {
    let id = Uuid::now_v7();
    let weights_key = format!("models/{id}/weights.safetensors");
    let weights = Bytes::from(trained.weights);
    let seen = data.dataset.train().labels.len() as u64 * u64::from(trained.metrics.epochs);
    let progress = Progress {
        phase: "storing".to_owned(),
        done: seen,
        total: Some(seen),
        unit: "pictures".to_owned(),
        ..Progress::default()
    };
    context.progress(&progress).await?;
    context.storage().artifacts().put(&weights_key, weights.clone()).await?;
    let files = FileList::of(data);
    files.put(context.storage().artifacts(), id).await?;
    let model = NewModel {
        id,
        name: payload.model.clone(),
        backbone: recipe.backbone.name.to_owned(),
        classes: data.classes.clone(),
        image_size: i32::try_from(data.dataset.image_size()).unwrap_or(i32::MAX),
        embedding_dim: i32::try_from(recipe.embedding_dim).unwrap_or(i32::MAX),
        weights_key,
        weights_bytes: i64::try_from(weights.len()).unwrap_or(i64::MAX),
        weights_sha256: Sha256::digest(&weights).to_vec(),
        origin: "trained",
        job_id: Some(context.attempt.job_id.0),
        card: card(context, payload, recipe, data, &files, &trained.metrics),
        labels: json!({}),
    };
    let stored = store_row(context, &model, &trained.metrics).await;
    let artifacts = context.storage().artifacts();
    // What nobody points to is deleted as well as may be; a file left behind harms nobody.
    if stored.is_ok() {
        _ = artifacts.delete(&checkpoint_key(context)).await;
    } else if matches!(&stored, Err(JobError::Stopped)) {
        _ = artifacts.delete_all(&model_folder(id)).await;
    }
    stored
}

async fn store_row(
    context: &JobContext,
    model: &NewModel,
    metrics: &Metrics,
) -> Result<JobOutcome, JobError> {
    let mut tx = db::begin(context.db()).await?;
    lock_name(&mut tx, &model.name).await?;
    let version = insert_model(&mut *tx, model).await?;
    let result = json!({
        "model": format!("{}@{version}", model.name),
        "epochs": metrics.epochs,
        "best_epoch": metrics.best_epoch,
        "validation_accuracy": metrics.validation_accuracy,
        "train_accuracy": metrics.train_accuracy,
        "precision_at": metrics.precision_at,
        "map": metrics.map.embedding,
        "map_by": metrics.map,
        "images_per_second": metrics.images_per_second,
        "device": context.services.device_name,
        "seconds": metrics.seconds,
    });
    context.succeed_in(&mut tx, &result).await?;
    db::commit(tx).await?;
    Ok(JobOutcome::Stored)
}

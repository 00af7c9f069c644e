//! Trains a model on labelled folders and stores it as the next version of its name.
//!
//! Pictures are decoded once into the worker's cache; a thread of its own runs the loop, and what it tells is stored:
//! progress, a row per epoch, now and again a checkpoint. A later attempt goes on from the last checkpoint with what the
//! first one settled. The model's row and the job's end are one transaction.

mod card;
mod data;
mod files;
mod keeper;
mod observer;
mod recipe;
mod record;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lookalike_shared::db::jobs::find_job;
use lookalike_shared::db::models::{NewModel, insert_model, lock_name};
use lookalike_shared::db::{self, metrics};
use lookalike_shared::domain::job::Progress;
use lookalike_shared::jobs::Train;
use lookalike_shared::storage::model_folder;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use self::card::card;
use self::data::TrainingData;
use self::files::FileList;
use self::keeper::Keeper;
use self::observer::Reporter;
pub use self::recipe::Recipe;
use self::record::Record;
use crate::device::Sampler;
use crate::models::StoredModel;
use crate::network::Network;
use crate::runtime::context::{JobContext, JobError, JobOutcome, LogLevel};
use crate::training::{Metrics, Outcome, TrainError};

/// Reads the pictures, trains, stores the model.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Train = context.payload()?;
    let (run, trained) = match go_on(&context, &payload).await? {
        Some(ended) => ended,
        None => begin(&context, &payload).await?,
    };
    store(&context, &payload, &run, trained).await
}

/// What is trained, and on what.
struct Run {
    recipe: Recipe,
    data: Arc<TrainingData>,
    /// Of the files, their classes and their parts.
    fingerprint: String,
}

/// Goes on from the last checkpoint; gives nothing when there is none, or none that is of use.
async fn go_on(context: &JobContext, payload: &Train) -> Result<Option<(Run, Trained)>, JobError> {
    let Some(record) = Record::find(context).await? else { return Ok(None) };
    let Some(checkpoint) = record::find_checkpoint(context).await? else { return Ok(None) };
    let recipe = record.recipe()?;
    let data = data::read(context, payload, recipe.backbone, Some(record.image_size)).await?;
    if FileList::of(&data).fingerprint() != record.fingerprint {
        let line = "the pictures are not those that the training began with, so it starts over";
        context.log(LogLevel::Warn, line).await;
        return Ok(None);
    }
    context.log(LogLevel::Info, "going on from the last checkpoint").await;
    let run = Run { recipe, data: Arc::new(data), fingerprint: record.fingerprint };
    match train(context, payload, &run, Start::Checkpoint(checkpoint)).await {
        Ok(trained) => Ok(Some((run, trained))),
        Err(Ended::Unusable(reason)) => {
            context.log(LogLevel::Warn, format!("{reason}, so the training starts over")).await;
            Ok(None)
        }
        Err(Ended::Job(error)) => Err(error),
    }
}

/// Trains from the start, and settles what later attempts go on with.
async fn begin(context: &JobContext, payload: &Train) -> Result<(Run, Trained), JobError> {
    // What there is of earlier attempts is of no use.
    record::forget(context).await?;
    let (job, fence) = (context.attempt.job_id, context.attempt.fence);
    metrics::delete_after(context.db(), job, fence, 0, 0).await?;
    let pretrained = match &payload.pretrained {
        Some(reference) => Some(context.services.models.get(reference).await?),
        None => None,
    };
    let recipe = Recipe::of(payload, pretrained.as_deref())?;
    let image_size = payload.image_size.map(|size| size as usize);
    let data = data::read(context, payload, recipe.backbone, image_size).await?;
    let fingerprint = FileList::of(&data).fingerprint();
    let record = Record::keep(context, &recipe, data.dataset.image_size(), fingerprint).await?;
    let run = Run { recipe: record.recipe()?, data: Arc::new(data), fingerprint: record.fingerprint };
    let start = pretrained.map_or(Start::Random, Start::Model);
    let trained = train(context, payload, &run, start).await?;
    Ok((run, trained))
}

/// What weights a run begins with.
enum Start {
    /// Random ones.
    Random,
    /// Those of a stored model.
    Model(Arc<StoredModel>),
    /// All that was learnt, and how far the run was.
    Checkpoint(Bytes),
}

/// What the loop gave.
struct Trained {
    weights: Vec<u8>,
    metrics: Metrics,
}

/// Why the loop gave nothing.
enum Ended {
    /// The checkpoint cannot be used.
    Unusable(String),
    /// Anything else.
    Job(JobError),
}

impl From<JobError> for Ended {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<Ended> for JobError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unusable(reason) => Self::permanent("checkpoint_unusable", reason),
            Ended::Job(error) => error,
        }
    }
}

async fn train(context: &JobContext, payload: &Train, run: &Run, start: Start) -> Result<Trained, Ended> {
    let Run { recipe, data, .. } = run;
    let summary = format!(
        "training {} on {} pictures of {} classes, {} held back for validation",
        recipe.backbone.name,
        data.dataset.train().labels.len(),
        data.classes.len(),
        data.dataset.validation().labels.len(),
    );
    context.log(LogLevel::Info, summary).await;
    let before = context.started.elapsed();
    let (sender, messages) = mpsc::channel(4);
    let (recipe, data, device) = (recipe.clone(), data.clone(), context.services.device);
    let checkpoint_every = Duration::from_secs_f64(payload.checkpoint_minutes * 60.0);
    let (stop, sampler, epochs) = (context.stop.clone(), Sampler::new(device), recipe.config.epochs);
    let mut reporter = Reporter::new(stop, sender, sampler, epochs, checkpoint_every);
    let thread = tokio::task::spawn_blocking(move || {
        let classes = data.classes.len();
        let config = &recipe.config;
        let mut network = Network::new(recipe.backbone, classes, config.seed, device)?;
        let checkpoint = match start {
            Start::Random => None,
            Start::Model(model) => {
                network.load(&model.spec.weights)?;
                None
            }
            Start::Checkpoint(bytes) => Some(bytes),
        };
        let outcome = crate::training::train(
            &mut network,
            &data.dataset,
            config,
            checkpoint.as_deref(),
            &mut reporter,
        )?;
        Ok::<_, TrainError>(match outcome {
            Outcome::Stopped => None,
            Outcome::Finished(metrics) => Some(Trained { weights: network.save()?, metrics: *metrics }),
        })
    });
    Keeper::keep(context, messages).await?;
    let ended = thread.await.map_err(|error| JobError::retry("panic", error.to_string()))?;
    let mut trained = ended.map_err(training_failed)?.ok_or(JobError::Stopped)?;
    // The time of all attempts, interruptions left out: that of the epochs is kept in the checkpoint.
    trained.metrics.seconds += before.as_secs_f64();
    Ok(trained)
}

fn training_failed(error: TrainError) -> Ended {
    let detail = error.to_string();
    Ended::Job(match error {
        TrainError::Checkpoint(_) => return Ended::Unusable(detail),
        TrainError::Config(_) => JobError::permanent("invalid_recipe", detail),
        TrainError::Dataset(_) => JobError::permanent("invalid_dataset", detail),
        TrainError::Diverged { .. } => JobError::permanent("diverged", detail),
        TrainError::Network(_) => JobError::retry("device_failed", detail),
    })
}

async fn store(
    context: &JobContext,
    payload: &Train,
    run: &Run,
    trained: Trained,
) -> Result<JobOutcome, JobError> {
    let Run { recipe, data, .. } = run;
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
    let job = context.through_outages(|| find_job(context.db(), context.attempt.job_id)).await?;
    let asked_by = job.and_then(|job| job.created_by);
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
        card: card(context, payload, run, files.len(), asked_by, &trained.metrics),
        labels: json!({}),
    };
    let stored = store_row(context, &model, &trained.metrics).await;
    let artifacts = context.storage().artifacts();
    // What nobody points to is deleted as well as may be; a file left behind harms nobody.
    if stored.is_ok() {
        _ = record::forget(context).await;
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

//! Measures an index with labelled queries: precision and recall at K and mean average precision, for both rankings and
//! for several numbers of partitions looked into, and how much of the exhaustive answer each keeps.
//!
//! [`judge`]: what one query finds; [`scores`]: sums over queries; [`worst`]: the queries that were answered worst. What is
//! found is the job's result, and is kept with the generation.
//!
//! A hit is right when it is of the query's true class. A gallery entry's true class is the nearest folder of
//! its uri that is a class of the model; an entry without one counts by the class it was given. A query that
//! is in the index itself is no hit of its own. Precision at K divides by K, however few hits there are.

mod judge;
mod scores;
mod worst;

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use lookalike_shared::db::evaluations::{upsert_evaluation, upsert_thumbnails};
use lookalike_shared::db::indexes::Index;
use lookalike_shared::db::{self, generations, items};
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::domain::search::{Probes, RankBy};
use lookalike_shared::jobs::Evaluate;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dataset::{self, LabelledFile, Reader};
use crate::embedding::{self, Vector};
use crate::inference::Priority;
use crate::models::StoredModel;
use crate::picture::prepare;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

use judge::{Gallery, Query};
use scores::Scores;
use worst::Worst;

/// Searches under way at a time.
const TOGETHER: usize = 4;
const RANKINGS: [RankBy; 2] = [RankBy::Embedding, RankBy::Probabilities];

/// Searches with every readable picture and counts right hits.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Evaluate = context.payload()?;
    let index = db::indexes::get_index(context.db(), &payload.index).await?;
    let (generation, model_id) = measured(&context, &index, payload.generation).await?;
    let model = context.services.models.get_by_id(model_id).await?;
    let source = context.storage().get_source(&payload.source)?.clone();
    let listing = dataset::list(&source, &payload.prefix).await?;
    let truth = true_classes(&listing.classes, &model, &payload)?;

    let mut meter = Meter::new("searching", "pictures", Some(listing.len() as u64));
    let settings = settings(&payload);
    let mut scores = Scores::new(&payload.k, &settings, model.row.classes.len());
    let mut worst = Worst::default();
    let gallery = Gallery::look(&context, &model, generation, settings, &payload.k).await?;
    let size = model.image_size();
    let files = listing.files;
    let mut reader = Reader::new(&context, source.clone(), files, move |_, picture| prepare(picture, size));
    let (mut done, mut failed) = (0, 0);
    while let Some(batch) = reader.next().await? {
        done += batch.len() as u64;
        let (queries, unreadable) = embed(&context, &model, batch).await?;
        failed += unreadable.len() as u64;
        items::insert_items(context.db(), context.attempt.job_id, &unreadable).await?;
        let own = gallery.own(&context, queries.iter().map(|(file, _)| file.uri.clone()).collect()).await?;
        let (context_ref, gallery_ref, own) = (&context, &gallery, &own);
        let judged: Vec<_> = stream::iter(queries)
            .map(|(file, vector)| {
                let (class, own) = (truth[file.class], own.get(&file.uri).copied());
                gallery_ref.judge(context_ref, Query { file, vector, class, own })
            })
            .buffered(TOGETHER)
            .try_collect()
            .await?;
        judged.iter().for_each(|judged| scores.add(judged));
        worst.add(judged);
        context.progress(meter.update(context.started.elapsed().as_secs_f64(), done, failed)).await?;
    }
    if scores.queries == 0 {
        let detail =
            format!("no readable picture in a class folder under {}/{}", payload.source, payload.prefix);
        return Err(JobError::permanent("no_queries", detail));
    }
    let thumbnails = worst.thumbnails(&context, &source).await;
    let mut result = scores.result(&model, failed);
    result["worst"] = worst.result(&payload.index, context.attempt.job_id, &model, &thumbnails);
    result["index"] = json!(index.name);
    result["generation"] = json!(generation);
    result["source"] = json!(payload.source);
    result["prefix"] = json!(payload.prefix);
    store(&context, generation, &result, &thumbnails).await?;
    Ok(JobOutcome::Stored)
}

/// What is measured: what was asked for first, then what it is to be compared with, and everything.
fn settings(payload: &Evaluate) -> Vec<Probes> {
    let mut settings = vec![payload.probes];
    for probes in payload.compare.iter().chain(&[Probes::All]) {
        if !settings.contains(probes) {
            settings.push(*probes);
        }
    }
    settings
}

/// Ends the job, and keeps what it found with the generation.
async fn store(
    context: &JobContext,
    generation: i32,
    result: &Value,
    thumbnails: &[Option<Vec<u8>>],
) -> Result<(), JobError> {
    let id = context.attempt.job_id.0;
    let (positions, thumbnails): (Vec<i32>, Vec<Vec<u8>>) =
        (0..).zip(thumbnails).filter_map(|(position, jpeg)| Some((position, jpeg.clone()?))).unzip();
    let mut tx = db::begin(context.db()).await?;
    let stored = upsert_evaluation(&mut *tx, id, generation, result).await;
    stored.map_err(|error| judge::missed(generation, error.into()))?;
    upsert_thumbnails(&mut *tx, id, &positions, &thumbnails).await?;
    context.succeed_in(&mut tx, result).await?;
    db::commit(tx).await?;
    Ok(())
}

/// The generation to measure and its model: the one that is named, if it is whole, else the active one.
async fn measured(
    context: &JobContext,
    index: &Index,
    generation: Option<i32>,
) -> Result<(i32, Uuid), JobError> {
    let Some(wanted) = generation else {
        let none = || {
            let detail = format!("index \"{}\" has no active generation", index.name);
            JobError::permanent("index_empty", detail)
        };
        return index.generation.zip(index.model_id).ok_or_else(none);
    };
    let found = generations::find_generation(context.db(), index.id, wanted).await?;
    let found = found.filter(|found| found.state.is_whole()).ok_or_else(|| {
        let detail = format!("index \"{}\" has no generation {wanted}, or it is not whole", index.name);
        JobError::permanent("generation_not_found", detail)
    })?;
    Ok((found.id, found.model_id))
}

/// The model's class of each folder.
fn true_classes(folders: &[String], model: &StoredModel, payload: &Evaluate) -> Result<Vec<usize>, JobError> {
    if folders.is_empty() {
        let detail = format!(
            "{}/{} holds no folder with files: one folder per class expected",
            payload.source, payload.prefix
        );
        return Err(JobError::permanent("no_queries", detail));
    }
    let number = |folder: &String| {
        model.row.classes.iter().position(|class| class == folder).ok_or_else(|| {
            let detail = format!("folder \"{folder}\" is no class of model {}", model.row.reference());
            JobError::permanent("unknown_class", detail)
        })
    };
    folders.iter().map(number).collect()
}

type Read = (LabelledFile, Result<Vec<u8>, dataset::Unreadable>);

async fn embed(
    context: &JobContext,
    model: &Arc<StoredModel>,
    batch: Vec<Read>,
) -> Result<(Vec<(LabelledFile, Vector)>, Vec<items::NewItem>), JobError> {
    let (mut files, mut pixels, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for (file, read) in batch {
        match read {
            Ok(picture) => {
                files.push(file);
                pixels.push(picture);
            }
            Err(reason) => {
                unreadable.push(items::NewItem { uri: file.uri, code: reason.code, detail: reason.detail });
            }
        }
    }
    let vectors = embedding::embed(&context.services.inference, model, pixels, Priority::Bulk).await?;
    Ok((files.into_iter().zip(vectors).collect(), unreadable))
}

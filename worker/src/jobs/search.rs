//! Finds the look-alikes of a picture.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::db::{self, DbError};
use lookalike_shared::domain::search::{calibrated, similarity};
use lookalike_shared::jobs::{Query, Search};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dataset::picture_limits;
use crate::embedding::{Vector, embed};
use crate::inference::Priority;
use crate::matching::{Found, MatchError, Wanted};
use crate::models::StoredModel;
use crate::picture::{decode, prepare};
use crate::queries::Weighted;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// How many classes of the query are told.
const CLASSES_TOLD: usize = 5;

/// How often a search whose generation was dropped meanwhile begins again with the one that took its place.
const SWAPS: usize = 3;

/// Embeds the query, matches it, and tells what was found, where, and how long each step took.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let queued = (Utc::now() - context.attempt.created_at).as_seconds_f64() * 1e3;
    let search: Search = context.payload()?;
    for _ in 0..SWAPS {
        match search_once(&context, &search, queued).await {
            Ok(answer) => return Ok(JobOutcome::Result(answer)),
            Err(Miss::Vanished) => context.check_stop()?,
            Err(Miss::Failed(error)) => return Err(error),
        }
    }
    let detail = format!("the generations of index \"{}\" are dropped one after the other", search.index);
    Err(JobError::retry("generation_vanished", detail))
}

/// Why a search found nothing to tell.
enum Miss {
    /// Its generation was dropped between the look at the index and the match.
    Vanished,
    Failed(JobError),
}

impl From<JobError> for Miss {
    fn from(error: JobError) -> Self {
        Self::Failed(error)
    }
}

impl From<DbError> for Miss {
    fn from(error: DbError) -> Self {
        if has_vanished(&error) { Self::Vanished } else { Self::Failed(error.into()) }
    }
}

impl From<MatchError> for Miss {
    fn from(error: MatchError) -> Self {
        if error.has_vanished() { Self::Vanished } else { Self::Failed(error.into()) }
    }
}

/// Searches the generation that is active now, with its model: one look at the index gives both, whatever is swapped
/// meanwhile.
async fn search_once(context: &JobContext, search: &Search, queued: f64) -> Result<Value, Miss> {
    let matcher = &context.services.matcher;
    let (index, files) = tokio::join!(matcher.look(search.index.as_str()), asked_with(context, search));
    let (index, files) = (index?, files?);
    let index = index.ok_or_else(|| DbError::not_found("index", &search.index))?;
    let (Some(generation), Some(model_id)) = (index.generation, index.model_id) else {
        let detail = format!("index \"{}\" has no active generation", search.index);
        return Err(JobError::permanent("index_empty", detail).into());
    };
    let model = context.services.models.get_by_id(model_id).await?;

    let mut timings = Timings { queued, ..Timings::default() };
    let vector = query_vector(context, search, files, generation, &model, &mut timings).await?;
    let started = Instant::now();
    let classes = search.filter.class.as_ref().map(|names| class_numbers(names, &model)).transpose()?;
    let metadata =
        (!search.filter.metadata.is_empty()).then(|| Value::Object(search.filter.metadata.clone()));
    let wanted = Wanted {
        vector: &vector,
        probes: search.probes,
        temperature: model.temperature(),
        rank_by: search.rank_by,
        k: search.k,
        classes: classes.as_deref(),
        metadata: metadata.as_ref(),
        min_similarity: search.min_similarity,
        exclude: excluded(search),
        uri_prefix: None,
        collapse: None,
    };
    let found = matcher.find(generation, &index.partitions, &wanted).await?;
    timings.matching = elapsed_ms(started);
    Ok(answer(search, generation, &model, &vector, &found, &timings))
}

/// Milliseconds of each step.
#[derive(Debug, Default)]
struct Timings {
    queued: f64,
    decode: f64,
    forward: f64,
    matching: f64,
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The pictures that are asked with, with their weights; none where an entry is.
async fn asked_with(context: &JobContext, search: &Search) -> Result<Weighted, JobError> {
    match &search.query {
        Query::Entry { .. } => Ok(Vec::new()),
        Query::Object { source, key } => {
            let limit = context.services.limits.max_picture_bytes;
            let source = context.storage().get_source(source)?.clone();
            Ok(vec![(1.0, source.get(key, limit).await?.to_vec())])
        }
        Query::Picture | Query::Examples { .. } => context.services.queries.of(context.attempt.job_id).await,
    }
}

async fn query_vector(
    context: &JobContext,
    search: &Search,
    files: Weighted,
    generation: i32,
    model: &Arc<StoredModel>,
    timings: &mut Timings,
) -> Result<Vector, Miss> {
    if let Query::Entry { entry_id } = &search.query {
        return entry_vector(context, generation, *entry_id).await;
    }
    let started = Instant::now();
    let weights: Vec<f32> = files.iter().map(|(weight, _)| *weight).collect();
    let pixels = decode_files(context, files, model.image_size()).await?;
    timings.decode = elapsed_ms(started);
    let started = Instant::now();
    let vectors = embed(&context.services.inference, model, pixels, Priority::Search).await?;
    timings.forward = elapsed_ms(started);
    Ok(mean(&vectors, &weights)?)
}

async fn entry_vector(context: &JobContext, generation: i32, id: Uuid) -> Result<Vector, Miss> {
    let vectors = db::gallery::find_vectors(context.db(), generation, id).await?;
    let (probabilities, embedding) = vectors
        .ok_or_else(|| JobError::permanent("entry_not_found", format!("the index has no entry \"{id}\"")))?;
    Ok(Vector { probabilities, embedding })
}

async fn decode_files(
    context: &JobContext,
    files: Vec<(f32, Vec<u8>)>,
    size: u32,
) -> Result<Vec<Vec<u8>>, JobError> {
    if files.is_empty() {
        return Err(JobError::permanent("picture_missing", "the search's picture is not stored any more"));
    }
    let limits = picture_limits(&context.services.limits);
    let decoded = tokio::task::spawn_blocking(move || {
        let prepared = files.iter().map(|(_, bytes)| Ok(prepare(&decode(bytes, &limits)?, size)));
        prepared.collect::<Result<Vec<_>, crate::picture::PictureError>>()
    });
    let decoded = decoded.await.map_err(|error| JobError::retry("panic", error.to_string()))?;
    decoded.map_err(|error| {
        JobError::permanent(error.code.as_str(), format!("the picture cannot be read: {}", error.detail))
    })
}

/// The weighted mean of several examples, normalised again: the embedding to length 1, negative probabilities
/// cut and the rest summing to 1.
fn mean(vectors: &[Vector], weights: &[f32]) -> Result<Vector, JobError> {
    if let [only] = vectors {
        return Ok(only.clone());
    }
    let blend = |part: fn(&Vector) -> &Vec<f32>| {
        let length = vectors.first().map_or(0, |vector| part(vector).len());
        let mut sum = vec![0.0_f32; length];
        for (vector, weight) in vectors.iter().zip(weights) {
            sum.iter_mut().zip(part(vector)).for_each(|(total, value)| *total += weight * value);
        }
        sum
    };
    let mut embedding = blend(|vector| &vector.embedding);
    let norm = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
    let mut probabilities = blend(|vector| &vector.probabilities);
    probabilities.iter_mut().for_each(|value| *value = value.max(0.0));
    let mass: f32 = probabilities.iter().sum();
    if norm <= f32::EPSILON || mass <= f32::EPSILON {
        let detail = "the examples cancel each other out; other weights leave something to look for";
        return Err(JobError::permanent("examples_cancel_out", detail));
    }
    embedding.iter_mut().for_each(|value| *value /= norm);
    probabilities.iter_mut().for_each(|value| *value /= mass);
    Ok(Vector { probabilities, embedding })
}

fn class_numbers(names: &[String], model: &StoredModel) -> Result<Vec<usize>, JobError> {
    let number = |name: &String| {
        let position = model.row.classes.iter().position(|class| class == name);
        let unknown = || format!("model {} has no class \"{name}\"", model.row.reference());
        position.ok_or_else(|| JobError::permanent("unknown_class", unknown()))
    };
    names.iter().map(number).collect()
}

fn excluded(search: &Search) -> Option<Uuid> {
    match &search.query {
        Query::Entry { entry_id } => Some(*entry_id),
        Query::Picture | Query::Object { .. } | Query::Examples { .. } => None,
    }
}

fn answer(
    search: &Search,
    generation: i32,
    model: &StoredModel,
    vector: &Vector,
    found: &Found,
    timings: &Timings,
) -> Value {
    let probabilities = calibrated(&vector.probabilities, model.temperature());
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let classes: Vec<_> = classes
        .into_iter()
        .take(CLASSES_TOLD)
        .map(|class| json!({ "class": model.class_name(class), "probability": probabilities[class] }))
        .collect();
    let hits: Vec<_> = found
        .hits
        .iter()
        .enumerate()
        .map(|(position, found)| {
            let (hit, distance) = (&found.hit, found.distance);
            json!({
                "rank": position + 1,
                "entry_id": hit.entry_id,
                "uri": hit.uri,
                "class": model.class_name(usize::try_from(hit.class_id).unwrap_or(usize::MAX)),
                "probability": hit.probability,
                "distance": distance,
                "similarity": similarity(distance),
                "width": hit.width,
                "height": hit.height,
                "thumbnail": format!("/v1/indexes/{}/entries/{}/thumbnail", search.index, hit.entry_id),
                "metadata": hit.metadata,
            })
        })
        .collect();
    json!({
        "query": { "classes": classes },
        "model": model.row.reference(),
        "generation": generation,
        "hits": hits,
        "scanned": {
            "partitions": found.partitions,
            "of_partitions": found.of_partitions,
            "entries": found.entries,
            "of_entries": found.of_entries,
            "engine": found.engine(),
            "exact": found.approximate == 0,
        },
        "timings_ms": {
            "queued": round(timings.queued),
            "decode": round(timings.decode),
            "forward": round(timings.forward),
            "match": round(timings.matching),
            "total": round(timings.queued + timings.decode + timings.forward + timings.matching),
        },
    })
}

/// Milliseconds to a hundredth.
fn round(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(embedding: [f32; 2], probabilities: [f32; 2]) -> Vector {
        Vector { embedding: embedding.to_vec(), probabilities: probabilities.to_vec() }
    }

    #[test]
    fn examples_are_averaged_by_weight() {
        let (a, b) = (vector([1.0, 0.0], [1.0, 0.0]), vector([0.0, 1.0], [0.0, 1.0]));
        let mixed = mean(&[a.clone(), b.clone()], &[1.0, 1.0]).unwrap();
        assert!((mixed.embedding[0] - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6);
        assert_eq!(mixed.probabilities, [0.5, 0.5]);
        let away = mean(&[a.clone(), b], &[1.0, -0.5]).unwrap();
        assert!(away.embedding[1] < 0.0);
        assert_eq!(away.probabilities, [1.0, 0.0]);
        assert!(mean(&[a.clone(), a], &[1.0, -1.0]).is_err());
    }
}

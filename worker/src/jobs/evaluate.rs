//! Measures an index with labelled queries: precision at K and mean average precision for both rankings, and
//! how much of the exhaustive answer routing keeps.
//!
//! A hit is right when it is of the query's true class. A gallery entry's true class is the nearest folder of
//! its uri that is a class of the model; an entry without one counts by the class it was given. A query that
//! is in the index itself is no hit of its own. Precision at K divides by K, however few hits there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use lookalike_shared::db::gallery::{Hit, find_manifest};
use lookalike_shared::db::generations;
use lookalike_shared::db::indexes::{Index, Partition, list_partitions};
use lookalike_shared::db::{self, DbError, items};
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::domain::search::{Probes, RankBy};
use lookalike_shared::jobs::Evaluate;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::dataset::{self, LabelledFile, Reader, class_of_uri};
use crate::embedding::{self, Vector};
use crate::inference::Priority;
use crate::matching::{Found, Match, MatchError, Wanted};
use crate::models::StoredModel;
use crate::picture::prepare;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

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
    let mut scores = Scores::new(&payload.k, model.row.classes.len());
    let size = model.image_size();
    let mut reader = Reader::new(&context, source, listing.files, move |_, picture| prepare(picture, size));
    let (mut done, mut failed) = (0, 0);
    while let Some(batch) = reader.next().await? {
        done += batch.len() as u64;
        let (queries, unreadable) = embed(&context, &model, batch).await?;
        failed += unreadable.len() as u64;
        items::insert_items(context.db(), context.attempt.job_id, &unreadable).await?;
        let gallery = Gallery::look(&context, generation, &queries).await?;
        let (context_ref, model_ref, payload_ref, gallery) = (&context, &model, &payload, &gallery);
        let judged: Vec<_> = stream::iter(queries)
            .map(|(file, vector)| {
                let class = truth[file.class];
                judge(context_ref, gallery, model_ref, payload_ref, class, file, vector)
            })
            .buffered(TOGETHER)
            .try_collect()
            .await?;
        judged.iter().for_each(|query| scores.add(query));
        context.progress(meter.update(context.started.elapsed().as_secs_f64(), done, failed)).await?;
    }
    if scores.queries == 0 {
        let detail =
            format!("no readable picture in a class folder under {}/{}", payload.source, payload.prefix);
        return Err(JobError::permanent("no_queries", detail));
    }
    let mut result = scores.result(&model, failed);
    result["index"] = json!(index.name);
    result["generation"] = json!(generation);
    Ok(JobOutcome::Result(result))
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

/// What queries are matched with.
struct Gallery {
    generation: i32,
    partitions: Vec<Partition>,
    /// Entries of the queries' own pictures, by uri.
    own: HashMap<String, Uuid>,
}

impl Gallery {
    async fn look(
        context: &JobContext,
        generation: i32,
        queries: &[(LabelledFile, Vector)],
    ) -> Result<Self, JobError> {
        let uris: Vec<String> = queries.iter().map(|(file, _)| file.uri.clone()).collect();
        let look = async {
            let partitions = list_partitions(context.db(), generation).await?;
            let own = find_manifest(context.db(), generation, &uris).await?;
            let own = own.into_iter().map(|row| (row.uri, row.entry_id)).collect();
            Ok(Self { generation, partitions, own })
        };
        look.await.map_err(|error: DbError| missed(generation, error.into()))
    }
}

/// What one query found.
struct Judged {
    class: usize,
    predicted: usize,
    /// For each ranking: which hits were right, in order.
    right: [Vec<bool>; 2],
    /// The share of the exhaustive hits that routing kept, and how many partitions it looked into.
    recall: f64,
    partitions: usize,
}

async fn judge(
    context: &JobContext,
    gallery: &Gallery,
    model: &StoredModel,
    payload: &Evaluate,
    class: usize,
    file: LabelledFile,
    vector: Vector,
) -> Result<Judged, JobError> {
    let k = payload.k.iter().copied().max().unwrap_or(1);
    let wanted = |rank_by, probes| Wanted {
        vector: &vector,
        probes,
        temperature: model.temperature(),
        rank_by,
        k,
        classes: None,
        metadata: None,
        min_similarity: None,
        exclude: gallery.own.get(&file.uri).copied(),
        uri_prefix: None,
        collapse: None,
    };
    let mut right = [Vec::new(), Vec::new()];
    let (mut recall, mut partitions) = (1.0, 0);
    for (ranking, rank_by) in RANKINGS.into_iter().enumerate() {
        let found = find(context, gallery, &wanted(rank_by, payload.probes)).await?;
        right[ranking] = found.hits.iter().map(|found| true_class(&found.hit, model) == class).collect();
        if rank_by == RankBy::Embedding {
            let all = find(context, gallery, &wanted(rank_by, Probes::All)).await?;
            recall = kept(&found.hits, &all.hits);
            partitions = found.partitions;
        }
    }
    let predicted = vector.class();
    Ok(Judged { class, predicted, right, recall, partitions })
}

/// What matching finds. A generation that was dropped meanwhile ends the attempt: the next one measures the one that is
/// active then, or says that the one it was to measure is gone.
async fn find(context: &JobContext, gallery: &Gallery, wanted: &Wanted<'_>) -> Result<Found, JobError> {
    let found = context.services.matcher.find(gallery.generation, &gallery.partitions, wanted).await;
    found.map_err(|error| missed(gallery.generation, error))
}

fn missed(generation: i32, error: MatchError) -> JobError {
    let detail = || format!("generation {generation} was dropped while it was measured");
    if error.has_vanished() { JobError::retry("generation_vanished", detail()) } else { error.into() }
}

fn true_class(hit: &Hit, model: &StoredModel) -> usize {
    let given = usize::try_from(hit.class_id).unwrap_or(usize::MAX);
    class_of_uri(&hit.uri, &model.row.classes).unwrap_or(given)
}

fn kept(found: &[Match], all: &[Match]) -> f64 {
    let found: HashSet<_> = found.iter().map(|found| found.hit.entry_id).collect();
    let kept = all.iter().filter(|wanted| found.contains(&wanted.hit.entry_id)).count();
    if all.is_empty() { 1.0 } else { kept as f64 / all.len() as f64 }
}

/// Sums over queries.
struct Scores {
    k: Vec<u32>,
    queries: u64,
    recall: f64,
    partitions: u64,
    classes: Vec<ClassScores>,
}

#[derive(Clone, Default)]
struct ClassScores {
    queries: u64,
    predicted: u64,
    /// For each ranking: summed precision at each K, and summed average precision.
    precision: [Vec<f64>; 2],
    average: [f64; 2],
}

impl Scores {
    fn new(k: &[u32], classes: usize) -> Self {
        let precision = [vec![0.0; k.len()], vec![0.0; k.len()]];
        let empty = ClassScores { precision, ..ClassScores::default() };
        Self { k: k.to_vec(), queries: 0, recall: 0.0, partitions: 0, classes: vec![empty; classes] }
    }

    fn add(&mut self, query: &Judged) {
        self.queries += 1;
        self.recall += query.recall;
        self.partitions += query.partitions as u64;
        let class = &mut self.classes[query.class];
        class.queries += 1;
        class.predicted += u64::from(query.predicted == query.class);
        for (ranking, right) in query.right.iter().enumerate() {
            for (position, k) in self.k.iter().enumerate() {
                let count = right.iter().take(*k as usize).filter(|right| **right).count();
                class.precision[ranking][position] += count as f64 / f64::from(*k);
            }
            class.average[ranking] += average_precision(right);
        }
    }

    fn result(&self, model: &StoredModel, failed: u64) -> Value {
        let sum = |of: &dyn Fn(&ClassScores) -> f64| self.classes.iter().map(of).sum::<f64>();
        let mean = |of: &dyn Fn(&ClassScores) -> f64| sum(of) / self.queries as f64;
        let precision = |ranking: usize| -> Map<String, Value> {
            let at = |position: usize| mean(&|class: &ClassScores| class.precision[ranking][position]);
            self.k.iter().enumerate().map(|(position, k)| (k.to_string(), json!(at(position)))).collect()
        };
        let map = [0, 1].map(|ranking: usize| mean(&|class: &ClassScores| class.average[ranking]));
        let per_class: Vec<_> = self
            .classes
            .iter()
            .enumerate()
            .filter(|(_, class)| class.queries > 0)
            .map(|(number, class)| self.class_result(model.class_name(number), class))
            .collect();
        json!({
            "queries": self.queries,
            "failed": failed,
            "model": model.row.reference(),
            "accuracy": mean(&|class: &ClassScores| class.predicted as f64),
            "precision_at": { "embedding": precision(0), "probabilities": precision(1) },
            "map": map[0],
            "map_by": { "embedding": map[0], "probabilities": map[1] },
            "per_class": per_class,
            "routing_recall": self.recall / self.queries as f64,
            "partitions_probed": self.partitions as f64 / self.queries as f64,
        })
    }

    fn class_result(&self, name: &str, class: &ClassScores) -> Value {
        let queries = class.queries as f64;
        let precision = |ranking: usize| -> Map<String, Value> {
            let at = |position: usize| class.precision[ranking][position] / queries;
            self.k.iter().enumerate().map(|(position, k)| (k.to_string(), json!(at(position)))).collect()
        };
        let map = class.average.map(|sum| sum / queries);
        json!({
            "class": name,
            "queries": class.queries,
            "accuracy": class.predicted as f64 / queries,
            "precision_at": { "embedding": precision(0), "probabilities": precision(1) },
            "map": map[0],
            "map_by": { "embedding": map[0], "probabilities": map[1] },
        })
    }
}

/// Average precision over the hits: the mean of the precision at each right hit (Manning, Raghavan, Schütze,
/// *Introduction to Information Retrieval*, 2008, section 8.4), relative to the right hits found.
fn average_precision(right: &[bool]) -> f64 {
    let (mut found, mut sum) = (0.0, 0.0);
    for (position, right) in right.iter().enumerate() {
        if *right {
            found += 1.0;
            sum += found / (position + 1) as f64;
        }
    }
    if found == 0.0 { 0.0 } else { sum / found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_rewards_early_hits() {
        assert_eq!(average_precision(&[true, true, false]), 1.0);
        assert_eq!(average_precision(&[false, true]), 0.5);
        assert_eq!(average_precision(&[true, false, true]), (1.0 + 2.0 / 3.0) / 2.0);
        assert_eq!(average_precision(&[false]), 0.0);
    }

    #[test]
    fn missing_hits_count_as_wrong() {
        let mut scores = Scores::new(&[1, 2], 2);
        let right = [vec![true], vec![true]];
        scores.add(&Judged { class: 1, predicted: 1, right, recall: 1.0, partitions: 1 });
        assert_eq!(scores.classes[1].precision[0], [1.0, 0.5]);
    }
}

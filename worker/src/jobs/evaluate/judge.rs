//! What one query finds, setting by setting, and which of it is right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::try_join_all;
use lookalike_shared::db::DbError;
use lookalike_shared::db::gallery::{Hit, count_by_folder, find_manifest};
use lookalike_shared::db::indexes::{Partition, list_partitions};
use lookalike_shared::domain::search::{Probes, RankBy};
use uuid::Uuid;

use super::RANKINGS;
use super::scores::average_precision;
use crate::dataset::{LabelledFile, class_of_uri};
use crate::embedding::Vector;
use crate::matching::{Found, Match, MatchError, Wanted};
use crate::models::StoredModel;
use crate::runtime::context::{JobContext, JobError};

/// What queries are matched with.
pub struct Gallery {
    generation: i32,
    model: Arc<StoredModel>,
    partitions: Vec<Partition>,
    /// How many entries truly are of each class.
    entries: Vec<u64>,
    settings: Vec<Probes>,
    k: u32,
}

/// A picture of a known class that is searched with.
pub struct Query {
    pub file: LabelledFile,
    pub vector: Vector,
    /// Its true class.
    pub class: usize,
    /// The entry of the same picture, which is no hit.
    pub own: Option<Uuid>,
}

/// What one query found.
pub struct Judged {
    pub file: LabelledFile,
    pub class: usize,
    pub predicted: usize,
    /// How many entries are of its class.
    pub relevant: u64,
    /// For each setting, for each ranking.
    pub answers: Vec<[Answer; 2]>,
    /// The first hits of the first setting, by embedding.
    pub hits: Vec<Hit>,
}

/// What was found with a setting by a ranking.
pub struct Answer {
    /// Which hits were right, in order.
    pub right: Vec<bool>,
    /// The share of the exhaustive hits that are among them.
    pub kept: f64,
    /// Partitions looked into, and entries in them.
    pub partitions: usize,
    pub entries: i64,
}

/// Hits that are told of a query.
const TOLD: usize = 5;

impl Gallery {
    pub async fn look(
        context: &JobContext,
        model: &Arc<StoredModel>,
        generation: i32,
        settings: Vec<Probes>,
        k: &[u32],
    ) -> Result<Self, JobError> {
        let look = async {
            let partitions = list_partitions(context.db(), generation).await?;
            Ok((partitions, count_by_folder(context.db(), generation).await?))
        };
        let looked: Result<_, DbError> = look.await;
        let (partitions, folders) = looked.map_err(|error| missed(generation, error.into()))?;
        let mut entries = vec![0; model.row.classes.len()];
        for (folder, class_id, count) in folders {
            if let Some(entries) = entries.get_mut(true_class(&folder, class_id, model)) {
                *entries += count.unsigned_abs();
            }
        }
        let k = k.iter().copied().max().unwrap_or(1);
        Ok(Self { generation, model: model.clone(), partitions, entries, settings, k })
    }

    /// The entries of these pictures, by uri.
    pub async fn own(
        &self,
        context: &JobContext,
        uris: Vec<String>,
    ) -> Result<HashMap<String, Uuid>, JobError> {
        let rows = find_manifest(context.db(), self.generation, &uris).await;
        let rows = rows.map_err(|error| missed(self.generation, error.into()))?;
        Ok(rows.into_iter().map(|row| (row.uri, row.entry_id)).collect())
    }

    /// Searches with a query, with every setting and by every ranking.
    pub async fn judge(&self, context: &JobContext, query: Query) -> Result<Judged, JobError> {
        let Query { file, vector, class, own } = query;
        let find = async |probes, rank_by| {
            let wanted = self.wanted(&vector, probes, rank_by, own.as_slice());
            let found = context.services.matcher.find(self.generation, &self.partitions, &wanted).await;
            found.map_err(|error| missed(self.generation, error))
        };
        let of_setting = async |probes: Probes| {
            let [embedding, probabilities] = RANKINGS.map(|rank_by| find(probes, rank_by));
            let (embedding, probabilities) = tokio::try_join!(embedding, probabilities)?;
            Ok::<_, JobError>([embedding, probabilities])
        };
        let found = try_join_all(self.settings.iter().map(|probes| of_setting(*probes))).await?;
        let everything = self.settings.iter().position(|probes| *probes == Probes::All).unwrap_or_default();
        let exhaustive = [0, 1].map(|ranking: usize| entries_of(&found[everything][ranking].hits));
        let own_class = own.is_some_and(|_| true_class(&file.uri, -1, &self.model) == class);
        let judged = Judged {
            class,
            predicted: vector.class(),
            relevant: self.entries[class].saturating_sub(own_class.into()),
            answers: found.iter().map(|found| self.answers(found, &exhaustive, class)).collect(),
            hits: found[0][0].hits.iter().take(TOLD).map(|found| found.hit.clone()).collect(),
            file,
        };
        Ok(judged)
    }

    fn answers(&self, found: &[Found; 2], exhaustive: &[HashSet<Uuid>; 2], class: usize) -> [Answer; 2] {
        [0, 1].map(|ranking: usize| {
            let Found { hits, partitions, entries, .. } = &found[ranking];
            let right = |found: &Match| true_class(&found.hit.uri, found.hit.class_id, &self.model) == class;
            let kept = entries_of(hits).intersection(&exhaustive[ranking]).count();
            let all = exhaustive[ranking].len();
            Answer {
                right: hits.iter().map(right).collect(),
                kept: if all == 0 { 1.0 } else { kept as f64 / all as f64 },
                partitions: *partitions,
                entries: *entries,
            }
        })
    }

    fn wanted<'a>(
        &self,
        vector: &'a Vector,
        probes: Probes,
        rank_by: RankBy,
        exclude: &'a [Uuid],
    ) -> Wanted<'a> {
        Wanted {
            vector,
            probes,
            temperature: self.model.temperature(),
            rank_by,
            k: self.k,
            classes: None,
            metadata: None,
            min_similarity: None,
            exclude,
            uri_prefix: None,
            collapse: None,
        }
    }
}

impl Judged {
    /// What the query is worth: the average precision of the first setting, by embedding.
    pub fn average_precision(&self) -> f64 {
        self.answers.first().map_or(0.0, |[embedding, _]| average_precision(&embedding.right))
    }
}

/// A generation that was dropped meanwhile ends the attempt: the next one measures the one that is active then, or says that
/// the one it was to measure is gone.
pub fn missed(generation: i32, error: MatchError) -> JobError {
    let detail = || format!("generation {generation} was dropped while it was measured");
    if error.has_vanished() { JobError::retry("generation_vanished", detail()) } else { error.into() }
}

/// The class that an entry's folder tells, else the one that it was given.
pub fn true_class(uri: &str, given: i32, model: &StoredModel) -> usize {
    let given = usize::try_from(given).unwrap_or(usize::MAX);
    class_of_uri(uri, &model.row.classes).unwrap_or(given)
}

fn entries_of(hits: &[Match]) -> HashSet<Uuid> {
    hits.iter().map(|found| found.hit.entry_id).collect()
}

//! From a query's vectors to hits: route to classes, match within their partitions.
//!
//! The engine is PostgreSQL with pgvector: the leaves of the probed classes are scanned and ranked by Euclidean
//! distance, ties by entry id. Leaves that have outgrown that are searched through their graphs.

use lookalike_shared::db::gallery::{Hit, MatchQuery, match_entries};
use lookalike_shared::db::indexes::{Partition, list_partitions};
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::domain::search::{Probes, RankBy, calibrated, route};
use serde_json::Value;
use uuid::Uuid;

use crate::embedding::Vector;

/// The engine's name in answers.
pub const ENGINE: &str = "postgres";

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The query's vectors.
    pub vector: &'a Vector,
    /// Which partitions to look into.
    pub probes: Probes,
    /// What makes the model's probabilities believable, for the choice of partitions.
    pub temperature: f64,
    /// What distances are measured between.
    pub rank_by: RankBy,
    /// How many hits.
    pub k: u32,
    /// Only entries of these classes.
    pub classes: Option<&'a [usize]>,
    /// Only entries whose metadata holds all of this object.
    pub metadata: Option<&'a Value>,
    /// Only hits at least this similar.
    pub min_similarity: Option<f64>,
    /// An entry that is no hit.
    pub exclude: Option<Uuid>,
    /// A picture that is no hit, by its uri.
    pub exclude_uri: Option<&'a str>,
}

/// What was found, and where it was looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The hits, nearest first.
    pub hits: Vec<Hit>,
    /// Partitions looked into.
    pub partitions: usize,
    /// Entries in them.
    pub entries: i64,
    /// Partitions there are.
    pub of_partitions: usize,
    /// Entries there are.
    pub of_entries: i64,
    /// How many of the partitions looked into were searched through their graphs, nearly exactly.
    pub approximate: usize,
}

/// Finds the nearest entries of a generation.
///
/// # Errors
/// [`DbError`]; [`has_vanished`](lookalike_shared::db::generations::has_vanished) tells that the generation was dropped.
pub async fn find(db: &PgPool, generation: i32, wanted: &Wanted<'_>) -> Result<Found, DbError> {
    let partitions = list_partitions(db, generation).await?;
    if partitions.is_empty() {
        return Err(DbError::not_found("generation", generation));
    }
    let probed = probed(&partitions, wanted);
    let vector = match wanted.rank_by {
        RankBy::Embedding => &wanted.vector.embedding,
        RankBy::Probabilities => &wanted.vector.probabilities,
    };
    // Graphs are of embeddings.
    let of_embeddings = wanted.rank_by == RankBy::Embedding;
    let (graphs, exact): (Vec<&Partition>, Vec<&Partition>) =
        probed.iter().partition(|partition| partition.has_graph && of_embeddings);
    let [classes, graphs] =
        [exact, graphs].map(|part| part.iter().map(|partition| partition.class_id).collect::<Vec<_>>());
    let query = MatchQuery {
        classes: &classes,
        approximate: &graphs,
        rank_by: wanted.rank_by,
        vector,
        k: i64::from(wanted.k),
        exclude: wanted.exclude,
        exclude_uri: wanted.exclude_uri,
        metadata: wanted.metadata,
        max_distance: wanted.min_similarity.filter(|similarity| *similarity > 0.0).map(|s| 1.0 / s - 1.0),
    };
    let (mut hits, mut approximate) = (Vec::new(), graphs.len());
    if probed.iter().any(|partition| partition.rows > 0) {
        hits = match_entries(db, generation, &query).await?;
        // A graph is not searched to its end: entries that are wanted may lie where nothing else is.
        if approximate > 0 && wanted.metadata.is_some() && hits.len() < wanted.k as usize {
            let all: Vec<i32> = probed.iter().map(|partition| partition.class_id).collect();
            hits = match_entries(db, generation, &MatchQuery { classes: &all, approximate: &[], ..query })
                .await?;
            approximate = 0;
        }
    }
    Ok(Found {
        hits,
        partitions: probed.len(),
        entries: probed.iter().map(|partition| partition.rows).sum(),
        of_partitions: partitions.len(),
        of_entries: partitions.iter().map(|partition| partition.rows).sum(),
        approximate,
    })
}

/// The partitions to look into: those the filter names, if it does, else those the probabilities lead to.
fn probed<'a>(partitions: &'a [Partition], wanted: &Wanted<'_>) -> Vec<&'a Partition> {
    let classes = match wanted.classes {
        Some(classes) => classes.to_vec(),
        None => route(&calibrated(&wanted.vector.probabilities, wanted.temperature), wanted.probes),
    };
    let class_of = |partition: &Partition| usize::try_from(partition.class_id).unwrap_or(usize::MAX);
    partitions.iter().filter(|partition| classes.contains(&class_of(partition))).collect()
}

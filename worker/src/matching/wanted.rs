//! What a search looks for, and what of it decides where to look and what to tell.

use std::collections::HashSet;

use half::f16;
use lookalike_shared::db::indexes::Partition;
use lookalike_shared::domain::search::{Probes, RankBy, calibrated, route};
use serde_json::Value;
use uuid::Uuid;

use super::nearest::Neighbour;
use crate::embedding::Vector;

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
    /// Only entries whose uris begin with this.
    pub uri_prefix: Option<&'a str>,
    /// Only hits at least this similar.
    pub min_similarity: Option<f64>,
    /// Of pictures whose fingerprints differ in at most so many bits, only the nearest is a hit.
    pub collapse: Option<u32>,
    /// Entries that are no hits.
    pub exclude: &'a [Uuid],
}

impl Wanted<'_> {
    /// Similarity is `1 / (1 + distance)`.
    pub fn max_distance(&self) -> Option<f64> {
        self.min_similarity.filter(|similarity| *similarity > 0.0).map(|similarity| 1.0 / similarity - 1.0)
    }

    /// The query's vector in the precision of those that are stored, so that a picture is at distance 0 from itself.
    pub fn stored_query(&self) -> Vec<f32> {
        match self.rank_by {
            RankBy::Embedding => {
                self.vector.embedding.iter().map(|value| f16::from_f32(*value).to_f32()).collect()
            }
            RankBy::Probabilities => self.vector.probabilities.clone(),
        }
    }

    /// The partitions to look into: those the filter names, if it does, else those the probabilities lead to.
    pub fn probed<'p>(&self, partitions: &'p [Partition]) -> Vec<&'p Partition> {
        let classes: HashSet<usize> = match self.classes {
            Some(classes) => classes.iter().copied().collect(),
            None => {
                let probabilities = calibrated(&self.vector.probabilities, self.temperature);
                route(&probabilities, self.probes).into_iter().collect()
            }
        };
        let class_of = |partition: &Partition| usize::try_from(partition.class_id).unwrap_or(usize::MAX);
        partitions.iter().filter(|partition| classes.contains(&class_of(partition))).collect()
    }

    /// Those that are near enough and, if so wanted, not like one before them.
    pub(super) fn chosen(&self, near: Vec<Neighbour>) -> Vec<Neighbour> {
        let furthest = self.max_distance().unwrap_or(f64::INFINITY);
        let near = near.into_iter().take_while(|entry| entry.distance <= furthest);
        let Some(bits) = self.collapse else { return near.collect() };
        let mut chosen: Vec<Neighbour> = Vec::new();
        for entry in near {
            if chosen.iter().all(|before| (before.hash ^ entry.hash).count_ones() > bits) {
                chosen.push(entry);
            }
        }
        chosen
    }
}

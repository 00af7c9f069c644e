//! A gallery that changes, and what should be found in it.

use std::collections::BTreeMap;

use half::f16;
use lookalike_shared::db::gallery::{NewEntry, lock_generation, replace_entries};
use lookalike_shared::db::indexes::list_partitions;
use lookalike_shared::domain::search::{Probes, RankBy};
use lookalike_shared::testing::{TestDatabase, a_generation, a_model, an_entry};
use lookalike_worker::embedding::Vector;
use lookalike_worker::matching::{Found, Matcher, Wanted};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

pub const CLASSES: i32 = 4;
pub const DIM: i32 = 12;

/// An index and the entries that it should hold.
pub struct Gallery {
    pub db: TestDatabase,
    pub generation: i32,
    pub model: Uuid,
    pub entries: BTreeMap<Uuid, NewEntry>,
    pub random: ChaCha8Rng,
}

impl Gallery {
    pub async fn create(seed: u64) -> Self {
        let db = TestDatabase::create().await;
        let model = a_model(&db.pool, "scenes", &["a", "b", "c", "d"], DIM).await;
        let generation = a_generation(&db.pool, "gallery", model, CLASSES, DIM).await;
        Self { db, generation, model, entries: BTreeMap::new(), random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Vectors such that some entries are equal and most are not.
    pub fn vector(&mut self) -> Vector {
        let coarse = self.random.random_bool(0.2);
        let mut value = |scale: f32| {
            let value: f32 = self.random.random_range(-1.0..1.0);
            if coarse { (value * scale).round() / scale } else { value }
        };
        let embedding: Vec<f32> = (0..DIM).map(|_| value(1.0)).collect();
        let raw: Vec<f32> = (0..CLASSES).map(|_| value(2.0).abs() + 0.01).collect();
        let sum: f32 = raw.iter().sum();
        Vector { embedding, probabilities: raw.into_iter().map(|value| value / sum).collect() }
    }

    pub fn new_entry(&mut self) -> NewEntry {
        let vector = self.vector();
        let class = i32::try_from(vector.class()).unwrap();
        let id = Uuid::now_v7();
        let mut entry =
            an_entry(&format!("photos/{id}.jpg"), class, &vector.probabilities, &vector.embedding);
        entry.id = id;
        entry.perceptual_hash = self.random.random();
        entry
    }

    /// One transaction, as an index job's: entries that go, that change, and that come.
    pub async fn change(&mut self, came: usize, changed: usize, gone: usize) {
        let some = |count: usize, random: &mut ChaCha8Rng| -> Vec<Uuid> {
            let ids: Vec<Uuid> = self.entries.keys().copied().collect();
            (0..count.min(ids.len())).map(|_| ids[random.random_range(0..ids.len())]).collect()
        };
        let mut random = self.random.clone();
        let mut went = some(gone, &mut random);
        let mut anew = some(changed, &mut random);
        self.random = random;
        anew.retain(|id| !went.contains(id));
        anew.sort_unstable();
        anew.dedup();
        went.sort_unstable();
        went.dedup();
        let places: Vec<(i32, Uuid)> =
            went.iter().chain(&anew).map(|id| (self.entries[id].class_id, *id)).collect();
        let mut entries: Vec<NewEntry> = (0..came).map(|_| self.new_entry()).collect();
        for id in anew {
            let mut entry = self.new_entry();
            entry.id = id;
            entry.uri = self.entries[&id].uri.clone();
            entries.push(entry);
        }
        store(&self.db, self.generation, &places, &entries).await;
        went.iter().for_each(|id| _ = self.entries.remove(id));
        entries.into_iter().for_each(|entry| _ = self.entries.insert(entry.id, entry));
    }

    /// What a search finds, by looking at every entry.
    pub fn expected(&self, vector: &Vector, rank_by: RankBy, k: usize) -> Vec<(Uuid, f64)> {
        let half = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|value| f16::from_f32(*value).to_f32()).collect()
        };
        let distance = |entry: &NewEntry| {
            let (a, b) = match rank_by {
                RankBy::Embedding => (half(&vector.embedding), half(&entry.embedding)),
                RankBy::Probabilities => (vector.probabilities.clone(), entry.probabilities.clone()),
            };
            let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            a.iter().zip(&b).map(square).sum::<f64>().sqrt()
        };
        let mut all: Vec<(Uuid, f64)> =
            self.entries.values().map(|entry| (entry.id, distance(entry))).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        all.truncate(k);
        all
    }
}

/// Stores and deletes as a job does.
pub async fn store(db: &TestDatabase, generation: i32, gone: &[(i32, Uuid)], entries: &[NewEntry]) {
    let mut tx = db.pool.begin().await.unwrap();
    lock_generation(&mut tx, generation).await.unwrap();
    replace_entries(&mut tx, generation, gone, entries, Uuid::nil()).await.unwrap();
    tx.commit().await.unwrap();
}

/// A search of all partitions for the ten nearest.
pub fn wanted(vector: &Vector) -> Wanted<'_> {
    Wanted {
        vector,
        probes: Probes::All,
        temperature: 1.0,
        rank_by: RankBy::Embedding,
        k: 10,
        classes: None,
        metadata: None,
        uri_prefix: None,
        min_similarity: None,
        collapse: None,
        exclude: &[],
    }
}

/// Finds as a search does: a look, then the match.
pub async fn find(db: &TestDatabase, matcher: &Matcher, generation: i32, wanted: &Wanted<'_>) -> Found {
    let partitions = list_partitions(&db.pool, generation).await.unwrap();
    matcher.find(generation, &partitions, wanted).await.unwrap()
}

pub fn told(found: &Found) -> Vec<(Uuid, f64)> {
    found.hits.iter().map(|found| (found.hit.entry_id, found.distance)).collect()
}

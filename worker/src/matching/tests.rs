//! Distances against plain arithmetic, leaves against a map, the nearest against sorting.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use half::f16;
use lookalike_shared::db::gallery::following::Row;
use lookalike_shared::domain::search::RankBy;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::ThreadPoolBuilder;
use uuid::Uuid;

use super::kernel::{LANES, Value};
use super::leaf::{CHUNK, Leaf, Shared, Vectors};
use super::nearest::{Nearest, Neighbour, Offer, distance};
use super::scan::{Scan, scan_together};

#[test]
fn every_half_is_widened_exactly() {
    for bits in 0..=u16::MAX {
        let half = f16::from_bits(bits);
        if half.is_finite() {
            assert_eq!(bits.widen().to_bits(), half.to_f32().to_bits(), "{half}");
        }
    }
}

fn distances<T: Value, const Q: usize>(query: &[[f32; Q]], blocks: &[T]) -> Vec<[[f32; LANES]; Q]> {
    let mut found = Vec::new();
    T::scan(query, blocks, |number, distances| {
        assert_eq!(number, found.len());
        found.push(*distances);
    });
    found
}

fn check_distances<T: Value, const Q: usize>(width: usize, value: impl Fn(f32) -> T) {
    let mut random = ChaCha8Rng::seed_from_u64(width as u64);
    let query: Vec<[f32; Q]> = (0..width).map(|_| [0; Q].map(|_| random.random_range(-1.0..1.0))).collect();
    let blocks: Vec<T> = (0..3 * LANES * width).map(|_| value(random.random_range(-1.0..1.0))).collect();
    let found = distances(&query, &blocks);
    assert_eq!(found.len(), 3);
    for (block, found) in blocks.chunks(LANES * width).zip(found) {
        for (slot, found) in found.iter().enumerate() {
            for (lane, found) in found.iter().enumerate() {
                let square = |(place, query): (usize, &[f32; Q])| {
                    f64::from(block[place * LANES + lane].widen() - query[slot]).powi(2)
                };
                let expected: f64 = query.iter().enumerate().map(square).sum();
                assert!((f64::from(*found) - expected).abs() < 1e-5 * (1.0 + expected), "{found} {expected}");
            }
        }
    }
}

#[test]
fn distances_are_those_of_plain_arithmetic_whatever_the_width() {
    for width in (1..=40).chain([256, 1_280]) {
        let half = |value| f16::from_f32(value).to_bits();
        check_distances::<u16, 1>(width, half);
        check_distances::<u16, 4>(width, half);
        check_distances::<f32, 1>(width, |value| value);
        check_distances::<f32, 4>(width, |value| value);
    }
}

fn half_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| f16::from_f32(*value).to_bits().to_be_bytes()).collect()
}

fn random_id(random: &mut ChaCha8Rng) -> Uuid {
    Uuid::from_u64_pair(random.next_u64(), random.next_u64())
}

/// Vectors of few different values, so that there are ties, by id.
struct Model {
    leaf: Shared,
    vectors: HashMap<Uuid, Vec<f32>>,
    random: ChaCha8Rng,
}

const WIDTH: usize = 7;

impl Model {
    fn new(class_id: i32) -> Self {
        let leaf = Arc::new(RwLock::new(Leaf::new(class_id, RankBy::Embedding, WIDTH)));
        Self {
            leaf,
            vectors: HashMap::new(),
            random: ChaCha8Rng::seed_from_u64(class_id.unsigned_abs().into()),
        }
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..WIDTH).map(|_| self.random.random_range(0..4_u8)).map(f32::from).collect()
    }

    fn add(&mut self, count: usize) {
        for _ in 0..count {
            let (entry_id, vector) = (random_id(&mut self.random), self.vector());
            let values = half_bytes(&vector);
            let row = Row { class_id: 0, entry_id, perceptual_hash: None, values: &values };
            self.leaf.write().unwrap().push(&row);
            self.vectors.insert(entry_id, vector);
        }
    }

    fn remove(&mut self, count: usize) {
        let gone: HashSet<Uuid> = self.vectors.keys().copied().take(count).collect();
        self.vectors.retain(|id, _| !gone.contains(id));
        self.leaf.write().unwrap().remove(&gone);
    }

    fn nearest(&self, query: &[f32], keep: usize) -> Vec<(Uuid, f64)> {
        let mut all: Vec<(Uuid, f64)> =
            self.vectors.iter().map(|(id, vector)| (*id, distance(query, vector.iter().copied()))).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        all.truncate(keep);
        all
    }
}

fn scan_of(leaves: &[&Model], query: &[f32], keep: usize) -> Scan {
    let leaves = leaves.iter().map(|model| model.leaf.clone()).collect();
    Scan { leaves, query: query.into(), keep, exclude: Vec::new(), max_distance: None }
}

fn told(found: &[Neighbour]) -> Vec<(Uuid, f64)> {
    found.iter().map(|entry| (entry.entry_id, entry.distance)).collect()
}

#[test]
fn a_leaf_holds_what_came_and_nothing_that_went() {
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut model = Model::new(3);
    for (came, went) in
        [(1, 0), (30, 17), (0, 14), (0, 1), (3 * CHUNK, 5), (40, 2 * CHUNK), (CHUNK, 1_000_000)]
    {
        model.add(came);
        model.remove(went);
        let leaf = model.leaf.read().unwrap();
        assert_eq!(leaf.rows(), model.vectors.len());
        let Vectors::Halves(chunks) = leaf.vectors() else { panic!("embeddings are halves") };
        for chunk in chunks {
            for (row, id) in chunk.ids.iter().enumerate() {
                assert_eq!(chunk.vector(WIDTH, row).collect::<Vec<_>>(), model.vectors[id]);
            }
        }
        drop(leaf);
        let query = model.vector();
        let found = scan_together(&[scan_of(&[&model], &query, 20)], &pool);
        assert_eq!(told(&found[0]), model.nearest(&query, 20));
    }
    assert_eq!(model.leaf.read().unwrap().bytes(), 0);
}

#[test]
fn queries_that_share_a_scan_find_what_each_finds_alone() {
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut models: Vec<Model> = (0..3).map(Model::new).collect();
    models.iter_mut().for_each(|model| model.add(2_500));
    let mut scans = Vec::new();
    let mut expected = Vec::new();
    for number in 0..23 {
        let query = models[0].vector();
        let keep = [1, 10, 100, 5_000][number % 4];
        let looked: Vec<&Model> =
            models.iter().enumerate().filter(|(m, _)| number & (1 << m) != 0).map(|(_, m)| m).collect();
        let mut all: Vec<(Uuid, f64)> = looked.iter().flat_map(|model| model.nearest(&query, keep)).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let excluded: Vec<_> =
            all.first().map(|(id, _)| *id).filter(|_| number % 3 == 0).into_iter().collect();
        let mut scan = scan_of(&looked, &query, keep);
        let skips = !excluded.is_empty();
        scan.exclude = excluded;
        if skips {
            all.remove(0);
            scan.keep -= 1;
        }
        all.truncate(scan.keep);
        scans.push(scan);
        expected.push(all);
    }
    let found = scan_together(&scans, &pool);
    assert_eq!(found.iter().map(|found| told(found)).collect::<Vec<_>>(), expected);
}

#[test]
fn a_bound_leaves_out_what_is_further() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut model = Model::new(1);
    model.add(500);
    let query = model.vector();
    let scan = Scan { max_distance: Some(2.0), ..scan_of(&[&model], &query, 1_000) };
    let found = told(&scan_together(&[scan], &pool)[0]);
    let near: Vec<(Uuid, f64)> =
        model.nearest(&query, 1_000).into_iter().filter(|(_, d)| *d <= 2.0).collect();
    assert!(!near.is_empty() && near.len() < 500);
    assert_eq!(found, near);
}

#[test]
fn of_equals_the_first_by_id_are_kept() {
    let mut nearest = Nearest::new(2, None);
    for id in [5, 1, 9, 3] {
        nearest.offer(Offer { squared: 0.5, entry_id: Uuid::from_u128(id), place: (0, 0, 0) });
    }
    let mut other = Nearest::new(2, None);
    other.offer(Offer { squared: 0.5, entry_id: Uuid::from_u128(2), place: (0, 0, 0) });
    let mut kept: Vec<u128> =
        nearest.merged(other).into_offers().iter().map(|offer| offer.entry_id.as_u128()).collect();
    kept.sort_unstable();
    assert_eq!(kept, [1, 2]);
    assert_eq!(Nearest::new(0, None).into_offers(), []);
}

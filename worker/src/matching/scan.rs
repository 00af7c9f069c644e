//! Many queries at a time over leaves in memory: every chunk is read once for all queries that look into its leaf.

use std::collections::HashMap;
use std::sync::{Arc, RwLockReadGuard};

use rayon::ThreadPool;
use rayon::prelude::*;
use uuid::Uuid;

use super::kernel::{LANES, TOGETHER, Value};
use super::leaf::{self, Chunk, Leaf, Shared, Vectors};
use super::nearest::{Nearest, Neighbour, Offer, distance};

/// Bytes that one thread has read before another has woken up.
const ALONE: usize = 8 << 20;

/// What one query looks for.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Where.
    pub leaves: Vec<Shared>,
    /// The query, in the precision of the leaves' vectors.
    pub query: Arc<[f32]>,
    /// How many entries.
    pub keep: usize,
    /// An entry that is not looked for.
    pub exclude: Vec<Uuid>,
    /// Nothing further than this, about.
    pub max_distance: Option<f64>,
}

/// The nearest entries of each query, nearest first.
pub fn scan_together(scans: &[Scan], pool: &ThreadPool) -> Vec<Vec<Neighbour>> {
    let (leaves, askers) = leaves_of(scans);
    // Held until distances are told, so that rows stay where they were found.
    let leaves: Vec<RwLockReadGuard<'_, Leaf>> = leaves.iter().map(|leaf| leaf::read(leaf)).collect();
    let mut tasks = Vec::new();
    let mut bytes = 0;
    for (number, (leaf, askers)) in leaves.iter().zip(&askers).enumerate() {
        let chunks = match leaf.vectors() {
            Vectors::Halves(chunks) => chunks.len(),
            Vectors::Singles(chunks) => chunks.len(),
        };
        tasks.extend((0..chunks).map(|chunk| (number, chunk)));
        bytes += usize::try_from(leaf.bytes()).unwrap_or(usize::MAX / 2) * askers.len().div_ceil(TOGETHER);
    }
    let empty =
        || -> Vec<Nearest> { scans.iter().map(|scan| Nearest::new(scan.keep, scan.max_distance)).collect() };
    let run = |mut found: Vec<Nearest>, (leaf, chunk): &(usize, usize)| {
        scan_chunk(&leaves[*leaf], (*leaf, *chunk), scans, &askers[*leaf], &mut found);
        found
    };
    let found = if bytes < ALONE || tasks.len() < 2 {
        tasks.iter().fold(empty(), run)
    } else {
        let merge = |a: Vec<Nearest>, b: Vec<Nearest>| {
            a.into_iter().zip(b).map(|(a, b)| a.merged(b)).collect::<Vec<_>>()
        };
        pool.install(|| tasks.par_iter().fold(empty, run).reduce(empty, merge))
    };
    scans.iter().zip(found).map(|(scan, found)| told(scan, found, &leaves)).collect()
}

/// Every leaf that is looked into, once, and the numbers of the queries that look into it.
fn leaves_of(scans: &[Scan]) -> (Vec<Shared>, Vec<Vec<usize>>) {
    let (mut leaves, mut askers): (Vec<Shared>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    let mut known = HashMap::new();
    for (number, scan) in scans.iter().enumerate() {
        for leaf in &scan.leaves {
            let place = *known.entry(Arc::as_ptr(leaf)).or_insert_with(|| {
                leaves.push(leaf.clone());
                askers.push(Vec::new());
                leaves.len() - 1
            });
            askers[place].push(number);
        }
    }
    (leaves, askers)
}

fn scan_chunk(
    leaf: &Leaf,
    (number, chunk): (usize, usize),
    scans: &[Scan],
    askers: &[usize],
    found: &mut [Nearest],
) {
    for askers in askers.chunks(TOGETHER) {
        match leaf.vectors() {
            Vectors::Halves(chunks) => {
                scan_for(&chunks[chunk], leaf.width(), (number, chunk), scans, askers, found);
            }
            Vectors::Singles(chunks) => {
                scan_for(&chunks[chunk], leaf.width(), (number, chunk), scans, askers, found);
            }
        }
    }
}

/// One pass for up to [`TOGETHER`] queries.
fn scan_for<T: Value>(
    chunk: &Chunk<T>,
    width: usize,
    place: (usize, usize),
    scans: &[Scan],
    askers: &[usize],
    found: &mut [Nearest],
) {
    match askers {
        [only] => pass::<T, 1>(chunk, width, place, scans, [*only], found),
        // Two cost what four do: one is asked for again and told nothing.
        [first, ..] => {
            let askers = std::array::from_fn(|slot| askers.get(slot).copied().unwrap_or(*first));
            pass::<T, TOGETHER>(chunk, width, place, scans, askers, found);
        }
        [] => {}
    }
}

fn pass<T: Value, const Q: usize>(
    chunk: &Chunk<T>,
    width: usize,
    (leaf, number): (usize, usize),
    scans: &[Scan],
    askers: [usize; Q],
    found: &mut [Nearest],
) {
    let value = |place: usize| askers.map(|asker| scans[asker].query.get(place).copied().unwrap_or_default());
    let query: Vec<[f32; Q]> = (0..width).map(value).collect();
    let mut bounds = askers.map(|asker| found[asker].bound());
    T::scan(&query, &chunk.values, |block, distances| {
        for (slot, distances) in distances.iter().enumerate() {
            let (asker, bound) = (askers[slot], bounds[slot]);
            if !distances.iter().any(|squared| *squared <= bound) || askers[..slot].contains(&asker) {
                continue;
            }
            let rows = &chunk.ids[block * LANES..chunk.ids.len().min((block + 1) * LANES)];
            for (lane, (entry_id, squared)) in rows.iter().zip(distances).enumerate() {
                if !scans[asker].exclude.contains(entry_id) {
                    let place = (leaf as u32, number as u32, (block * LANES + lane) as u32);
                    found[asker].offer(Offer { squared: *squared, entry_id: *entry_id, place });
                }
            }
            bounds[slot] = found[asker].bound();
        }
    });
}

/// What was found, with exact distances, nearest first.
fn told(scan: &Scan, found: Nearest, leaves: &[RwLockReadGuard<'_, Leaf>]) -> Vec<Neighbour> {
    let tell = |offer: Offer| {
        let (leaf, chunk, row) = (offer.place.0 as usize, offer.place.1 as usize, offer.place.2 as usize);
        let leaf = &leaves[leaf];
        let (distance, hash) = match leaf.vectors() {
            Vectors::Halves(chunks) => tell_row(&scan.query, &chunks[chunk], leaf.width(), row),
            Vectors::Singles(chunks) => tell_row(&scan.query, &chunks[chunk], leaf.width(), row),
        };
        Neighbour { entry_id: offer.entry_id, class_id: leaf.class_id, distance, hash }
    };
    let mut neighbours: Vec<Neighbour> = found.into_offers().into_iter().map(tell).collect();
    neighbours.sort_unstable_by(Neighbour::order);
    neighbours
}

fn tell_row<T: Value>(query: &[f32], chunk: &Chunk<T>, width: usize, row: usize) -> (f64, u64) {
    (distance(query, chunk.vector(width, row)), chunk.hashes[row])
}

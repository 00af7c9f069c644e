//! A copy of a partition in memory: vectors in blocks, as the kernel reads them, and what tells entries apart.
//!
//! Chunks bound how much is moved when a leaf grows, and are what threads share a scan by. An entry that leaves is replaced
//! by the last one: rows have no order.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use lookalike_shared::db::gallery::following::Row;
use lookalike_shared::domain::search::RankBy;
use uuid::Uuid;

use super::kernel::{LANES, Value};

/// Rows of a chunk.
pub const CHUNK: usize = 1_024;

/// A leaf that searches read while it is brought up to date in between.
pub type Shared = Arc<RwLock<Leaf>>;

/// Locks a leaf for reading.
pub fn read(leaf: &Shared) -> RwLockReadGuard<'_, Leaf> {
    // Changes are made of steps that do not panic.
    leaf.read().unwrap_or_else(PoisonError::into_inner)
}

/// A copy of a partition.
#[derive(Debug)]
pub struct Leaf {
    /// Its class.
    pub class_id: i32,
    /// The version that it is a copy of.
    pub version: i64,
    /// Values of a vector.
    width: usize,
    vectors: Vectors,
}

/// Vectors of either precision.
#[derive(Debug)]
pub enum Vectors {
    /// Embeddings.
    Halves(Vec<Chunk<u16>>),
    /// Probabilities.
    Singles(Vec<Chunk<f32>>),
}

/// Up to [`CHUNK`] rows.
#[derive(Debug)]
pub struct Chunk<T> {
    /// `[blocks][width][LANES]`; lanes past the last row hold anything.
    pub values: Vec<T>,
    /// Who they are.
    pub ids: Vec<Uuid>,
    /// Fingerprints of what they show.
    pub hashes: Vec<u64>,
}

impl Leaf {
    /// An empty copy of what has vectors of `width` values.
    pub fn new(class_id: i32, vectors: RankBy, width: usize) -> Self {
        let vectors = match vectors {
            RankBy::Embedding => Vectors::Halves(Vec::new()),
            RankBy::Probabilities => Vectors::Singles(Vec::new()),
        };
        Self { class_id, version: 0, width, vectors }
    }

    /// Its vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        match &self.vectors {
            Vectors::Halves(chunks) => chunks.iter().map(|chunk| chunk.ids.len()).sum(),
            Vectors::Singles(chunks) => chunks.iter().map(|chunk| chunk.ids.len()).sum(),
        }
    }

    /// The memory that it takes.
    pub fn bytes(&self) -> u64 {
        match &self.vectors {
            Vectors::Halves(chunks) => chunks.iter().map(Chunk::bytes).sum(),
            Vectors::Singles(chunks) => chunks.iter().map(Chunk::bytes).sum(),
        }
    }

    /// The memory that so many rows take, about.
    pub fn bytes_of(vectors: RankBy, width: usize, rows: u64) -> u64 {
        let value = match vectors {
            RankBy::Embedding => u16::BYTES,
            RankBy::Probabilities => <f32 as Value>::BYTES,
        };
        rows.next_multiple_of(LANES as u64) * (width * value) as u64 + rows * ROW as u64
    }

    /// Adds an entry that is not there. Values that are missing count as 0, further ones are left out.
    pub fn push(&mut self, row: &Row<'_>) {
        let width = self.width;
        match &mut self.vectors {
            Vectors::Halves(chunks) => push(chunks, width, row),
            Vectors::Singles(chunks) => push(chunks, width, row),
        }
    }

    /// Removes those of these entries that are there.
    pub fn remove(&mut self, gone: &HashSet<Uuid>) {
        if gone.is_empty() {
            return;
        }
        let width = self.width;
        match &mut self.vectors {
            Vectors::Halves(chunks) => remove(chunks, width, gone),
            Vectors::Singles(chunks) => remove(chunks, width, gone),
        }
    }
}

/// Bytes of a row beside its vector.
const ROW: usize = size_of::<Uuid>() + size_of::<u64>();

impl<T: Value> Chunk<T> {
    fn bytes(&self) -> u64 {
        (self.values.capacity() * T::BYTES
            + self.ids.capacity() * size_of::<Uuid>()
            + self.hashes.capacity() * 8) as u64
    }

    /// The vector of a row, widened.
    pub fn vector(&self, width: usize, row: usize) -> impl Iterator<Item = f32> {
        self.values[place(width, row)..].iter().step_by(LANES).take(width).map(|value| value.widen())
    }
}

/// Where the first value of a row is; the next ones follow [`LANES`] apart.
fn place(width: usize, row: usize) -> usize {
    row / LANES * LANES * width + row % LANES
}

fn push<T: Value>(chunks: &mut Vec<Chunk<T>>, width: usize, row: &Row<'_>) {
    if chunks.last().is_none_or(|chunk| chunk.ids.len() == CHUNK) {
        chunks.push(Chunk { values: Vec::new(), ids: Vec::new(), hashes: Vec::new() });
    }
    let Some(chunk) = chunks.last_mut() else { return };
    let number = chunk.ids.len();
    if number.is_multiple_of(LANES) {
        chunk.values.resize(chunk.values.len() + LANES * width, T::default());
    }
    let start = place(width, number);
    let values = chunk.values[start..].iter_mut().step_by(LANES).take(width);
    let mut given = row.values.chunks_exact(T::BYTES).map(T::from_big_endian);
    values.for_each(|value| *value = given.next().unwrap_or_default());
    chunk.ids.push(row.entry_id);
    // One that was never made is like no other.
    chunk.hashes.push(row.perceptual_hash.unwrap_or(row.entry_id.as_u64_pair().1));
}

fn remove<T: Value>(chunks: &mut Vec<Chunk<T>>, width: usize, gone: &HashSet<Uuid>) {
    // From the end, so that what takes the place of a row was looked at before.
    for number in (0..chunks.len()).rev() {
        for row in (0..chunks[number].ids.len()).rev() {
            if gone.contains(&chunks[number].ids[row]) {
                replace_by_last(chunks, width, number, row);
            }
        }
    }
}

/// Moves the last row of all to the place of a row, which is gone then.
fn replace_by_last<T: Value>(chunks: &mut Vec<Chunk<T>>, width: usize, number: usize, row: usize) {
    let Some(last) = chunks.last_mut() else { return };
    let (Some(id), Some(hash)) = (last.ids.pop(), last.hashes.pop()) else { return };
    let from = place(width, last.ids.len());
    let values: Vec<T> = last.values[from..].iter().step_by(LANES).take(width).copied().collect();
    if last.ids.len().is_multiple_of(LANES) {
        last.values.truncate(last.ids.len() * width);
    }
    if last.ids.is_empty() {
        chunks.pop();
    }
    // The row may have been the last one itself.
    if let Some(chunk) = chunks.get_mut(number)
        && let Some(hole) = chunk.ids.get_mut(row)
    {
        *hole = id;
        chunk.hashes[row] = hash;
        let start = place(width, row);
        chunk.values[start..].iter_mut().step_by(LANES).zip(values).for_each(|(hole, value)| *hole = value);
    }
}

//! Matching alone: the nearest entries of a query's vector, of one partition and of all, in memory and by the database.
//!
//! Beside it stands one pass over the same bytes by as many threads: the bandwidth of this machine's memory, or caches.
//! Entries are those of [`super::tables`]. In memory nothing but the scan is timed; the database is asked as searches ask.

use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use half::f16;
use lookalike_shared::db::gallery::following::Row;
use lookalike_shared::db::gallery::{MatchQuery, analyze_tables, match_entries};
use lookalike_shared::domain::search::RankBy;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use uuid::Uuid;

use super::report::{Report, percentile};
use super::stage::Stage;
use super::tables::{self, Shape};
use crate::matching::leaf::{Leaf, Shared};
use crate::matching::scan::{Scan, scan_together};

/// Classes of every gallery, and entries of a class's partition one in as many.
const CLASSES: u32 = 20;
/// Entries and values that are measured where memory allows.
const SHAPES: [(u64, u32); 9] = [
    (10_000, 20),
    (10_000, 256),
    (10_000, 1_280),
    (200_000, 20),
    (200_000, 256),
    (200_000, 1_280),
    (1_000_000, 20),
    (1_000_000, 256),
    (10_000_000, 256),
];
/// The largest gallery that is loaded into tables too.
const IN_DATABASE: (u64, u32) = (200_000, 256);
/// A partition from which on its scan is held against memory's bandwidth: far more than caches hold.
const LARGE: usize = 100_000_000;
/// Queries that are timed, in memory and by the database; fewer where each takes long.
const QUERIES: usize = 41;
const QUERIES_OF_MANY: usize = 7;
const ASKED: u64 = 21;
/// Queries of a batch.
const BATCH: usize = 64;
const K: usize = 10;

/// Measures every shape.
///
/// # Errors
/// What could not be measured.
pub async fn measure(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let free = crate::device::memory_bytes() / 2;
    for (entries, values) in SHAPES {
        let bytes = entries * (u64::from(values) * 2 + 24);
        if bytes > free {
            tracing::info!(entries, values, "left out: it would take more than half of the memory");
            continue;
        }
        tracing::info!(entries, values, "matching");
        let measured = tokio::task::spawn_blocking(move || in_memory(entries, values as usize)).await??;
        report.extend(measured);
    }
    in_database(stage, IN_DATABASE, report).await
}

fn in_memory(entries: u64, values: usize) -> anyhow::Result<Report> {
    let pool = ThreadPoolBuilder::new().build()?;
    let of = |engine: &str| format!(".{engine}.{entries}x{values}");
    let mut report = Report::default();
    let started = Instant::now();
    let leaves = fill(entries, values);
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(entries, values, seconds, "filled");
    let mut random = ChaCha8Rng::seed_from_u64(entries);
    let mut query = || -> Arc<[f32]> {
        (0..values).map(|_| f16::from_f32(random.random_range(-0.1..0.1)).to_f32()).collect()
    };
    let words = |rows: u64| -> Vec<u64> { vec![1; usize::try_from(rows).unwrap_or_default() * values / 4] };
    let mut time = |leaves: &[Shared], batch: usize| {
        let queries = if entries * batch as u64 > 5_000_000 { QUERIES_OF_MANY } else { QUERIES };
        let mut times: Vec<f64> = (0..queries)
            .map(|_| {
                let scans: Vec<Scan> = (0..batch).map(|_| scan(leaves, query())).collect();
                let started = Instant::now();
                black_box(scan_together(&scans, &pool));
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        percentile(&mut times, 0.5)
    };
    let all = words(entries);
    let one = &all[..all.len() / CLASSES as usize];
    let against = "a pass over the same bytes";
    report.row(
        &format!("match_leaf_p50_ms{}", of("resident")),
        time(&leaves[..1], 1),
        "ms",
        pass(one, &pool),
        against,
    );
    let before = pass(&all, &pool);
    let taken = time(&leaves, 1);
    let limit = before.min(pass(&all, &pool));
    report.row(&format!("match_all_p50_ms{}", of("resident")), taken, "ms", limit, against);
    if size_of_val(&*all) >= LARGE {
        report.row(&format!("match_bandwidth_ratio.{entries}x{values}"), limit / taken, "", 1.0, against);
    }
    drop(all);
    let batch = time(&leaves, BATCH) / BATCH as f64;
    report.row(&format!("match_batch_ms{}", of("resident")), batch, "ms", taken, "a query alone");
    Ok(report)
}

/// Leaves of random vectors, as many in each.
fn fill(entries: u64, values: usize) -> Vec<Shared> {
    let leaf = |class: u32| {
        let mut leaf = Leaf::new(class as i32, RankBy::Embedding, values);
        let mut random = ChaCha8Rng::seed_from_u64(class.into());
        let mut bytes = vec![0; values * 2];
        for number in 0..entries / u64::from(CLASSES) {
            for value in bytes.as_chunks_mut::<2>().0 {
                *value = f16::from_f32(random.random_range(-0.1..0.1)).to_bits().to_be_bytes();
            }
            let entry_id = Uuid::from_u64_pair(class.into(), number);
            leaf.push(&Row { class_id: class as i32, entry_id, perceptual_hash: None, values: &bytes });
        }
        Arc::new(RwLock::new(leaf))
    };
    (0..CLASSES).into_par_iter().map(leaf).collect()
}

fn scan(leaves: &[Shared], query: Arc<[f32]>) -> Scan {
    Scan { leaves: leaves.to_vec(), query, keep: K + 8, exclude: Vec::new(), max_distance: None }
}

/// Milliseconds of reading it all once, on every thread or on one, whichever is quicker.
fn pass(words: &[u64], pool: &ThreadPool) -> f64 {
    const PART: usize = 32 << 10;
    let sum = |part: &[u64]| part.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
    let mut alone = Vec::new();
    let mut together = Vec::new();
    for _ in 0..QUERIES {
        let started = Instant::now();
        black_box(sum(words));
        alone.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        black_box(pool.install(|| words.par_chunks(PART).map(sum).reduce(|| 0, u64::wrapping_add)));
        together.push(started.elapsed().as_secs_f64() * 1e3);
    }
    percentile(&mut alone, 0.5).min(percentile(&mut together, 0.5))
}

/// The same by pgvector, exactly.
async fn in_database(
    stage: &Stage,
    (entries, values): (u64, u32),
    report: &mut Report,
) -> anyhow::Result<()> {
    let shape = Shape { entries, classes: CLASSES, values };
    let generation = tables::begin(stage, shape, "matching").await?;
    tables::load(stage, shape, generation).await?;
    analyze_tables(&stage.db, generation).await?;
    let all: Vec<i32> = (0..CLASSES as i32).collect();
    for (name, classes) in [("match_leaf_p50_ms", &all[..1]), ("match_all_p50_ms", &all[..])] {
        let mut times = Vec::new();
        for number in 0..ASKED {
            let vector = tables::vector(shape, 0, entries + number);
            let query = MatchQuery {
                classes,
                approximate: &[],
                rank_by: RankBy::Embedding,
                vector: &vector,
                k: K as i64,
                exclude: &[],
                uri_prefix: None,
                metadata: None,
                max_distance: None,
            };
            let started = Instant::now();
            match_entries(&stage.db, generation, &query).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        report.limit(&format!("{name}.postgres.{entries}x{values}"), percentile(&mut times, 0.5), "ms");
    }
    Ok(())
}

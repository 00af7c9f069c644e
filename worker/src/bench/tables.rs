//! Tables of many entries: what loading them costs, the room they take, and what a match costs exactly and through a graph.
//!
//! Entries are synthetic: unit vectors around as many centres as there are classes times [`CENTRES`], which is how pictures
//! lie, and no thumbnails. Nothing else runs beside.

use std::time::Instant;

use anyhow::Context;
use lookalike_shared::db::gallery::graphs::{Built, Outgrown, build_graph};
use lookalike_shared::db::gallery::{MatchQuery, NewEntry, analyze_tables, find_manifest, match_entries};
use lookalike_shared::db::{self, generations, indexes};
use lookalike_shared::domain::search::RankBy;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::Map;
use uuid::Uuid;

use super::report::{Report, percentile};
use super::stage::Stage;

/// Groups of pictures that look alike, of each class.
const CENTRES: u64 = 50;
/// Entries of a transaction.
const COPIED: u64 = 2_048;
/// Queries whose times and answers count, of a leaf and of all leaves.
const QUERIES: u64 = 50;
const QUERIES_OF_ALL: u64 = 5;
/// Hits of a query.
const K: i64 = 10;

/// How large the tables are.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Measure tables of so many synthetic entries, and nothing else
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    pub entries: Option<u64>,
    /// Classes of those entries
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub classes: u32,
    /// Values of their embeddings
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(8..=4_000))]
    pub values: u32,
}

/// Entries of one shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many.
    pub entries: u64,
    /// Classes, of as many entries each.
    pub classes: u32,
    /// Values of an embedding.
    pub values: u32,
}

/// Loads the tables and measures them.
///
/// # Errors
/// What could not be measured.
pub async fn measure(stage: &Stage, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let shape = Shape {
        entries: options.entries.context("a number of entries")?,
        classes: options.classes,
        values: options.values,
    };
    let generation = begin(stage, shape, "tables").await?;
    let seconds = load(stage, shape, generation).await?;
    report.limit("tables.copy_rate", shape.entries as f64 / seconds, "entries/s");
    let started = Instant::now();
    analyze_tables(&stage.db, generation).await?;
    report.limit("tables.analyze", started.elapsed().as_secs_f64(), "s");
    let size = generations::list_sizes(&stage.db, &[generation]).await?;
    let bytes = size.first().map_or(0, |(_, bytes)| *bytes) as f64;
    report.limit("tables.size", bytes / 1e9, "GB");
    report.limit("tables.size_of_entry", bytes / shape.entries as f64, "bytes");

    let uris: Vec<String> = (0..1_000).map(|number| uri(number * (shape.entries / 1_000))).collect();
    let started = Instant::now();
    anyhow::ensure!(find_manifest(&stage.db, generation, &uris).await?.len() == uris.len());
    report.limit("tables.manifest", uris.len() as f64 / started.elapsed().as_secs_f64(), "lookups/s");

    let (exact, one_ms) = queries(stage, shape, generation, &[0], &[], QUERIES).await?;
    report.limit("tables.match_leaf", one_ms, "ms");
    let all: Vec<i32> = (0..i32::try_from(shape.classes)?).collect();
    let (_, all_ms) = queries(stage, shape, generation, &all, &[], QUERIES_OF_ALL).await?;
    report.limit("tables.match_all", all_ms, "ms");
    let outgrown = Outgrown {
        generation,
        class_id: 0,
        rows: i64::try_from(shape.entries / u64::from(shape.classes))?,
        embedding_dim: i32::try_from(shape.values)?,
    };
    let started = Instant::now();
    anyhow::ensure!(build_graph(&stage.db, &outgrown).await? == Built::Ready, "the graph is not built");
    report.limit("tables.graph_build", started.elapsed().as_secs_f64(), "s");
    let size = generations::list_sizes(&stage.db, &[generation]).await?;
    let graph = size.first().map_or(0, |(_, bytes)| *bytes) as f64 - bytes;
    report.limit("tables.graph_size", graph / 1e6, "MB");
    // The first ones read it from the disk.
    queries(stage, shape, generation, &[], &[0], QUERIES).await?;
    let (near, graph_ms) = queries(stage, shape, generation, &[], &[0], QUERIES).await?;
    report.row("tables.match_graph", graph_ms, "ms", one_ms, "the same leaf exactly");
    let pairs = near.iter().zip(&exact);
    let found: usize = pairs.map(|(near, exact)| near.iter().filter(|id| exact.contains(id)).count()).sum();
    let wanted: usize = exact.iter().map(Vec::len).sum();
    report.limit("tables.graph_recall", found as f64 / wanted as f64, "");
    Ok(())
}

/// An empty index of that shape.
///
/// # Errors
/// The database refuses it.
pub async fn begin(stage: &Stage, shape: Shape, name: &str) -> anyhow::Result<i32> {
    let id = Uuid::now_v7();
    let mut tx = db::begin(&stage.db).await?;
    indexes::insert_index(&mut *tx, id, &stage.name(name)).await?;
    let (classes, values) = (i32::try_from(shape.classes)?, i32::try_from(shape.values)?);
    let started = Instant::now();
    let generation = indexes::begin_generation(&mut tx, id, stage.small.id, classes, values).await?;
    indexes::activate_generation(&mut tx, id, generation).await?;
    db::commit(tx).await?;
    tracing::info!(classes, seconds = started.elapsed().as_secs_f64(), "tables made");
    Ok(generation)
}

/// Loads its entries, and gives the seconds that their transactions took.
///
/// # Errors
/// The database refuses them.
pub async fn load(stage: &Stage, shape: Shape, generation: i32) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    for first in (0..shape.entries).step_by(usize::try_from(COPIED)?) {
        let numbers = first..(first + COPIED).min(shape.entries);
        let mut entries: Vec<NewEntry> = numbers.into_par_iter().map(|number| entry(shape, number)).collect();
        entries.sort_by_key(|entry| entry.class_id);
        seconds += stage.copy(generation, &entries).await?;
        if (first / COPIED).is_multiple_of(500) {
            tracing::info!(entries = first, seconds, "loading");
        }
    }
    Ok(seconds)
}

/// Ids of the nearest entries for each query, and the median time in milliseconds.
async fn queries(
    stage: &Stage,
    shape: Shape,
    generation: i32,
    classes: &[i32],
    graphs: &[i32],
    count: u64,
) -> anyhow::Result<(Vec<Vec<Uuid>>, f64)> {
    let (mut found, mut times) = (Vec::new(), Vec::new());
    for number in 0..count {
        // Of class 0, and none of the stored ones.
        let vector = vector(shape, 0, shape.entries + number);
        let query = MatchQuery {
            classes,
            approximate: graphs,
            rank_by: RankBy::Embedding,
            vector: &vector,
            k: K,
            exclude: &[],
            uri_prefix: None,
            metadata: None,
            max_distance: None,
        };
        let started = Instant::now();
        let hits = match_entries(&stage.db, generation, &query).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        found.push(hits.iter().map(|hit| hit.entry_id).collect());
    }
    Ok((found, percentile(&mut times, 0.5)))
}

fn entry(shape: Shape, number: u64) -> NewEntry {
    let class = number % u64::from(shape.classes);
    let mut probabilities = vec![0.0; shape.classes as usize];
    probabilities[class as usize] = 1.0;
    NewEntry {
        id: Uuid::now_v7(),
        class_id: class as i32,
        uri: uri(number),
        probabilities,
        embedding: vector(shape, class, number),
        width: 500,
        height: 375,
        bytes: 60_000,
        etag: "60000-1".to_owned(),
        content_hash: [7; 32],
        perceptual_hash: number,
        metadata: Map::new(),
        thumbnail: Vec::new(),
    }
}

fn uri(number: u64) -> String {
    format!("bench-tables/{:05}/{number:09}.jpg", number / 1_000)
}

/// A unit vector near one of the class's centres.
pub fn vector(shape: Shape, class: u64, number: u64) -> Vec<f32> {
    let direction = |seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..shape.values).map(move |_| rng.random::<f32>() - 0.5)
    };
    let mut choice = ChaCha8Rng::seed_from_u64(number);
    let centre = class * CENTRES + choice.next_u64() % CENTRES;
    let values: Vec<f32> =
        direction(centre).zip(direction(!number)).map(|(centre, own)| centre + 0.7 * own).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}

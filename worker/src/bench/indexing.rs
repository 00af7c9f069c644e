//! Bulk indexing: the whole pipeline against its stages alone, a second sync, and how memory grows with objects.

use std::sync::Arc;

use anyhow::Context;
use lookalike_shared::db::PgListener;
use lookalike_shared::db::gallery::NewEntry;
use lookalike_shared::db::jobs::Job;
use lookalike_shared::db::queue::NewJob;
use lookalike_shared::domain::name::Name;
use lookalike_shared::jobs::{Index, IndexMode, Submission};
use serde_json::Map;
use uuid::Uuid;

use super::device::index_rate;
use super::report::Report;
use super::stage::{CLASSES, MANY, SOURCE, Stage};
use crate::inference::ModelSpec;

/// How often the pipeline is timed.
const RUNS: usize = 5;
/// Objects of the small job and of the large one.
const FEW: u32 = 1_000;
/// Entries that are copied in one transaction, and how many transactions.
const COPIED: usize = 512;
const COPIES: usize = 8;

/// An index of all pictures.
pub struct Indexed {
    pub name: Name,
    pub generation: i32,
}

/// Measures indexing and gives an index of the first network.
pub async fn measure(stage: &Stage, report: &mut Report) -> anyhow::Result<Indexed> {
    let mut listener = stage.listen().await?;
    copying(stage, report).await?;
    let indexed = pipeline(stage, &mut listener, &stage.model, "", report).await?;
    pipeline(stage, &mut listener, &stage.alexnet, ".alexnet", report).await?;
    Ok(indexed)
}

/// An index of all pictures, not measured.
pub async fn fill(stage: &Stage) -> anyhow::Result<Indexed> {
    let mut listener = stage.listen().await?;
    let name = stage.name("searched");
    let generation = stage.make_index(&name, &stage.model).await?;
    index(stage, &mut listener, name.clone(), SOURCE, String::new(), IndexMode::Add).await?;
    Ok(Indexed { name, generation })
}

/// Indexes all pictures, the first time to load the model, between turns of the limit. The middle ratio counts.
async fn pipeline(
    stage: &Stage,
    listener: &mut PgListener,
    model: &Arc<ModelSpec>,
    suffix: &str,
    report: &mut Report,
) -> anyhow::Result<Indexed> {
    let mut indexed = None;
    let mut turns = Vec::new();
    let mut before = f64::NAN;
    for run in 0..=RUNS {
        let name = stage.name(&format!("index{}-{run}", suffix.replace('.', "-")));
        let generation = stage.make_index(&name, model).await?;
        let job = index(stage, listener, name.clone(), SOURCE, String::new(), IndexMode::Add).await?;
        indexed = Some(Indexed { name, generation });
        let after = index_rate(stage, model).await?;
        let result = job.result.unwrap_or_default();
        let rate = result["images_per_second"].as_f64().unwrap_or(f64::NAN);
        let limit = f64::midpoint(before, after);
        tracing::info!(stages = %result["stages"], rate, limit, "index{suffix}");
        if run > 0 {
            turns.push((rate, limit));
        }
        before = after;
    }
    turns.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
    let (rate, limit) = turns[RUNS / 2];
    let against = "decoding and the engine alone";
    report.row(&format!("index_efficiency{suffix}"), rate, "pictures/s", limit, against);
    indexed.context("the pipeline has been timed")
}

async fn index(
    stage: &Stage,
    listener: &mut PgListener,
    index: Name,
    source: &str,
    prefix: String,
    mode: IndexMode,
) -> anyhow::Result<Job> {
    let (source, model, dry_run, failed_of) = (source.parse()?, None, false, None);
    let index = Index { index, model, source, prefix, mode, dry_run, failed_of, failed_codes: Vec::new() };
    stage.run(listener, NewJob::new(&index, Submission::default(), None)).await
}

/// Rows into vectors, manifest and thumbnails by COPY, and nothing else.
async fn copying(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let generation = stage.make_index(&stage.name("copy"), &stage.model).await?;
    let mut seconds = 0.0;
    for turn in 0..COPIES {
        let entries: Vec<NewEntry> = (0..COPIED).map(|number| entry(&stage.model, turn, number)).collect();
        seconds += stage.copy(generation, &entries).await?;
    }
    report.limit("copy_rate", (COPIED * COPIES) as f64 / seconds, "entries/s");
    Ok(())
}

/// Copies that many entries without thumbnails into a generation of the first network.
pub async fn fill_up(stage: &Stage, generation: i32, count: usize) -> anyhow::Result<()> {
    for turn in 0..count.div_ceil(COPIED) {
        let bare = |number| NewEntry { thumbnail: Vec::new(), ..entry(&stage.model, turn, number) };
        let entries: Vec<NewEntry> = (0..COPIED).map(bare).collect();
        stage.copy(generation, &entries).await?;
    }
    Ok(())
}

fn entry(model: &ModelSpec, turn: usize, number: usize) -> NewEntry {
    let value = |at: usize| ((turn * COPIED + number) * 31 + at * 17) as f32 % 97.0 / 97.0;
    NewEntry {
        id: Uuid::now_v7(),
        class_id: (number * CLASSES as usize / COPIED) as i32,
        uri: format!("{SOURCE}/copied/{turn}/{number:06}.jpg"),
        probabilities: (0..model.classes).map(value).collect(),
        embedding: (0..model.embedding_dim).map(value).collect(),
        width: 500,
        height: 375,
        bytes: 60_000,
        etag: "60000-1".to_owned(),
        content_hash: [7; 32],
        perceptual_hash: number as u64,
        metadata: Map::new(),
        thumbnail: (0..6_000_u32).map(|at| (at * at % 251) as u8).collect(),
    }
}

/// A small job and a large one on small pictures, then the large one again, when nothing has changed.
pub async fn scale(stage: &Stage, objects: u32, report: &mut Report) -> anyhow::Result<()> {
    let mut listener = stage.listen().await?;
    let (few, many) = (stage.draw_many("few", FEW)?, stage.draw_many("many", objects)?);
    let name = stage.name("many");
    stage.make_index(&name, &stage.small).await?;
    let run = async |listener: &mut PgListener, prefix: &str| -> anyhow::Result<(Job, f64)> {
        memory::forget_peak();
        let job = index(stage, listener, name.clone(), MANY, prefix.to_owned(), IndexMode::Sync).await?;
        Ok((job, memory::peak_mb()))
    };
    // The first loads the model.
    run(&mut listener, &few).await?;
    let few = stage.draw_many("fewer", FEW)?;
    let (_, small_mb) = run(&mut listener, &few).await?;
    let (first, large_mb) = run(&mut listener, &many).await?;
    let (second, _) = run(&mut listener, &many).await?;
    let rate = |job: &Job| job.result.as_ref().and_then(|result| result["images_per_second"].as_f64());
    report.limit("index.small_pictures", rate(&first).unwrap_or(f64::NAN), "pictures/s");
    let against = "a job of 1 000 objects";
    report.row("index_peak_memory_mb", large_mb, "MB", small_mb, against);
    report.limit("sync_skip_rate", rate(&second).unwrap_or(f64::NAN), "objects/s");
    Ok(())
}

/// The most memory that this process has had, as Linux counts it.
mod memory {
    /// Begins to count anew (proc_pid_clear_refs(5), 5).
    pub fn forget_peak() {
        _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    /// `VmHWM` of proc_pid_status(5), in MB of 10^6 bytes.
    pub fn peak_mb() -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
    }
}

//! What this machine does against its own limits, measured side by side in one run.
//!
//! The real queue loops, pipelines and statements run on a real database (a migrated one, which fills with
//! rows of the benchmark: use one of its own). Every figure stands beside the limit that the same machine sets
//! it, measured a moment before or after; their ratio is what may be compared between machines.
//!
//! - [`stage`]: pictures, a model and jobs to work on.
//! - [`matching`] of vectors; [`device`]: decoding and forward passes; [`queue`]: enqueueing, dispatch, draining; [`indexing`];
//!   [`searching`]; [`training`]: steps, and the pipeline around them; [`tables`] of many entries, on demand.
//! - [`report`]: the table and its JSON.

mod device;
mod indexing;
mod matching;
mod queue;
mod report;
mod searching;
mod stage;
mod tables;
mod training;

use std::path::{Path, PathBuf};

use crate::runtime::Settings;
use report::Report;
use stage::Stage;

/// What to measure, and where to write it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Where the rows are written as JSON
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How many pictures are drawn, decoded and indexed
    #[arg(long, value_name = "N", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(64..))]
    pub pictures: u32,
    /// How many jobs that do nothing are enqueued and drained
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub jobs: u32,
    /// A program that times a training step as it comes out of the box (worker/examples/plain_step.rs)
    #[arg(long, value_name = "PROGRAM")]
    pub plain_step: Option<PathBuf>,
    /// How many small pictures are indexed to see how memory grows, and skipped when they have not changed
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2_000..))]
    pub objects: u32,
    /// Measure training only
    #[arg(long, conflicts_with = "indexing")]
    pub training: bool,
    /// Measure decoding, engines and indexing only
    #[arg(long)]
    pub indexing: bool,
    /// Measure matching only
    #[arg(long, conflicts_with_all = ["indexing", "training"])]
    pub matching: bool,
    /// Measure searching only
    #[arg(long, conflicts_with_all = ["indexing", "training", "matching"])]
    pub searching: bool,
    /// Where searches are sent to.
    #[command(flatten)]
    pub server: searching::Server,
    /// Tables of many entries.
    #[command(flatten)]
    pub tables: tables::Options,
}

/// Measures everything and prints the table.
///
/// # Errors
/// What could not be measured.
pub async fn run(settings: Settings, options: Options) -> anyhow::Result<()> {
    let mut report = Report::default();
    let stage = Stage::prepare(settings, options.pictures).await?;
    if options.tables.entries.is_some() {
        tables::measure(&stage, &options.tables, &mut report).await?;
        return finish(&stage, &report, options.output.as_deref());
    }
    if options.matching {
        matching::measure(&stage, &mut report).await?;
        return finish(&stage, &report, options.output.as_deref());
    }
    if options.searching {
        let device = device::measure(&stage, &mut report).await?;
        let worker = stage.start_worker().await?;
        let index = indexing::fill(&stage).await?;
        searching::searching(&stage, &options.server, &index, &device, &mut report).await?;
        worker.stop().await?;
        searching::first(&stage, &options.server, &index, &mut report).await?;
        return finish(&stage, &report, options.output.as_deref());
    }
    if options.indexing {
        device::measure(&stage, &mut report).await?;
        let worker = stage.start_worker().await?;
        indexing::measure(&stage, &mut report).await?;
        indexing::scale(&stage, options.objects, &mut report).await?;
        worker.stop().await?;
        return finish(&stage, &report, options.output.as_deref());
    }
    matching::measure(&stage, &mut report).await?;
    training::measure(&stage, options.plain_step.as_deref(), &mut report).await?;
    if options.training {
        return finish(&stage, &report, options.output.as_deref());
    }
    let device = device::measure(&stage, &mut report).await?;
    let database = queue::enqueueing(&stage, options.jobs, &mut report).await?;
    let waiting = queue::fill(&stage, options.jobs).await?;
    let worker = stage.start_worker().await?;
    queue::draining(&stage, &waiting, &database, &mut report).await?;
    let index = indexing::measure(&stage, &mut report).await?;
    queue::dispatch(&stage, &index, "idle", &database, &mut report).await?;
    searching::searching(&stage, &options.server, &index, &device, &mut report).await?;
    indexing::scale(&stage, options.objects, &mut report).await?;
    let training = queue::start_training(&stage).await?;
    queue::dispatch(&stage, &index, "training", &database, &mut report).await?;
    stage.cancel(training).await?;
    worker.stop().await?;
    searching::first(&stage, &options.server, &index, &mut report).await?;
    finish(&stage, &report, options.output.as_deref())
}

fn finish(stage: &Stage, report: &Report, output: Option<&Path>) -> anyhow::Result<()> {
    report.print(&stage.device_name())?;
    output.map_or(Ok(()), |path| report.write(path))
}

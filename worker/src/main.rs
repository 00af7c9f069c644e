//! The worker's program.

use anyhow::Context;
use clap::{Parser, Subcommand};
use lookalike_shared::config::Environment;
use lookalike_shared::telemetry;
use lookalike_worker::runtime::{Settings, Worker};
use lookalike_worker::signals;

// libtorch allocates through malloc too: with glibc's, every large tensor is mapped and unmapped again, and
// eager inference and training run up to three times slower.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(name = "lookalike-worker", version, about = "Takes jobs of Lookalike and runs them on one device")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take jobs until told to stop (SIGINT or SIGTERM). Settings come from LOOKALIKE_* variables.
    Run,
}

fn main() -> anyhow::Result<()> {
    let Arguments { command: Command::Run } = Arguments::parse();
    let mut environment = Environment::of_process();
    telemetry::start(&environment.log());
    let settings = Settings {
        worker: environment.worker(),
        database: environment.database(24),
        storage: environment.storage(),
    };
    let settings = environment.finish(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let stop = signals::stop_token(settings.worker.exit_with_parent)?;
        Worker::build(settings).await?.run_until(stop).await
    })
}

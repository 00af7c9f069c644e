//! The worker's program.

mod allocator;

use anyhow::Context;
use clap::{Parser, Subcommand};
use lookalike_shared::config::Environment;
use lookalike_shared::telemetry;
use lookalike_worker::bench;
use lookalike_worker::runtime::{Settings, Worker};
use lookalike_worker::signals;

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
    /// Measure this machine against its own limits, on a database and artifacts that are for nothing else.
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    let Arguments { command } = Arguments::parse();
    let mut environment = Environment::of_process();
    telemetry::start(&environment.log());
    let settings = Settings {
        worker: environment.worker(),
        database: environment.database(24),
        storage: environment.storage(),
    };
    let settings = environment.finish(settings)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Run => {
                let stop = signals::stop_token(settings.worker.exit_with_parent)?;
                Worker::build(settings).await?.run_until(stop).await
            }
            Command::Bench(options) => bench::run(settings, options).await,
        }
    })
}

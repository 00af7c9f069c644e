//! `lookalike up`

use std::path::PathBuf;

use lookalike_shared::config::Environment;
use lookalike_shared::telemetry;

use crate::error::CliError;
use crate::up::{self, Flags, Settings};

const EXAMPLES: &str = "\
Prints `ready http://ADDR:PORT` once everything is; the admin key is in DIR/admin.key.
Ctrl-C stops everything in order; a second one hurries.

Examples:
  lookalike up
  lookalike up --listen 0.0.0.0:8080 --source photos=/srv/photos --source archive=s3://bucket/archive
  lookalike up --data-dir ./data --device cuda:0";

/// Run everything on this machine: a private database, the API with its dashboard, and one worker.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where everything is kept [env: LOOKALIKE_DATA_DIR] [default: ~/.local/share/lookalike]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one [env: LOOKALIKE_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The worker's device: auto, cpu, cuda or cuda:N [env: LOOKALIKE_DEVICE] [default: auto]
    #[arg(long)]
    device: Option<String>,
    /// A source of pictures: a folder, or file://, s3://, gs://, az://; beside those of LOOKALIKE_SOURCES
    #[arg(long = "source", value_name = "NAME=URL")]
    sources: Vec<String>,
    /// Start no worker: jobs wait until one comes
    #[arg(long)]
    no_worker: bool,
}

/// Runs everything until a signal.
///
/// # Errors
/// What does not start.
pub async fn run(args: Args) -> Result<(), CliError> {
    let flags = Flags {
        data_dir: args.data_dir,
        listen: args.listen,
        device: args.device,
        sources: args.sources,
        no_worker: args.no_worker,
    };
    let settings = Settings::read(flags, Environment::of_process())?;
    telemetry::start(&settings.log);
    up::run(settings).await
}

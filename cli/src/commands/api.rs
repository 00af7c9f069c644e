//! `lookalike api`

use anyhow::Context;
use lookalike_api::startup::{ApiSettings, Application};
use lookalike_shared::config::Environment;
use lookalike_shared::telemetry;

use crate::error::CliError;
use crate::output;
use crate::up::{API_CONNECTIONS, Stop};

const HELP: &str = "\
Reads LOOKALIKE_DATABASE_URL, LOOKALIKE_ARTIFACTS_URL, LOOKALIKE_SOURCES, LOOKALIKE_LISTEN and the other
variables of the README. Prints `ready http://ADDR:PORT` once it serves; SIGINT and SIGTERM stop it.

Example:
  LOOKALIKE_DATABASE_URL=postgres://host/lookalike LOOKALIKE_ARTIFACTS_URL=s3://bucket/lookalike lookalike api";

/// Run only the API and the dashboard, with settings from the environment.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Bring the database to this version first, as `lookalike migrate` does
    #[arg(long)]
    migrate: bool,
}

/// Serves until a signal.
///
/// # Errors
/// Wrong settings, or parts that cannot be reached.
pub async fn run(args: Args) -> Result<(), CliError> {
    let mut env = Environment::of_process();
    let configs = (env.api(), env.database(API_CONNECTIONS), env.storage(), env.log());
    let (api, database, storage, log) = env.finish(configs)?;
    telemetry::start(&log);
    let stop = Stop::on_signals().context("cannot catch signals")?;
    let settings = ApiSettings { api, database, storage, migrate: args.migrate };
    let application = Application::build(settings).await.context("the API does not start")?;
    output::line(format!("ready http://{}", application.address()))?;
    tokio::select! {
        ended = application.run_until(stop.token()) => Ok(ended.context("the API failed")?),
        () = stop.hurried() => Ok(()),
    }
}

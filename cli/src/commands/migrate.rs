//! `lookalike migrate`

use anyhow::Context;
use lookalike_shared::config::Environment;
use lookalike_shared::{db, telemetry};

use crate::error::CliError;
use crate::output;

const HELP: &str = "\
Reads LOOKALIKE_DATABASE_URL. Safe to run from several places at once; `up` does it by itself.

Example:
  LOOKALIKE_DATABASE_URL=postgres://user:password@host/lookalike lookalike migrate";

/// Bring the database to this version.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {}

/// Applies every migration that is missing.
///
/// # Errors
/// A database that cannot be reached or is newer.
pub async fn run(_args: Args) -> Result<(), CliError> {
    let mut env = Environment::of_process();
    let (database, log) = (env.database(2), env.log());
    let (database, log) = env.finish((database, log))?;
    telemetry::start(&log);
    let pool = db::connect(&database).await.context("cannot connect")?;
    db::migrate(&pool).await.context("cannot migrate")?;
    let version = db::server_version(&pool).await.context("cannot ask for the version")?;
    output::line(format!("the database (PostgreSQL {version}) is at this version"))
}

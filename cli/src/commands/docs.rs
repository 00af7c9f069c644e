//! `lookalike docs`: parts of the documentation that are generated.

use clap::ValueEnum;
use lookalike_shared::config;

use crate::error::CliError;
use crate::output;

/// Print a generated part of the documentation.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which part
    part: Part,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// `.env.example`
    EnvExample,
    /// The README's table of settings
    SettingsTable,
}

/// Prints it.
///
/// # Errors
/// When standard output is closed.
pub fn run(args: &Args) -> Result<(), CliError> {
    output::text(&match args.part {
        Part::EnvExample => config::env_example(),
        Part::SettingsTable => config::markdown_table(),
    })
}

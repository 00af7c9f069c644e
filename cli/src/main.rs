//! The `lookalike` program.

use std::process::ExitCode;

use clap::Parser;
use lookalike_cli::args::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

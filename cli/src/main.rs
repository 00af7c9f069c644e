//! The `lookalike` program.

use std::process::ExitCode;

use clap::Parser;
use lookalike_cli::args::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let as_json = cli.prints_json();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(as_json),
    }
}

//! `lookalike serve-postgres`: how `up` starts PostgreSQL, so that it never outlives `up`.

use std::ffi::OsString;

use crate::error::CliError;
use crate::up::postgres::serve_as_child;

/// Become a program that is interrupted when its parent ends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The process id of the parent
    parent: u32,
    /// The user that runs it, this one if none is given
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    /// The group of that user
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the program; what is returned says why that failed.
pub fn run(args: &Args) -> CliError {
    CliError::Other(serve_as_child(args.parent, args.uid.zip(args.gid), &args.command))
}

//! `lookalike samples`, for demonstrations and tests.

use std::path::PathBuf;

use crate::error::CliError;
use crate::output;
use crate::samples::{SampleOptions, SetSizes, write_samples};

/// Write labelled sample pictures: DIR/{train,gallery,queries}/CLASS/NNN.jpg.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to
    dir: PathBuf,
    /// Training pictures of each class
    #[arg(long, value_name = "N", default_value_t = SampleOptions::default().per_class.train)]
    train: u32,
    /// Gallery pictures of each class
    #[arg(long, value_name = "N", default_value_t = SampleOptions::default().per_class.gallery)]
    gallery: u32,
    /// Query pictures of each class
    #[arg(long, value_name = "N", default_value_t = SampleOptions::default().per_class.queries)]
    queries: u32,
    /// Other seeds draw other pictures
    #[arg(long, default_value_t = SampleOptions::default().seed)]
    seed: u64,
}

/// Draws the pictures.
///
/// # Errors
/// When a file cannot be written.
pub fn run(args: &Args) -> Result<(), CliError> {
    let per_class = SetSizes { train: args.train, gallery: args.gallery, queries: args.queries };
    let options = SampleOptions { per_class, seed: args.seed, ..SampleOptions::default() };
    let report = write_samples(&args.dir, &options)?;
    output::line(format!(
        "{} pictures of {} classes, {} kB, in {}",
        report.pictures,
        report.classes,
        report.bytes / 1_000,
        args.dir.display()
    ))
}

//! `lookalike workers`

use serde_json::Value;

use super::connect;
use crate::client::TargetArgs;
use crate::error::CliError;
use crate::render::{self, Column, Format};

/// List the workers of the last day and how busy they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookalike workers --json")]
pub struct Args {
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

const COLUMNS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("STATE", "/state", Format::Text),
    ("DEVICE", "/device", Format::Text),
    ("BUSY %", "/utilisation_percent", Format::Text),
    ("MEMORY", "/memory_used_bytes", Format::Bytes),
    ("OF", "/memory_total_bytes", Format::Bytes),
    ("ENGINE", "/engine", Format::Text),
    ("JOBS", "/jobs", Format::Count),
    ("SEEN", "/last_seen", Format::Age),
];

/// Lists them.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let answer = client.get("/v1/workers", &[]).await?;
    let workers = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    render::print_list(&workers, COLUMNS, "there are no workers", args.target.json)
}

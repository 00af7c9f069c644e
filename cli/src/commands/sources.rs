//! `lookalike sources`

use clap::Subcommand;
use lookalike_shared::domain::name::Name;
use serde_json::{Value, json};

use super::connect;
use crate::client::TargetArgs;
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format, fields};

const EXAMPLES: &str = "\
Examples:
  lookalike sources
  lookalike sources browse photos gallery/
  lookalike sources test photos";

/// List the sources that pictures are read from, look into them, and try whether they can be read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List sources, as the command alone does
    #[command(after_help = "Example:\n  lookalike sources list --json")]
    List,
    /// Show the folders and objects of a folder
    #[command(after_help = "Example:\n  lookalike sources browse photos gallery/teapots/")]
    Browse {
        /// The source
        name: Name,
        /// A folder of it [default: its top]
        prefix: Option<String>,
        /// Show at most this many
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// List the first objects of a source and read the beginning of one
    #[command(after_help = "Example:\n  lookalike sources test photos")]
    Test {
        /// The source
        name: Name,
    },
}

const COLUMNS: &[Column] =
    &[("NAME", "/name", Format::Text), ("KIND", "/kind", Format::Text), ("URL", "/url", Format::Text)];

const OBJECTS: &[Column] = &[
    ("KEY", "/key", Format::Text),
    ("SIZE", "/size_bytes", Format::Bytes),
    ("CHANGED", "/modified_at", Format::Age),
];

const TEST: &[Column] = &[
    ("location", "/location", Format::Text),
    ("objects seen", "/objects_seen", Format::Text),
    ("these are all", "/complete", Format::Text),
    ("read", "/sample/key", Format::Text),
    ("milliseconds", "/milliseconds", Format::Text),
];

/// Carries the action out.
///
/// # Errors
/// [`CliError`]; a source that is tested and cannot be read is one.
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action.unwrap_or(Action::List) {
        Action::List => {
            let sources = client.list("/v1/sources", &[], usize::MAX).await?;
            render::print_list(&sources, COLUMNS, "there are no sources", json)
        }
        Action::Browse { name, prefix, limit } => {
            let query = [("prefix", prefix.unwrap_or_default())];
            let path = format!("/v1/sources/{name}/objects");
            let mut objects = client.list(&path, &query, limit.saturating_add(1)).await?;
            let more = objects.len() > limit;
            objects.truncate(limit);
            render::print_list(&objects, OBJECTS, "nothing is here", json)?;
            if more && !json {
                output::line(format!("\nthe first {limit}; more with --limit"))
            } else {
                Ok(())
            }
        }
        Action::Test { name } => {
            let answer = client.post(&format!("/v1/sources/{name}/test"), &json!({})).await?;
            render::print_card(&answer, TEST, json)?;
            match answer.get("error") {
                Some(Value::Object(_)) => {
                    let detail = fields::text(&answer, "/error/detail");
                    Err(anyhow::anyhow!("{name} cannot be read: {detail}").into())
                }
                _ => Ok(()),
            }
        }
    }
}

//! `lookalike indexes`

use clap::Subcommand;
use serde_json::json;

use super::connect;
use super::submit::{Payload, SubmitArgs, submit};
use crate::client::TargetArgs;
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  lookalike indexes list
  lookalike indexes create gallery --model scenes
  lookalike indexes rebuild gallery --model scenes@2";

/// List, make, rebuild and delete indexes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List indexes
    #[command(after_help = "Example:\n  lookalike indexes list --json")]
    List,
    /// Show an index and its partitions
    #[command(after_help = "Example:\n  lookalike indexes show gallery")]
    Show {
        /// The index
        name: String,
    },
    /// Make an empty index
    #[command(after_help = "Example:\n  lookalike indexes create gallery --model scenes@2")]
    Create {
        /// The index
        name: String,
        /// Its model, NAME or NAME@VERSION
        #[arg(long)]
        model: String,
    },
    /// Index everything in it again with another model, then swap
    #[command(after_help = "Example:\n  lookalike indexes rebuild gallery --model scenes@2")]
    Rebuild {
        /// The index
        name: String,
        /// The new model, NAME or NAME@VERSION
        #[arg(long)]
        model: String,
        #[command(flatten)]
        submit: SubmitArgs,
    },
    /// Go back to the generation before the last rebuild
    #[command(after_help = "Example:\n  lookalike indexes rollback gallery")]
    Rollback {
        /// The index
        name: String,
    },
    /// Drop every entry
    #[command(after_help = "Example:\n  lookalike indexes clear gallery")]
    Clear {
        /// The index
        name: String,
    },
    /// Delete an index with everything in it
    #[command(after_help = "Example:\n  lookalike indexes delete gallery")]
    Delete {
        /// The index
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("MODEL", "/model", Format::Text),
    ("ENTRIES", "/entries", Format::Text),
    ("PARTITIONS", "/partitions_count", Format::Text),
    ("GENERATION", "/generation", Format::Text),
    ("MADE", "/created_at", Format::Age),
];

const CARD: &[Column] = &[
    ("name", "/name", Format::Text),
    ("model", "/model", Format::Text),
    ("entries", "/entries", Format::Text),
    ("generation", "/generation", Format::Text),
    ("building", "/building", Format::Text),
    ("made", "/created_at", Format::Age),
];

const PARTITIONS: &[Column] = &[("CLASS", "/class", Format::Text), ("ENTRIES", "/rows", Format::Text)];

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List => {
            let indexes = client.list("/v1/indexes", &[], usize::MAX).await?;
            render::print_list(&indexes, COLUMNS, "there are no indexes", json)
        }
        Action::Show { name } => {
            let index = client.get(&format!("/v1/indexes/{name}"), &[]).await?;
            render::print_card(&index, CARD, json)?;
            match index["partitions"].as_array() {
                Some(partitions) if !json => {
                    output::line(format!("\n{}", render::table(partitions, PARTITIONS, "no partitions")))
                }
                _ => Ok(()),
            }
        }
        Action::Create { name, model } => {
            let index = client.post("/v1/indexes", &json!({"name": name, "model": model})).await?;
            render::print_card(&index, CARD, json)
        }
        Action::Rebuild { name, model, submit: how } => {
            let mut payload = Payload::default();
            payload.set("index", Some(name)).set("model", Some(model));
            submit(&client, "rebuild", payload, &how, json).await
        }
        Action::Rollback { name } => {
            let index = client.post(&format!("/v1/indexes/{name}/rollback"), &json!({})).await?;
            render::print_card(&index, CARD, json)
        }
        Action::Clear { name } => {
            let index = client.post(&format!("/v1/indexes/{name}/clear"), &json!({})).await?;
            if json { output::json(&index) } else { output::line(format!("{name} is empty")) }
        }
        Action::Delete { name } => {
            client.delete(&format!("/v1/indexes/{name}")).await?;
            let deleted = json!({"index": name, "deleted": true});
            if json { output::json(&deleted) } else { output::line(format!("{name} deleted")) }
        }
    }
}

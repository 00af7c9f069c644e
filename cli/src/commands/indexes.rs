//! `lookalike indexes`

use clap::Subcommand;
use serde_json::json;

use super::submit::{Payload, SubmitArgs, submit};
use super::{connect, generations};
use crate::client::TargetArgs;
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  lookalike indexes list
  lookalike indexes create gallery --model scenes
  lookalike indexes rebuild gallery --model scenes@2
  Try another model beside the one that answers, and decide:
    lookalike indexes rebuild gallery --model scenes@2 --no-activate
    lookalike indexes compare gallery --source photos --prefix val/
    lookalike indexes activate gallery 7";

/// List, make, rebuild, compare and delete indexes.
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
        /// Leave the new generation ready beside the active one instead of swapping
        #[arg(long)]
        no_activate: bool,
        #[command(flatten)]
        submit: SubmitArgs,
    },
    /// Go back to the generation before the last rebuild
    #[command(after_help = "Example:\n  lookalike indexes rollback gallery")]
    Rollback {
        /// The index
        name: String,
    },
    /// List the builds of an index, each with the room it takes
    #[command(after_help = "Example:\n  lookalike indexes generations gallery")]
    Generations {
        /// The index
        name: String,
    },
    /// Make a ready or an earlier generation the active one
    #[command(after_help = "Example:\n  lookalike indexes activate gallery 7")]
    Activate {
        /// The index
        name: String,
        /// The generation's number
        generation: i32,
    },
    /// Drop a generation that is not in use
    #[command(after_help = "Example:\n  lookalike indexes drop gallery 6")]
    Drop {
        /// The index
        name: String,
        /// The generation's number
        generation: i32,
    },
    /// Measure two generations with the same labelled pictures, side by side
    #[command(after_help = super::generations::EXAMPLES)]
    Compare(super::generations::CompareArgs),
    /// Set how many retired generations a swap leaves
    #[command(after_help = "Example:\n  lookalike indexes keep gallery 2")]
    Keep {
        /// The index
        name: String,
        /// How many, 0 to 10
        generations: i32,
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
    ("retired kept", "/keep_generations", Format::Text),
    ("made", "/created_at", Format::Age),
];

const PARTITIONS: &[Column] = &[
    ("CLASS", "/class", Format::Text),
    ("ENTRIES", "/rows", Format::Text),
    ("GRAPH", "/graph/state", Format::Text),
];

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
        Action::Rebuild { name, model, no_activate, submit: how } => {
            let mut payload = Payload::default();
            payload.set("index", Some(name)).set("model", Some(model));
            payload.set("activate", no_activate.then_some(false));
            submit(&client, "rebuild", payload, &how, json).await
        }
        Action::Rollback { name } => {
            let index = client.post(&format!("/v1/indexes/{name}/rollback"), &json!({})).await?;
            render::print_card(&index, CARD, json)
        }
        Action::Generations { name } => generations::list(&client, &name, json).await,
        Action::Activate { name, generation } => {
            let wanted = json!({"generation": generation});
            let index = client.post(&format!("/v1/indexes/{name}/activate"), &wanted).await?;
            render::print_card(&index, CARD, json)
        }
        Action::Drop { name, generation } => {
            client.delete(&format!("/v1/indexes/{name}/generations/{generation}")).await?;
            let dropped = json!({"index": name, "generation": generation, "dropped": true});
            let told = format!("generation {generation} of {name} dropped");
            if json { output::json(&dropped) } else { output::line(told) }
        }
        Action::Compare(args) => generations::compare(&client, &args, json).await,
        Action::Keep { name, generations } => {
            let wanted = json!({"keep_generations": generations});
            let index = client.patch(&format!("/v1/indexes/{name}"), &wanted).await?;
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

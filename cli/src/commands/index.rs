//! `lookalike index`

use std::path::PathBuf;

use lookalike_shared::config::UPLOADS;

use super::submit::{Payload, SubmitArgs, submit};
use super::{connect, uploads};
use crate::client::TargetArgs;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  lookalike index gallery --model scenes --source photos --prefix gallery/
  lookalike index gallery --model scenes --pictures ./holiday
  Follow a source, dropping what is gone there:
    lookalike index gallery --source photos --prefix gallery/ --sync";

/// Put the pictures of a source or a local folder into an index, made if there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    index: String,
    /// The model, NAME or NAME@VERSION; needed when the index is made
    #[arg(long)]
    model: Option<String>,
    /// Upload this folder first and index it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["source", "prefix"])]
    pictures: Option<PathBuf>,
    /// The upload set of --pictures [default: the index's name]
    #[arg(long, value_name = "NAME", requires = "pictures", conflicts_with_all = ["source", "prefix"])]
    set: Option<String>,
    /// The declared source of the pictures
    #[arg(long, value_name = "NAME", required_unless_present = "pictures")]
    source: Option<String>,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Drop entries under the prefix whose picture is gone
    #[arg(long)]
    sync: bool,
    #[command(flatten)]
    submit: SubmitArgs,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Submits an indexing, after uploading its pictures if they are local.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let (source, prefix) = match &args.pictures {
        Some(folder) => {
            let set = args.set.as_deref().unwrap_or(&args.index);
            uploads::push(&client, folder, set).await?.tell();
            (UPLOADS.to_owned(), Some(format!("{set}/")))
        }
        None => (args.source.clone().expect("required by clap"), args.prefix.clone()),
    };
    let mut payload = Payload::default();
    payload.set("index", Some(&args.index)).set("model", args.model.as_ref());
    payload.set("source", Some(source)).set("prefix", prefix).set("mode", args.sync.then_some("sync"));
    submit(&client, "index", payload, &args.submit, args.target.json).await
}

//! `lookalike index`

use std::path::PathBuf;

use lookalike_shared::config::UPLOADS;
use uuid::Uuid;

use super::submit::{Payload, SubmitArgs, submit};
use super::{connect, uploads};
use crate::client::{Client, TargetArgs};
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  lookalike index gallery --model scenes --source photos --prefix gallery/
  lookalike index gallery --model scenes --pictures ./holiday
  Follow a source, dropping what is gone there:
    lookalike index gallery --source photos --prefix gallery/ --sync
  See first what that would change:
    lookalike index gallery --source photos --prefix gallery/ --sync --dry-run
  Try again the pictures that failed:
    lookalike index gallery --failed-of 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10";

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
    #[arg(long, value_name = "NAME", required_unless_present_any = ["pictures", "failed_of"])]
    source: Option<String>,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Drop entries under the prefix whose picture is gone
    #[arg(long)]
    sync: bool,
    /// Only tell what would be added, updated and removed
    #[arg(long, conflicts_with = "pictures")]
    dry_run: bool,
    /// Only the pictures that failed in this earlier job, from its source and prefix
    #[arg(long, value_name = "JOB", conflicts_with_all = ["pictures", "sync"])]
    failed_of: Option<Uuid>,
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
    let (source, prefix) = place(&client, &args).await?;
    let mut payload = Payload::default();
    payload.set("index", Some(&args.index)).set("model", args.model.as_ref());
    payload.set("source", source).set("prefix", prefix).set("mode", args.sync.then_some("sync"));
    payload.set("dry_run", args.dry_run.then_some(true)).set("failed_of", args.failed_of);
    submit(&client, "index", payload, &args.submit, args.target.json).await
}

/// Where the pictures are: uploaded now, named, or those of the earlier job.
async fn place(client: &Client, args: &Args) -> Result<(Option<String>, Option<String>), CliError> {
    if let Some(folder) = &args.pictures {
        let set = args.set.as_deref().unwrap_or(&args.index);
        uploads::push(client, folder, set).await?.tell();
        return Ok((Some(UPLOADS.to_owned()), Some(format!("{set}/"))));
    }
    let (source, prefix) = (args.source.clone(), args.prefix.clone());
    match args.failed_of {
        Some(earlier) if source.is_none() => {
            let job = client.get(&format!("/v1/jobs/{earlier}"), &[]).await?;
            let text = |name: &str| job["params"][name].as_str().map(str::to_owned);
            Ok((text("source"), prefix.or(text("prefix"))))
        }
        _ => Ok((source, prefix)),
    }
}

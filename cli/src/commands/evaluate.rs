//! `lookalike evaluate`

use super::connect;
use super::submit::{Payload, SubmitArgs, submit};
use crate::client::TargetArgs;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  lookalike evaluate gallery --source photos --prefix val/
  lookalike evaluate gallery --source photos --prefix val/ --k 1,5,10 --probes 1 --json
  lookalike evaluate gallery --source photos --prefix val/ --generation 7";

/// Measure an index: search it with labelled pictures (folder name = class) and count right hits.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    index: String,
    /// The declared source of the labelled pictures, or `uploads`
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The numbers of hits to measure precision at
    #[arg(long, value_name = "K,...", value_delimiter = ',')]
    k: Option<Vec<u32>>,
    /// Which partitions to look into: auto, all, a number or a probability to reach
    #[arg(long)]
    probes: Option<String>,
    /// Other values of --probes to measure beside it [default: 1,2,3,0.8,auto,0.99,all]
    #[arg(long, value_name = "PROBES,...", value_delimiter = ',')]
    compare: Option<Vec<String>>,
    /// The generation to measure, a ready or retired one perhaps [default: the active one]
    #[arg(long, value_name = "N")]
    generation: Option<i32>,
    #[command(flatten)]
    submit: SubmitArgs,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Submits an evaluation.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let mut payload = Payload::default();
    payload
        .set("index", Some(&args.index))
        .set("source", Some(&args.source))
        .set("prefix", args.prefix.as_ref());
    payload.set("k", args.k.as_ref()).set("probes", args.probes.as_ref());
    payload.set("compare", args.compare.as_ref());
    payload.set("generation", args.generation);
    submit(&client, "evaluate", payload, &args.submit, args.target.json).await
}

//! `lookalike validate`

use super::connect;
use super::held::HeldSet;
use super::submit::{Payload, SubmitArgs, conclude};
use crate::client::TargetArgs;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  lookalike validate photos --prefix train/
  With what a training shall be judged by, for the network it shall train:
    lookalike validate photos --prefix train/ --validation-prefix val/ --backbone resnet18 --json";

/// Report on labelled pictures (folder name = class) before training on them: classes, unreadable files, duplicates,
/// sizes, and whether a training would start.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The declared source of the pictures, or `uploads`
    source: String,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[command(flatten)]
    held: HeldSet,
    /// The network that a picture size is suggested for [default: mobilenet_v2]
    #[arg(long)]
    backbone: Option<String>,
    /// Readable pictures that each class must have [default: 100]
    #[arg(long, value_name = "N")]
    min_images_per_class: Option<u32>,
    #[command(flatten)]
    submit: SubmitArgs,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Asks for a report.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let path = format!("/v1/sources/{}/validate", args.source);
    let job = client.post(&path, &payload(&args).into_json()).await?;
    conclude(&client, job, args.submit.no_wait, args.target.json).await
}

fn payload(args: &Args) -> Payload {
    let mut payload = Payload::default();
    payload
        .set("prefix", args.prefix.as_ref())
        .set("validation", args.held.place(&args.source))
        .set("min_images_per_class", args.min_images_per_class)
        .set("backbone", args.backbone.as_ref());
    args.submit.add_to(&mut payload);
    payload
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn sent(line: &str) -> Value {
        payload(&Line::try_parse_from(line.split_whitespace()).unwrap().args).into_json()
    }

    #[test]
    fn a_report_is_asked_for_with_what_the_training_would_be() {
        assert_eq!(sent("validate photos"), json!({}));
        let all = "validate photos --prefix train/ --validation-prefix val/ --backbone vgg16 --min-images-per-class 5";
        let expected = json!({"prefix": "train/", "validation": {"source": "photos", "prefix": "val/"},
                              "backbone": "vgg16", "min_images_per_class": 5});
        assert_eq!(sent(all), expected);
        let other = sent("validate photos --validation-source held --validation-prefix val/ --priority 3");
        assert_eq!(other, json!({"validation": {"source": "held", "prefix": "val/"}, "priority": 3}));
    }
}

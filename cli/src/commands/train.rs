//! `lookalike train`

mod recipe;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::recipe::Recipe;
use super::held::{HeldSet, place};
use super::submit::{Payload, SubmitArgs, submit};
use super::{connect, uploads};
use crate::client::TargetArgs;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  Upload a folder with one folder per class and train on it:
    lookalike train scenes --pictures ./scenes --pretrained imagenet-mobilenet
  Train on a declared source, with a validation set of its own:
    lookalike train scenes --source photos --prefix train/ --validation-prefix val/ --epochs 30
  With stronger changes of the pictures, and the epoch that finds best:
    lookalike train scenes --source photos --rand-augment 9 --mixup 0.2 --ema-decay 0.999 --best-by precision-at-10
  AlexNet as in Hu and Feng (2017), from random weights, without what came later, and do not wait:
    lookalike train paper --source photos --backbone alexnet --image-size 224 --optimizer sgd --learning-rate 0.01 \\
      --batch-size 128 --schedule step --warmup-epochs 0 --resized-crop none --color-jitter 0 --mixup 0 --ema-decay 0 \\
      --label-smoothing 0 --no-wait";

/// Train a model on labelled pictures: one folder per class.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model's name; its next version is made
    model: String,
    /// Upload this folder first and train on it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["source", "prefix"])]
    pictures: Option<PathBuf>,
    /// The upload set of --pictures [default: the model's name]
    #[arg(long, value_name = "NAME", requires = "pictures", conflicts_with_all = ["source", "prefix"])]
    set: Option<String>,
    /// The declared source of the pictures
    #[arg(long, value_name = "NAME", required_unless_present = "pictures")]
    source: Option<String>,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[command(flatten)]
    held: HeldSet,
    /// The share of the pictures that is held back for validation
    #[arg(long, value_name = "SHARE", conflicts_with = "validation_prefix")]
    validation_fraction: Option<f64>,
    /// The network, e.g. mobilenet_v2, alexnet, squeezenet1_1, resnet18
    #[arg(long)]
    backbone: Option<String>,
    /// A stored model to start from, NAME or NAME@VERSION
    #[arg(long, value_name = "MODEL")]
    pretrained: Option<String>,
    #[command(flatten)]
    recipe: Recipe,
    #[command(flatten)]
    submit: SubmitArgs,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Submits a training, after uploading its pictures if they are local.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let dataset = match &args.pictures {
        Some(folder) => {
            let set = args.set.as_deref().unwrap_or(&args.model);
            uploads::push(&client, folder, set).await?.tell();
            (UPLOADS.to_owned(), Some(format!("{set}/")))
        }
        None => (args.source.clone().expect("required by clap"), args.prefix.clone()),
    };
    submit(&client, "train", payload(&args, dataset), &args.submit, args.target.json).await
}

const UPLOADS: &str = lookalike_shared::config::UPLOADS;

fn payload(args: &Args, (source, prefix): (String, Option<String>)) -> Payload {
    let mut payload = Payload::default();
    payload
        .set("model", Some(&args.model))
        .set("dataset", Some(place(&source, prefix.as_deref().unwrap_or_default())));
    payload.set("validation", validation(args, &source));
    payload.set("backbone", args.backbone.as_ref()).set("pretrained", args.pretrained.as_ref());
    args.recipe.add_to(&mut payload);
    payload
}

fn validation(args: &Args, source: &str) -> Option<Value> {
    match args.validation_fraction {
        Some(fraction) => Some(json!({"fraction": fraction})),
        None => args.held.place(source),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use lookalike_shared::jobs::{Payload as _, Train};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn sent(line: &str) -> Value {
        let args = Line::try_parse_from(line.split_whitespace()).unwrap().args;
        let source = args.source.clone().unwrap_or_default();
        let prefix = args.prefix.clone();
        payload(&args, (source, prefix)).into_json()
    }

    #[test]
    fn little_is_sent_when_little_is_said() {
        let sent = sent("train scenes --source photos");
        assert_eq!(sent, json!({"model": "scenes", "dataset": {"source": "photos", "prefix": ""}}));
    }

    #[test]
    fn every_field_of_the_payload_can_be_set() {
        let sent = sent(
            "train scenes --source photos --prefix train/ --validation-prefix val/ --backbone alexnet --pretrained a@1 \
             --image-size 128 --epochs 2 --batch-size 8 --optimizer adamw --learning-rate 0.1 --momentum 0.8 \
             --weight-decay 0.01 --schedule step --no-mirror --freeze gradual --precision f32 --seed 7 --patience 3 \
             --min-images-per-class 10 --embedding-dim 64 --warmup-epochs 0.5 --label-smoothing 0.2 --gradient-clip 5 \
             --ema-decay 0.99 --resized-crop 0.3 --color-jitter 0.4 --rand-augment 9 --mixup 0.2 --best-by map \
             --checkpoint-minutes 1",
        );
        let train: Train = serde_json::from_value(sent.clone()).unwrap();
        assert!(train.check().is_empty());
        let fields: Vec<_> =
            serde_json::to_value(&train).unwrap().as_object().unwrap().keys().cloned().collect();
        let missing: Vec<_> = fields.iter().filter(|field| sent.get(field).is_none()).collect();
        assert!(missing.is_empty(), "no flag sets {missing:?}");
        assert_eq!(serde_json::to_value(&train).unwrap(), sent);
    }

    #[test]
    fn crops_of_full_size_can_be_asked_for() {
        let full = sent("train scenes --source photos --resized-crop none");
        assert_eq!(
            full["augment"],
            json!({"crop": true, "mirror": true, "color_pca": true, "resized_crop": null})
        );
        assert!(Line::try_parse_from("train m --source s --resized-crop small".split_whitespace()).is_err());
    }

    #[test]
    fn the_papers_example_leaves_out_what_came_later() {
        let (_, example) = EXAMPLES.split_once("lookalike train paper").unwrap();
        let line = format!("train paper {}", example.replace('\\', " "));
        let train: Train = serde_json::from_value(sent(&line)).unwrap();
        assert!(train.check().is_empty());
        assert_eq!(train.optimizer, Some(lookalike_shared::jobs::Optimizer::Sgd));
        assert_eq!((train.label_smoothing, train.ema_decay), (0.0, 0.0));
        let augment = train.augment;
        assert_eq!((augment.resized_crop, augment.color_jitter, augment.mixup), (None, 0.0, 0.0));
        assert!(augment.crop && augment.mirror && augment.color_pca, "those are the paper's");
    }

    #[test]
    fn pictures_and_a_source_exclude_each_other() {
        for line in ["train m", "train m --pictures x --source y", "train m --set x --source y"] {
            assert!(Line::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }
}

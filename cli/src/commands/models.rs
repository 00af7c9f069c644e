//! `lookalike models`

mod compare;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use lookalike_shared::domain::name::{ModelRef, Name};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{connect, parse_model, parse_pair};
use crate::client::{Client, TargetArgs, body};
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  lookalike models list
  lookalike models import imagenet-mobilenet --backbone mobilenet_v2 --classes labels.txt mobilenet_v2.safetensors
  lookalike models export scenes --format onnx
  lookalike models compare scenes@1 scenes@2
  lookalike models promote scenes@2
  lookalike models rollback scenes
  lookalike models label scenes@2 team=x stage=";

/// List, import, export, compare, promote, label and delete models.
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
    /// List models, with the figures of their default versions
    #[command(
        after_help = "Examples:\n  lookalike models list --json\n  lookalike models list --label team=x"
    )]
    List {
        /// Only models with this label on a version; may be given several times
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
        label: Vec<(String, String)>,
    },
    /// Show a model's versions, or the card of one version
    #[command(after_help = "Examples:\n  lookalike models show scenes\n  lookalike models show scenes@2")]
    Show {
        /// NAME or NAME@VERSION
        #[arg(value_parser = parse_model)]
        model: ModelRef,
    },
    /// Import weights (safetensors, .pth, .pt or .ot, with torchvision's tensor names)
    #[command(
        after_help = "Example:\n  lookalike models import mine --backbone resnet18 --classes cat,dog resnet18.safetensors"
    )]
    Import {
        /// The name it gets; its next version is made
        name: String,
        /// The weights
        file: PathBuf,
        /// The network they are for
        #[arg(long)]
        backbone: String,
        /// Class names in the order of the outputs: a file with one a line, or a list with commas
        #[arg(long, value_name = "FILE|NAME,...")]
        classes: Option<String>,
        /// Side of the pictures in pixels [default: the network's own]
        #[arg(long, value_name = "PIXELS")]
        image_size: Option<u32>,
    },
    /// Write a model to a file
    ///
    /// `onnx` runs anywhere: input `pixels`, float [N, 3, S, S], red, green, blue, in 0..1; outputs `logits`,
    /// `probabilities` and `embedding`. `safetensors` holds the weights alone, with torchvision's tensor names.
    #[command(
        after_help = "Examples:\n  lookalike models export scenes --format onnx\n  lookalike models export scenes@2 --format safetensors -o scenes.safetensors"
    )]
    Export {
        /// NAME or NAME@VERSION
        #[arg(value_parser = parse_model)]
        model: ModelRef,
        /// What to write
        #[arg(long, value_enum, default_value_t = FileFormat::Onnx)]
        format: FileFormat,
        /// Where to [default: NAME-VERSION.FORMAT in this folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Say which version a name alone means
    #[command(
        name = "promote",
        visible_alias = "default",
        after_help = "Example:\n  lookalike models promote scenes@2"
    )]
    Promote {
        /// NAME@VERSION
        #[arg(value_parser = parse_model)]
        model: ModelRef,
    },
    /// Let a name mean the version again that it meant before
    #[command(after_help = "Example:\n  lookalike models rollback scenes")]
    Rollback {
        /// The model
        name: String,
    },
    /// Show two versions side by side
    #[command(
        after_help = "Examples:\n  lookalike models compare scenes@1 scenes@2\n  lookalike models compare scenes other"
    )]
    Compare {
        /// NAME or NAME@VERSION
        #[arg(value_parser = parse_model)]
        a: ModelRef,
        /// NAME or NAME@VERSION
        #[arg(value_parser = parse_model)]
        b: ModelRef,
    },
    /// Set labels of a version; NAME= takes one away
    #[command(after_help = "Example:\n  lookalike models label scenes@2 team=x stage=")]
    Label {
        /// NAME@VERSION
        #[arg(value_parser = parse_model)]
        model: ModelRef,
        /// The labels
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = parse_pair)]
        labels: Vec<(String, String)>,
    },
    /// Delete a version that no index uses
    #[command(after_help = "Example:\n  lookalike models delete scenes@1")]
    Delete {
        /// NAME@VERSION
        #[arg(value_parser = parse_model)]
        model: ModelRef,
    },
}

/// Files that a model is written as.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FileFormat {
    /// The whole network, for ONNX Runtime, OpenVINO and others
    Onnx,
    /// The weights alone
    Safetensors,
}

impl FileFormat {
    /// The last part of the path, and how the file's name ends.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Onnx => ("onnx", "onnx"),
            Self::Safetensors => ("weights", "safetensors"),
        }
    }
}

/// What is told of a model is told of its default version, which the columns after DEFAULT are about.
const COLUMNS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("VERSIONS", "/versions", Format::Text),
    ("DEFAULT", "/default/version", Format::Text),
    ("BACKBONE", "/default/backbone", Format::Text),
    ("CLASSES", "/default/classes", Format::Count),
    ("ACCURACY", "/default/validation_accuracy", Format::Percent),
    ("P@1", "/default/precision_at/embedding/1", Format::Percent),
    ("MADE", "/default/created_at", Format::Age),
];

const VERSIONS: &[Column] = &[
    ("VERSION", "/version", Format::Text),
    ("DEFAULT", "/is_default", Format::Text),
    ("BACKBONE", "/backbone", Format::Text),
    ("CLASSES", "/classes", Format::Count),
    ("ACCURACY", "/validation_accuracy", Format::Percent),
    ("WEIGHTS", "/weights_bytes", Format::Bytes),
    ("MADE", "/created_at", Format::Age),
];

const CARD: &[Column] = &[
    ("model", "/reference", Format::Text),
    ("default", "/is_default", Format::Text),
    ("backbone", "/backbone", Format::Text),
    ("classes", "/classes", Format::Text),
    ("image size", "/image_size", Format::Text),
    ("embedding", "/embedding_dim", Format::Text),
    ("origin", "/origin", Format::Text),
    ("accuracy", "/validation_accuracy", Format::Percent),
    ("weights", "/weights_bytes", Format::Bytes),
    ("sha256", "/weights_sha256", Format::Text),
    ("job", "/job_id", Format::Text),
    ("labels", "/labels", Format::Text),
    ("made", "/created_at", Format::Age),
];

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List { label } => {
            let labels = label.iter().map(|(name, value)| ("label", format!("{name}:{value}")));
            let models = client.list("/v1/models", &labels.collect::<Vec<_>>(), usize::MAX).await?;
            render::print_list(&models, COLUMNS, "there are no models", json)
        }
        Action::Show { model: ModelRef { name, version: None } } => {
            let versions = client.list(&format!("/v1/models/{name}"), &[], usize::MAX).await?;
            render::print_list(&versions, VERSIONS, "there are no versions", json)
        }
        Action::Show { model: ModelRef { name, version: Some(version) } } => {
            render::print_card(&client.get(&format!("/v1/models/{name}/{version}"), &[]).await?, CARD, json)
        }
        Action::Import { name, file, backbone, classes, image_size } => {
            let mut form = Form::new().text("name", name).text("backbone", backbone);
            if let Some(classes) = classes {
                form = form.text("classes", read_classes(&classes)?);
            }
            if let Some(size) = image_size {
                form = form.text("image_size", size.to_string());
            }
            let model = import(&client, form, &file).await?;
            render::print_card(&model, CARD, json)
        }
        Action::Export { model, format, output } => {
            let (model, file) = export(&client, model, format, output).await?;
            let written = json!({"model": model.to_string(), "file": file});
            if json {
                output::json(&written)
            } else {
                output::line(format!("{model} written to {}", file.display()))
            }
        }
        Action::Promote { model } => {
            let path = format!("/v1/models/{}/default", model.name);
            let answer = client.put(&path, &json!({"version": version(&model)?})).await?;
            tell_default(&answer, json)
        }
        Action::Rollback { name } => {
            let answer = client.post(&format!("/v1/models/{name}/rollback"), &json!({})).await?;
            tell_default(&answer, json)
        }
        Action::Compare { a, b } => compare::run(&client, &a, &b, json).await,
        Action::Label { model, labels } => {
            let path = format!("/v1/models/{}/{}", model.name, version(&model)?);
            let labels: BTreeMap<String, Option<String>> = labels
                .into_iter()
                .map(|(name, value)| (name, Some(value).filter(|v| !v.is_empty())))
                .collect();
            render::print_card(&client.patch(&path, &json!({"labels": labels})).await?, CARD, json)
        }
        Action::Delete { model } => {
            client.delete(&format!("/v1/models/{}/{}", model.name, version(&model)?)).await?;
            let deleted = json!({"model": model.to_string(), "deleted": true});
            if json { output::json(&deleted) } else { output::line(format!("{model} deleted")) }
        }
    }
}

fn tell_default(model: &Value, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(model);
    }
    let (name, reference) = (&model["name"], &model["reference"]);
    output::line(format!("{} now means {}", name.as_str().unwrap_or("-"), reference.as_str().unwrap_or("-")))
}

fn version(model: &ModelRef) -> Result<i32, CliError> {
    model.version.ok_or_else(|| CliError::Usage(format!("name a version, as in {}@1", model.name)))
}

/// The text of a file of that name, else the names themselves.
fn read_classes(classes: &str) -> Result<String, CliError> {
    let path = Path::new(classes);
    if !path.is_file() {
        return Ok(classes.to_owned());
    }
    Ok(std::fs::read_to_string(path).with_context(|| format!("cannot read {classes}"))?)
}

async fn import(client: &Client, form: Form, file: &Path) -> Result<Value, CliError> {
    let weights = Part::file(file).await.with_context(|| format!("cannot read {}", file.display()))?;
    let request =
        client.request(Method::POST, "/v1/models/import", &[]).multipart(form.part("file", weights));
    body(client.send(request.header("Idempotency-Key", Uuid::now_v7().to_string())).await?).await
}

/// Downloads a version into a file, which appears under its name when it is whole.
async fn export(
    client: &Client,
    model: ModelRef,
    format: FileFormat,
    output: Option<PathBuf>,
) -> Result<(ModelRef, PathBuf), CliError> {
    let (path, ending) = format.names();
    let ModelRef { name, version } = model;
    let version = match version {
        Some(version) => version,
        None => default_version(client, &name).await?,
    };
    let file = output.unwrap_or_else(|| PathBuf::from(format!("{name}-{version}.{ending}")));
    let request = client.request(Method::GET, &format!("/v1/models/{name}/{version}/{path}"), &[]);
    let response = client.send(request).await?;
    let part = file.with_added_extension("part");
    let written = download(response, &part).await.and_then(|()| {
        std::fs::rename(&part, &file).with_context(|| format!("cannot write {}", file.display()))
    });
    if written.is_err() {
        _ = std::fs::remove_file(&part);
    }
    written?;
    Ok((ModelRef { name, version: Some(version) }, file))
}

async fn default_version(client: &Client, name: &Name) -> Result<i32, CliError> {
    let card = client.get(&format!("/v1/models/{name}/default"), &[]).await?;
    let version = card["version"].as_i64().and_then(|version| i32::try_from(version).ok());
    Ok(version.context("the answer names no version: is this a Lookalike server?")?)
}

async fn download(mut response: Response, file: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let mut out = std::fs::File::create(file).with_context(cannot)?;
    while let Some(piece) = response.chunk().await.context("the download broke off")? {
        out.write_all(&piece).with_context(cannot)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_in_the_list_are_those_of_the_default_version() {
        let version =
            |number: u32, accuracy: f64| json!({"version": number, "validation_accuracy": accuracy});
        let model =
            json!({"name": "scenes", "versions": 3, "latest": version(3, 0.5), "default": version(2, 0.75)});
        let table = render::table(&[model], COLUMNS, "none");
        assert!(table.contains("75.00 %") && !table.contains("50.00 %"), "{table}");
    }
}

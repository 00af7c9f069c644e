//! `lookalike search`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::submit::{Payload, SubmitArgs, conclude};
use super::{connect, parse_pair};
use crate::client::{TargetArgs, body};
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  lookalike search gallery ./teapot.jpg
  lookalike search gallery ./teapot.jpg -k 5 --class teapot --json
  What is in the middle of it, each motif once:
    lookalike search gallery ./shelf.jpg --crop 0.25,0.25,0.5,0.5 --collapse-duplicates
  Like two pictures but unlike a third:
    lookalike search gallery ./a.jpg ./b.jpg --unlike ./c.jpg
  By an entry of the index, or by an object of a source:
    lookalike search gallery --entry 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10
    lookalike search gallery --source photos --object gallery/t1.jpg";

/// Find the pictures of an index that look like the given ones.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("query").required(true).multiple(false).args(["pictures", "entry", "object"]))]
pub struct Args {
    /// The index
    index: String,
    /// Local pictures; of several, the mean is searched for
    #[arg(value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// A local picture to keep away from; may be given several times
    #[arg(long, value_name = "PICTURE", requires = "pictures", conflicts_with_all = ["entry", "object"])]
    unlike: Vec<PathBuf>,
    /// An entry of the index
    #[arg(long, value_name = "ID")]
    entry: Option<String>,
    /// The source of --object
    #[arg(long, value_name = "NAME", requires = "object")]
    source: Option<String>,
    /// An object of a source
    #[arg(long, value_name = "KEY", requires = "source")]
    object: Option<String>,
    /// How many hits
    #[arg(short, long, default_value_t = 20)]
    k: u32,
    /// Which partitions to look into: auto, all, a number (1 as in Hu and Feng 2017) or a probability to reach
    #[arg(long)]
    probes: Option<String>,
    /// What distances are measured between
    #[arg(long, value_parser = ["embedding", "probabilities"])]
    rank_by: Option<String>,
    /// Only hits of this class; may be given several times
    #[arg(long)]
    class: Vec<String>,
    /// Only hits with this metadata; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Only hits whose uris (source/key) begin with this
    #[arg(long, value_name = "URI")]
    uri_prefix: Option<String>,
    /// Leave out hits less similar than this, 0 to 1
    #[arg(long, value_name = "SHARE")]
    min_similarity: Option<f64>,
    /// Of pictures that are nearly the same, show only the nearest
    #[arg(long)]
    collapse_duplicates: bool,
    /// Look for a part of the picture only: shares of its width and height, from the upper left corner
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = parse_crop, conflicts_with_all = ["entry", "unlike"])]
    crop: Option<Value>,
    #[command(flatten)]
    submit: SubmitArgs,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Submits a search and prints its hits.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let mut payload = options(&args);
    args.submit.add_to(&mut payload);
    payload.set("entry_id", args.entry.as_ref());
    payload.set("source", args.source.as_ref()).set("key", args.object.as_ref());
    let request = client.request(Method::POST, "/v1/jobs/search", &[]);
    let request = match args.pictures.is_empty() {
        true => request.json(&payload.into_json()),
        false => request.multipart(form(payload, &weighted(&args).collect::<Vec<_>>())?),
    };
    // The server answers when the search is done, which is sooner than a stream could be opened.
    let preference = if args.submit.no_wait { "respond-async" } else { "wait=60" };
    let job = body(client.send(request.header("Prefer", preference)).await?).await?;
    conclude(&client, job, args.submit.no_wait, args.target.json).await
}

/// The pictures with their weights: 1, or -1 for those to keep away from.
fn weighted(args: &Args) -> impl Iterator<Item = (&Path, f32)> {
    let like = args.pictures.iter().map(|path| (path.as_path(), 1.0));
    like.chain(args.unlike.iter().map(|path| (path.as_path(), -1.0)))
}

fn options(args: &Args) -> Payload {
    let mut payload = Payload::default();
    payload.set("index", Some(&args.index)).set("k", Some(args.k));
    payload.set("probes", args.probes.as_ref()).set("rank_by", args.rank_by.as_ref());
    payload.set("min_similarity", args.min_similarity).set("filter", filter(args));
    payload
        .set("collapse_duplicates", args.collapse_duplicates.then_some(true))
        .set("crop", args.crop.as_ref());
    payload
}

fn filter(args: &Args) -> Option<Value> {
    let mut filter = Payload::default();
    filter.set("class", (!args.class.is_empty()).then_some(&args.class));
    let metadata: BTreeMap<_, _> =
        args.metadata.iter().map(|(name, value)| (name, metadata_value(value))).collect();
    filter.set("metadata", (!metadata.is_empty()).then_some(metadata));
    filter.set("uri_prefix", args.uri_prefix.as_ref());
    let filter = filter.into_json();
    (filter != json!({})).then_some(filter)
}

fn parse_crop(text: &str) -> Result<Value, String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    match numbers.as_deref() {
        Ok([x, y, width, height]) => Ok(json!({ "x": x, "y": y, "width": width, "height": height })),
        Ok(_) | Err(_) => Err("four numbers from 0 to 1 expected: x,y,width,height".to_owned()),
    }
}

/// `3` and `true` are meant as such; anything else is text.
fn metadata_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The pictures as they are, beside the other fields; of several, also their weights.
fn form(payload: Payload, pictures: &[(&Path, f32)]) -> Result<Form, CliError> {
    let mut form = Form::new();
    for (path, _) in pictures {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        form = form.part("image", Part::bytes(bytes).file_name(name));
    }
    if pictures.len() > 1 {
        let weights: Vec<_> = pictures.iter().map(|(_, weight)| weight).collect();
        form = form.text("weights", json!(weights).to_string());
    }
    if let Value::Object(fields) = payload.into_json() {
        for (field, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            form = form.text(field, text);
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(line.split_whitespace()).map(|line| line.args)
    }

    #[test]
    fn one_way_to_ask_is_needed_and_allowed() {
        for good in
            ["s g a.jpg", "s g a.jpg b.jpg --unlike c.jpg", "s g --entry 1", "s g --source p --object k"]
        {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in
            ["s g", "s g a.jpg --entry 1", "s g --object k", "s g --source p", "s g --entry 1 --unlike c.jpg"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_are_sent_only_when_asked_for() {
        assert_eq!(options(&parse("s g a.jpg").unwrap()).into_json(), json!({"index": "g", "k": 20}));
        let args =
            parse("s g a.jpg -k 3 --class a --class b --metadata year=2017 --metadata by=x --probes all")
                .unwrap();
        assert_eq!(
            options(&args).into_json(),
            json!({"index": "g", "k": 3, "probes": "all",
                   "filter": {"class": ["a", "b"], "metadata": {"year": 2017, "by": "x"}}})
        );
    }

    #[test]
    fn pictures_to_keep_away_from_weigh_against() {
        let args = parse("s g a.jpg --unlike b.jpg").unwrap();
        let weights: Vec<_> = weighted(&args).map(|(_, weight)| weight).collect();
        assert_eq!(weights, [1.0, -1.0]);
    }
}

//! `lookalike indexes generations` and `lookalike indexes compare`: the builds of an index.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::submit::Payload;
use crate::client::Client;
use crate::error::CliError;
use crate::follow::{self, Display};
use crate::output;
use crate::render::{self, Column, Format, fields};

/// How `indexes compare` is used.
pub const EXAMPLES: &str = "\
Examples:
  lookalike indexes compare gallery --source photos --prefix val/
  lookalike indexes compare gallery --source photos --prefix val/ --generations 6,7 --json";

/// What is measured, and with which pictures.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// The index
    index: String,
    /// The declared source of the labelled pictures, or `uploads`
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The two generations [default: the active one, and the newest other one that is whole]
    #[arg(long, value_name = "A,B", value_parser = parse_two)]
    generations: Option<(i32, i32)>,
    /// The numbers of hits to measure precision at
    #[arg(long, value_name = "K,...", value_delimiter = ',')]
    k: Option<Vec<u32>>,
    /// Which partitions to look into: auto, all, a number or a probability to reach
    #[arg(long)]
    probes: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("GENERATION", "/id", Format::Text),
    ("STATE", "/state", Format::Text),
    ("MODEL", "/model", Format::Text),
    ("ENTRIES", "/entries", Format::Text),
    ("SIZE", "/size_bytes", Format::Bytes),
    ("MADE", "/created_at", Format::Age),
    ("ACTIVATED", "/activated_at", Format::Age),
];

/// Lists the generations of an index.
///
/// # Errors
/// [`CliError`].
pub async fn list(client: &Client, index: &str, json: bool) -> Result<(), CliError> {
    let generations = client.list(&format!("/v1/indexes/{index}/generations"), &[], usize::MAX).await?;
    render::print_list(&generations, COLUMNS, "the index has no generation", json)
}

/// Measures two generations with the same pictures and prints both.
///
/// # Errors
/// A refusal, Ctrl-C, or an evaluation that ends without a result.
pub async fn compare(client: &Client, args: &CompareArgs, json: bool) -> Result<(), CliError> {
    let (a, b) = match args.generations {
        Some(two) => two,
        None => {
            let path = format!("/v1/indexes/{}/generations", args.index);
            two_of(&args.index, &client.list(&path, &[], usize::MAX).await?)?
        }
    };
    // Both wait in the queue together, so that the second is measured right after the first.
    let submitted = (evaluate(client, args, a).await?, evaluate(client, args, b).await?);
    let display = || if json { Display::beside_json() } else { Display::for_people() };
    let first = follow::to_end(client, submitted.0, display()).await?;
    follow::check(&first)?;
    let second = follow::to_end(client, submitted.1, display()).await?;
    follow::check(&second)?;
    if json {
        return output::json(&json!({"a": first["result"], "b": second["result"]}));
    }
    output::line(page(&first["result"], &second["result"]))
}

async fn evaluate(client: &Client, args: &CompareArgs, generation: i32) -> Result<Value, CliError> {
    let mut payload = Payload::default();
    payload.set("index", Some(&args.index)).set("source", Some(&args.source));
    payload.set("prefix", args.prefix.as_ref()).set("k", args.k.as_ref());
    payload.set("probes", args.probes.as_ref()).set("generation", Some(generation));
    client.post("/v1/jobs/evaluate", &payload.into_json()).await
}

/// The active generation and the newest other one that is whole, ready ones first.
fn two_of(index: &str, generations: &[Value]) -> Result<(i32, i32), CliError> {
    let number = |generation: &Value| generation["id"].as_i64().and_then(|id| i32::try_from(id).ok());
    let of = |state: &str| {
        let newest = generations.iter().filter(|each| each["state"] == state);
        newest.max_by_key(|each| (each["activated_at"].as_str(), each["id"].as_i64())).and_then(number)
    };
    let other = of("ready").or_else(|| of("retired"));
    of("active").zip(other).ok_or_else(|| {
        let advice = "fill one beside it: lookalike indexes rebuild ... --no-activate";
        CliError::Other(anyhow!("index {index} has no second generation to compare with; {advice}"))
    })
}

/// Both evaluations as a table.
fn page(a: &Value, b: &Value) -> String {
    let heading =
        |of: &Value| format!("{} ({})", fields::text(of, "/generation"), fields::text(of, "/model"));
    let mut rows = Vec::new();
    let mut add = |name: String, pointer: &str| {
        let values = [a, b].map(|of| of.pointer(pointer).and_then(Value::as_f64));
        let difference = values[0].zip(values[1]).map(|(a, b)| b - a);
        let told = |value: Option<f64>| value.map_or("-".to_owned(), fields::percent);
        let difference = difference.map_or("-".to_owned(), |by| format!("{:+.2}", by * 100.0));
        rows.push(vec![name, told(values[0]), told(values[1]), difference]);
    };
    for ranking in ["embedding", "probabilities"] {
        for k in ks(a, b, ranking) {
            add(format!("P@{k} by {ranking}"), &format!("/precision_at/{ranking}/{k}"));
        }
        add(format!("mAP by {ranking}"), &format!("/map_by/{ranking}"));
    }
    add("routing recall".to_owned(), "/routing_recall");
    add("accuracy".to_owned(), "/accuracy");
    let queries = [a, b].map(|of| fields::text(of, "/queries"));
    let table = output::table(&["GENERATION", &heading(a), &heading(b), "DIFFERENCE"], rows);
    format!("{table}\n\n{} and {} queries", queries[0], queries[1])
}

/// Every K that either was measured at, ascending.
fn ks(a: &Value, b: &Value, ranking: &str) -> Vec<u32> {
    let of = |result: &Value| -> Vec<u32> {
        let by_k = result["precision_at"][ranking].as_object();
        by_k.into_iter().flatten().filter_map(|(k, _)| k.parse().ok()).collect()
    };
    let mut ks = [of(a), of(b)].concat();
    ks.sort_unstable();
    ks.dedup();
    ks
}

fn parse_two(text: &str) -> Result<(i32, i32), String> {
    let two = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    two.ok_or_else(|| format!("\"{text}\" names no two generations, as 6,7 does"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_one_is_compared_with_the_newest_ready_one() {
        let generation = |id: i64, state: &str, activated: Option<&str>| json!({"id": id, "state": state, "activated_at": activated});
        let mut all = vec![
            generation(9, "building", None),
            generation(8, "ready", None),
            generation(7, "ready", None),
            generation(6, "active", Some("2026-01-03T00:00:00Z")),
            generation(5, "retired", Some("2026-01-01T00:00:00Z")),
            generation(4, "retired", Some("2026-01-02T00:00:00Z")),
        ];
        assert_eq!(two_of("gallery", &all).unwrap(), (6, 8));
        all.retain(|each| each["state"] != "ready");
        assert_eq!(two_of("gallery", &all).unwrap(), (6, 4));
        all.retain(|each| each["state"] != "retired");
        assert!(two_of("gallery", &all).is_err());
    }

    #[test]
    fn both_stand_side_by_side() {
        let result = |generation: i32, precision: f64| {
            json!({
                "generation": generation, "model": format!("scenes@{generation}"), "queries": 40, "routing_recall": 1.0,
                "precision_at": {"embedding": {"10": precision, "1": 0.5}, "probabilities": {"1": 0.25}},
                "map_by": {"embedding": 0.5}
            })
        };
        let told = page(&result(1, 0.5), &result(2, 0.75));
        let lines: Vec<_> = told.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "GENERATION            1 (scenes@1)  2 (scenes@2)  DIFFERENCE");
        assert_eq!(lines[2], "P@10 by embedding     50.00 %       75.00 %       +25.00");
        assert!(told.contains("mAP by probabilities"), "{told}");
        assert!(told.ends_with("40 and 40 queries"), "{told}");
    }

    #[test]
    fn two_generations_are_told_by_a_comma() {
        assert_eq!(parse_two("6, 7"), Ok((6, 7)));
        assert!(parse_two("6").is_err());
    }
}

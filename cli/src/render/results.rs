//! How jobs ended, for people: one summary per kind.

use serde_json::{Value, json};

use super::fields::{duration, percent, text};
use super::report::report;
use super::{Column, Format, table};

/// How a job ended: its result, or why it has none.
pub fn summary(job: &Value) -> String {
    let result = &job["result"];
    if job["state"] != "succeeded" || result.is_null() {
        return ending(job);
    }
    match job["kind"].as_str() {
        Some("train") => train(result),
        Some("index") if result["dry_run"] == true => dry_run(result),
        Some("rebuild") if result["state"] == "ready" => format!("{}\n{}", index(result), waiting(result)),
        Some("index" | "rebuild") => index(result),
        Some("search") => search(result),
        Some("evaluate") => evaluate(result),
        Some("validate") => report(result),
        _ => serde_json::to_string_pretty(result).expect("a JSON value"),
    }
}

/// One sentence on how a job ended.
pub fn ending(job: &Value) -> String {
    let (kind, id, state) = (text(job, "/kind"), text(job, "/id"), text(job, "/state"));
    let reason = job.pointer("/error/detail").or_else(|| job.get("state_reason")).and_then(Value::as_str);
    match reason {
        Some(reason) => format!("{kind} job {id} {state}: {reason}"),
        None => format!("{kind} job {id} {state}"),
    }
}

fn train(result: &Value) -> String {
    let rows: &[Column] = &[
        ("model", "/model", Format::Text),
        ("validation accuracy", "/validation_accuracy", Format::Percent),
        ("training accuracy", "/train_accuracy", Format::Percent),
        ("epochs", "/epochs", Format::Text),
        ("best epoch", "/best_epoch", Format::Text),
        ("device", "/device", Format::Text),
    ];
    let mut told = super::card(result, rows);
    told += &format!(
        "\nspeed                {:.0} pictures/s over {}",
        result["images_per_second"].as_f64().unwrap_or(0.0),
        duration(result["seconds"].as_f64().unwrap_or(0.0))
    );
    told + "\n" + &precision(result)
}

fn index(result: &Value) -> String {
    let counts = ["added", "updated", "unchanged", "removed", "failed"];
    let counts: Vec<_> =
        counts.iter().map(|name| format!("{} {name}", text(result, &format!("/{name}")))).collect();
    format!(
        "index {}, generation {}: {}\n{:.0} pictures/s over {}",
        text(result, "/index"),
        text(result, "/generation"),
        counts.join(", "),
        result["images_per_second"].as_f64().unwrap_or(0.0),
        duration(result["seconds"].as_f64().unwrap_or(0.0))
    )
}

/// What to do with a generation that was not activated.
fn waiting(result: &Value) -> String {
    let (index, generation) = (text(result, "/index"), text(result, "/generation"));
    format!("it waits beside the active one: lookalike indexes activate {index} {generation}")
}

/// What an index job would do: the counts, and some pictures of each kind.
fn dry_run(result: &Value) -> String {
    let count = |name: &str| text(result, &format!("/{name}"));
    let mut told = format!(
        "dry run of index {}, generation {}: {} to add, {} to update, {} to remove, {} unchanged; nothing was written",
        count("index"),
        count("generation"),
        count("added"),
        count("updated"),
        count("removed"),
        count("unchanged")
    );
    for (name, heading) in [("added", "to add"), ("updated", "to update"), ("removed", "to remove")] {
        let examples = result["examples"][name].as_array().map_or(&[][..], Vec::as_slice);
        if examples.is_empty() {
            continue;
        }
        told += &format!("\n\n{heading}");
        for uri in examples {
            told += &format!("\n  {}", text(uri, ""));
        }
        let more = result[name].as_u64().unwrap_or(0).saturating_sub(examples.len() as u64);
        if more > 0 {
            told += &format!("\n  and {more} more");
        }
    }
    told
}

fn evaluate(result: &Value) -> String {
    let number = |name: &str| result[name].as_f64().map_or("-".to_owned(), percent);
    let measured = result["generation"].as_i64().map_or(String::new(), |generation| {
        format!("generation {generation} by {}: ", text(result, "/model"))
    });
    format!(
        "{}{} queries, mean average precision {}, {} of the hits of an exhaustive search kept by routing\n{}",
        measured,
        text(result, "/queries"),
        number("map"),
        number("routing_recall"),
        precision(result)
    ) + &settings(result)
}

/// What each number of partitions looked into keeps, by embedding.
fn settings(result: &Value) -> String {
    let Some(settings) = result["settings"].as_array() else { return String::new() };
    let columns: &[Column] = &[
        ("PROBES", "/probes", Format::Text),
        ("PARTITIONS", "/partitions", Format::Text),
        ("KEPT", "/routing_recall/embedding", Format::Percent),
        ("MAP", "/map_by/embedding", Format::Percent),
        ("PRECISION", "/precision", Format::Text),
    ];
    let rows: Vec<Value> = settings
        .iter()
        .map(|setting| {
            let mut row = setting.clone();
            row["partitions"] = json!(format!("{:.2}", setting["partitions_probed"].as_f64().unwrap_or(0.0)));
            row["precision"] = json!(at_each_k(&setting["precision_at"]["embedding"]));
            row
        })
        .collect();
    format!("\n\n{}", table(&rows, columns, ""))
}

/// Precision at k, a row per ranking.
fn precision(result: &Value) -> String {
    let Some(rankings) = result["precision_at"].as_object() else { return String::new() };
    let line = |(ranking, by_k): (&String, &Value)| format!("by {ranking:13} {}", at_each_k(by_k));
    rankings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn at_each_k(by_k: &Value) -> String {
    let mut columns: Vec<_> = by_k.as_object().into_iter().flatten().collect();
    columns.sort_by_key(|(k, _)| k.parse::<u32>().unwrap_or(u32::MAX));
    let cells = columns.iter().map(|(k, share)| format!("P@{k} {}", percent(share.as_f64().unwrap_or(0.0))));
    cells.collect::<Vec<_>>().join("  ")
}

fn search(result: &Value) -> String {
    let columns: &[Column] = &[
        ("RANK", "/rank", Format::Text),
        ("SIMILARITY", "/similarity", Format::Percent),
        ("CLASS", "/class", Format::Text),
        ("PICTURE", "/uri", Format::Text),
    ];
    let hits = result["hits"].as_array().map_or(&[][..], Vec::as_slice);
    let classes: Vec<_> =
        result.pointer("/query/classes").and_then(Value::as_array).into_iter().flatten().collect();
    let classes = classes.iter().take(3).map(|class| {
        format!("{} {}", text(class, "/class"), class["probability"].as_f64().map_or(String::new(), percent))
    });
    format!(
        "{}\n\nlooks like {}; scanned {} of {} entries in {} of {} partitions; {} ms",
        table(hits, columns, "nothing similar was found"),
        classes.collect::<Vec<_>>().join(", "),
        text(result, "/scanned/entries"),
        text(result, "/scanned/of_entries"),
        text(result, "/scanned/partitions"),
        text(result, "/scanned/of_partitions"),
        result
            .pointer("/timings_ms/total")
            .and_then(Value::as_f64)
            .map_or("-".to_owned(), |ms| format!("{ms:.1}")),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(kind: &str, result: Value) -> String {
        summary(&json!({"id": "1", "kind": kind, "state": "succeeded", "result": result}))
    }

    #[test]
    fn hits_are_a_table() {
        let text = done(
            "search",
            json!({
                "query": {"classes": [{"class": "teapot", "probability": 0.93}]},
                "hits": [{"rank": 1, "uri": "photos/t1.jpg", "class": "teapot", "similarity": 0.826}],
                "scanned": {"partitions": 1, "of_partitions": 20, "entries": 512, "of_entries": 10000},
                "timings_ms": {"total": 10.44}
            }),
        );
        assert_eq!(
            text,
            "RANK  SIMILARITY  CLASS   PICTURE\n1     82.60 %     teapot  photos/t1.jpg\n\n\
             looks like teapot 93.00 %; scanned 512 of 10000 entries in 1 of 20 partitions; 10.4 ms"
        );
    }

    #[test]
    fn precision_is_ordered_by_k() {
        let result = json!({"precision_at": {"embedding": {"10": 0.8, "1": 0.86, "5": 0.85}}});
        assert_eq!(precision(&result), "by embedding     P@1 86.00 %  P@5 85.00 %  P@10 80.00 %");
    }

    #[test]
    fn a_training_names_its_model() {
        let text = done(
            "train",
            json!({"model": "scenes@1", "validation_accuracy": 0.8844, "images_per_second": 99.6, "seconds": 61,
                   "precision_at": {"embedding": {"1": 0.86}}}),
        );
        assert!(text.starts_with("model                scenes@1\nvalidation accuracy  88.44 %\n"), "{text}");
        assert!(text.contains("100 pictures/s over 1m 1s\nby embedding"), "{text}");
    }

    #[test]
    fn a_dry_run_tells_what_would_change() {
        let text = done(
            "index",
            json!({"dry_run": true, "index": "gallery", "generation": 3, "added": 102, "updated": 0, "unchanged": 7,
                   "removed": 1, "failed": 0, "seconds": 0.2,
                   "examples": {"added": ["photos/a.jpg", "photos/b.jpg"], "updated": [], "removed": ["photos/old.jpg"]}}),
        );
        assert_eq!(
            text,
            "dry run of index gallery, generation 3: 102 to add, 0 to update, 1 to remove, 7 unchanged; nothing was \
             written\n\nto add\n  photos/a.jpg\n  photos/b.jpg\n  and 100 more\n\nto remove\n  photos/old.jpg"
        );
    }

    #[test]
    fn a_cancelled_job_has_no_summary_but_its_ending() {
        let job = json!({"id": "1", "kind": "index", "state": "cancelled", "state_reason": "asked for", "result": null});
        assert_eq!(summary(&job), "index job 1 cancelled: asked for");
    }
}

//! Two versions side by side, for people.

use lookalike_shared::domain::name::ModelRef;
use serde_json::Value;

use crate::client::Client;
use crate::error::CliError;
use crate::output;
use crate::render::fields::text;

/// Asks for the comparison and prints it.
///
/// # Errors
/// [`CliError`].
pub async fn run(client: &Client, a: &ModelRef, b: &ModelRef, json: bool) -> Result<(), CliError> {
    let path = format!("/v1/models/{}/compare", a.name);
    let query = [("a", parameter(a, a)), ("b", parameter(a, b))];
    let comparison = client.get(&path, &query).await?;
    if json { output::json(&comparison) } else { output::line(page(&comparison)) }
}

/// How the path of `of` names a version; only a pinned one of another model can be named.
fn parameter(of: &ModelRef, model: &ModelRef) -> String {
    match model.version {
        None if of.name == model.name => "default".to_owned(),
        _ => model.to_string(),
    }
}

/// The whole comparison as text.
fn page(comparison: &Value) -> String {
    let (a, b) = (text(comparison, "/a/reference"), text(comparison, "/b/reference"));
    let mut parts = vec![figures(comparison, "/metrics", "FIGURE", "name", &a, &b)];
    if comparison["same_dataset"] == false {
        parts.push(
            "They were trained on different pictures, so the figures may not be comparable.".to_owned(),
        );
    }
    for (heading, pointer) in [("RECIPE", "/recipe"), ("DATASET", "/dataset")] {
        parts.push(fields(comparison, pointer, heading, &a, &b));
    }
    parts.push(per_class(comparison, &a, &b));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn rows<'a>(comparison: &'a Value, pointer: &str) -> &'a [Value] {
    comparison.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |number| format!("{number:.4}"))
}

fn signed(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |number| format!("{number:+.4}"))
}

fn figures(comparison: &Value, pointer: &str, heading: &str, name: &str, a: &str, b: &str) -> String {
    let cells = |row: &Value| {
        vec![text(row, &format!("/{name}")), number(&row["a"]), number(&row["b"]), signed(&row["difference"])]
    };
    let rows: Vec<_> = rows(comparison, pointer).iter().map(cells).collect();
    if rows.is_empty() { String::new() } else { output::table(&[heading, a, b, "DIFFERENCE"], rows) }
}

fn fields(comparison: &Value, pointer: &str, heading: &str, a: &str, b: &str) -> String {
    let cells = |row: &Value| vec![text(row, "/field"), text(row, "/a"), text(row, "/b")];
    let rows: Vec<_> = rows(comparison, pointer).iter().map(cells).collect();
    if rows.is_empty() { String::new() } else { output::table(&[heading, a, b], rows) }
}

/// Recall of each class; without it, why there is none.
fn per_class(comparison: &Value, a: &str, b: &str) -> String {
    if comparison.pointer("/classes/same") == Some(&Value::Bool(false)) {
        return "Their classes differ, so they are not compared class by class.".to_owned();
    }
    let cells = |row: &Value| {
        let recall = &row["recall"];
        vec![text(row, "/class"), number(&recall["a"]), number(&recall["b"]), signed(&recall["difference"])]
    };
    let rows: Vec<_> = rows(comparison, "/per_class").iter().map(cells).collect();
    if rows.is_empty() { String::new() } else { output::table(&["RECALL", a, b, "DIFFERENCE"], rows) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_comparison_is_tables_of_what_differs() {
        let comparison = json!({
            "a": {"reference": "m@1"}, "b": {"reference": "m@2"}, "same_dataset": false,
            "metrics": [{"name": "validation_accuracy", "a": 0.5, "b": 0.75, "difference": 0.25}],
            "recipe": [{"field": "epochs", "a": 1, "b": null}], "dataset": [],
            "classes": {"same": true},
            "per_class": [{"class": "bowl", "recall": {"a": 1.0, "b": 0.5, "difference": -0.5}}],
        });
        let text = page(&comparison);
        assert!(text.contains("validation_accuracy  0.5000  0.7500  +0.2500"), "{text}");
        assert!(text.contains("RECIPE  m@1  m@2\nepochs  1    -"), "{text}");
        assert!(text.contains("bowl    1.0000  0.5000  -0.5000"), "{text}");
        assert!(text.contains("different pictures") && !text.contains("DATASET"), "{text}");
    }
}

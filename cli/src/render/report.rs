//! The report on labelled pictures, for people.

use serde_json::Value;

use super::fields::text;
use super::{Column, Format, card, table};

const COUNTS: &[Column] = &[
    ("classes", "/classes", Format::Count),
    ("files", "/files", Format::Text),
    ("readable", "/readable", Format::Text),
    ("unreadable", "/unreadable", Format::Text),
    ("reasons", "/unreadable_by_code", Format::Text),
    ("validation files", "/validation/files", Format::Text),
    ("readable of them", "/validation/readable", Format::Text),
    ("exact duplicates", "/exact_duplicates", Format::Text),
    ("in several classes", "/duplicates/across_classes/files", Format::Text),
    ("in both sets", "/duplicates/train_validation/files", Format::Text),
    ("short side, pixels", "/sizes/short_side", Format::Text),
    ("suggested size", "/suggested_image_size", Format::Text),
    ("because", "/suggested_because", Format::Text),
];

const CLASSES: &[Column] = &[
    ("CLASS", "/class", Format::Text),
    ("FILES", "/files", Format::Text),
    ("READABLE", "/readable", Format::Text),
    ("UNREADABLE", "/unreadable", Format::Text),
];

/// Counts, a row per class, and last what is wrong.
pub fn report(result: &Value) -> String {
    let classes = list(result, "classes");
    let mut parts = vec![card(result, COUNTS), table(classes, CLASSES, "there are no classes")];
    let warnings = list(result, "warnings");
    if !warnings.is_empty() {
        parts.push(sentences("Worth a look before training:", warnings));
    }
    parts.push(match list(result, "problems") {
        [] => "A training would start.".to_owned(),
        problems => sentences("A training would not start:", problems),
    });
    parts.join("\n\n")
}

fn list<'a>(result: &'a Value, field: &str) -> &'a [Value] {
    result[field].as_array().map_or(&[], Vec::as_slice)
}

fn sentences(heading: &str, found: &[Value]) -> String {
    let lines = found.iter().map(|sentence| format!("\n  - {}", text(sentence, "")));
    heading.to_owned() + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_tells_counts_classes_and_what_is_wrong() {
        let told = report(&json!({
            "files": 5, "readable": 4, "unreadable": 1, "unreadable_by_code": {"truncated": 1},
            "classes": [{"class": "bowl", "files": 3, "readable": 2, "unreadable": 1},
                        {"class": "teapot", "files": 2, "readable": 2, "unreadable": 0}],
            "validation": null, "exact_duplicates": 1, "suggested_image_size": 96,
            "problems": ["class \"bowl\" has 2 readable pictures"], "warnings": ["1 file cannot be read"],
        }));
        for part in [
            "classes             2\n",
            "reasons             truncated=1\n",
            "suggested size      96\n",
            "CLASS   FILES  READABLE  UNREADABLE\nbowl    3      2         1\n",
            "Worth a look before training:\n  - 1 file cannot be read\n",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
        assert!(told.ends_with("A training would not start:\n  - class \"bowl\" has 2 readable pictures"));
        assert!(!told.contains("validation files"), "{told}");
        assert!(report(&json!({"classes": []})).ends_with("A training would start."));
    }
}

//! Two versions of models side by side, as they travel.

use std::collections::BTreeMap;

use lookalike_shared::db::models::Model;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::model::ModelVersionView;

/// Two versions, and where they differ.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Comparison {
    /// The one.
    pub a: ModelVersionView,
    /// The other.
    pub b: ModelVersionView,
    /// Figures that either has, the headline ones first.
    pub metrics: Vec<MetricDifference>,
    /// Their classes.
    pub classes: ClassesDifference,
    /// Figures of each class; null when the classes differ or were not measured of both.
    pub per_class: Option<Vec<ClassDifference>>,
    /// Settings of the training that differ.
    pub recipe: Vec<FieldDifference>,
    /// What differs of the datasets.
    pub dataset: Vec<FieldDifference>,
    /// Whether both were trained on the same dataset, where both tell its fingerprint.
    pub same_dataset: Option<bool>,
}

/// A figure of both.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MetricDifference {
    /// Where it is in `card.metrics`.
    #[schema(example = "precision_at.embedding.10")]
    pub name: String,
    /// Of the one.
    pub a: Option<f64>,
    /// Of the other.
    pub b: Option<f64>,
    /// b - a; null unless both have it.
    pub difference: Option<f64>,
    /// Whether more of it is better; null when it is neither better nor worse.
    pub higher_is_better: Option<bool>,
}

/// The classes of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClassesDifference {
    /// Whether both have the same ones.
    pub same: bool,
    /// Classes that only the one has.
    pub only_a: Vec<String>,
    /// Classes that only the other has.
    pub only_b: Vec<String>,
}

/// Figures of a class.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClassDifference {
    /// The class.
    pub class: String,
    /// Share of its pictures that are recognised as it.
    pub recall: Change,
    /// Share of what is taken for it that is it.
    pub precision: Change,
    /// Share of the class among the first ten found with its pictures, ranked by embedding.
    pub precision_at_10: Change,
}

/// A figure of both, and b - a.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// Of the one.
    pub a: Option<f64>,
    /// Of the other.
    pub b: Option<f64>,
    /// b - a; null unless both have it.
    pub difference: Option<f64>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FieldDifference {
    /// Its path.
    #[schema(example = "augment.mixup")]
    pub field: String,
    /// Of the one; null when it has none.
    #[schema(value_type = Option<Object>)]
    pub a: Value,
    /// Of the other; null when it has none.
    #[schema(value_type = Option<Object>)]
    pub b: Value,
}

/// The figures that are compared, and whether more is better.
const METRICS: [(&str, Option<bool>); 16] = [
    ("validation_accuracy", Some(true)),
    ("validation_loss", Some(false)),
    ("precision_at.embedding.1", Some(true)),
    ("precision_at.embedding.5", Some(true)),
    ("precision_at.embedding.10", Some(true)),
    ("map.embedding", Some(true)),
    ("precision_at.probabilities.1", Some(true)),
    ("precision_at.probabilities.5", Some(true)),
    ("precision_at.probabilities.10", Some(true)),
    ("map.probabilities", Some(true)),
    ("calibration.ece_after", Some(false)),
    ("train_accuracy", Some(true)),
    ("train_loss", Some(false)),
    ("images_per_second", Some(true)),
    ("epochs", None),
    ("seconds", None),
];

impl Comparison {
    /// Compares two models by their cards.
    pub fn of(a: Model, b: Model) -> Self {
        let classes = ClassesDifference::of(&a.classes, &b.classes);
        let fingerprint = |model: &Model| text(&model.card, "/dataset/fingerprint");
        let same_dataset = fingerprint(&a).zip(fingerprint(&b)).map(|(a, b)| a == b);
        Self {
            metrics: METRICS.iter().filter_map(|(name, better)| metric(&a, &b, name, *better)).collect(),
            per_class: if classes.same { per_class(&a, &b) } else { None },
            classes,
            recipe: differences(&recipe(&a), &recipe(&b)),
            dataset: differences(&flat(&a.card["dataset"]), &flat(&b.card["dataset"])),
            same_dataset,
            a: a.into(),
            b: b.into(),
        }
    }
}

impl ClassesDifference {
    fn of(a: &[String], b: &[String]) -> Self {
        let without = |these: &[String], those: &[String]| {
            these.iter().filter(|class| !those.contains(class)).cloned().collect::<Vec<_>>()
        };
        let (only_a, only_b) = (without(a, b), without(b, a));
        Self { same: only_a.is_empty() && only_b.is_empty(), only_a, only_b }
    }
}

impl Change {
    fn of(a: Option<f64>, b: Option<f64>) -> Self {
        Self { a, b, difference: a.zip(b).map(|(a, b)| b - a) }
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    Some(value.pointer(pointer)?.as_str()?.to_owned())
}

/// A figure at a path with dots; none when neither model has it.
fn metric(a: &Model, b: &Model, name: &str, higher_is_better: Option<bool>) -> Option<MetricDifference> {
    let pointer = format!("/metrics/{}", name.replace('.', "/"));
    let figure = |model: &Model| model.card.pointer(&pointer).and_then(Value::as_f64);
    let Change { a, b, difference } = Change::of(figure(a), figure(b));
    (a.is_some() || b.is_some()).then(|| MetricDifference {
        name: name.to_owned(),
        a,
        b,
        difference,
        higher_is_better,
    })
}

/// The figures of each class in the order of the one's; none when they were not measured of both.
fn per_class(a: &Model, b: &Model) -> Option<Vec<ClassDifference>> {
    let (of_a, of_b) = (by_class(a)?, by_class(b)?);
    let change = |class: &str, pointer: &str| {
        let figure = |rows: &BTreeMap<&str, &Value>| rows.get(class)?.pointer(pointer)?.as_f64();
        Change::of(figure(&of_a), figure(&of_b))
    };
    let row = |class: &String| ClassDifference {
        class: class.clone(),
        recall: change(class, "/recall"),
        precision: change(class, "/precision"),
        precision_at_10: change(class, "/precision_at/embedding/10"),
    };
    Some(a.classes.iter().map(row).collect())
}

/// Rows of classes by name; a card has them by number.
fn by_class(model: &Model) -> Option<BTreeMap<&str, &Value>> {
    let rows = model.card.pointer("/metrics/per_class")?.as_array()?;
    let named = rows.iter().filter_map(|row| {
        let class = usize::try_from(row["class"].as_u64()?).ok()?;
        Some((model.classes.get(class)?.as_str(), row))
    });
    Some(named.collect())
}

/// How a model came to be, field by field.
fn recipe(model: &Model) -> BTreeMap<String, Value> {
    let mut fields = flat(&model.card["recipe"]);
    fields.insert("backbone".to_owned(), json!(model.backbone));
    fields.insert("image_size".to_owned(), json!(model.image_size));
    fields.insert("embedding_dim".to_owned(), json!(model.embedding_dim));
    fields.insert("pretrained".to_owned(), model.card["pretrained"].clone());
    fields
}

/// The fields of an object by their paths; lists are fields as a whole.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn add(fields: &mut BTreeMap<String, Value>, path: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    add(fields, &path, value);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                fields.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut fields = BTreeMap::new();
    add(&mut fields, "", value);
    fields
}

fn differences(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<FieldDifference> {
    let mut fields: Vec<&String> = a.keys().chain(b.keys().filter(|field| !a.contains_key(*field))).collect();
    fields.sort_unstable();
    let value = |fields: &BTreeMap<String, Value>, field| fields.get(field).cloned().unwrap_or_default();
    let differing = fields.into_iter().map(|field| FieldDifference {
        field: field.clone(),
        a: value(a, field),
        b: value(b, field),
    });
    differing.filter(|difference| difference.a != difference.b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_differ_are_told_and_lists_are_one_field() {
        let a = flat(&json!({"rate": 0.1, "augment": {"crop": true, "mixup": 0}, "steps": [1, 2]}));
        let b = flat(&json!({"rate": 0.1, "augment": {"crop": false}, "steps": [1], "ema": null}));
        let told: Vec<_> = differences(&a, &b).into_iter().map(|d| (d.field, d.a, d.b)).collect();
        let expected = [
            ("augment.crop".to_owned(), json!(true), json!(false)),
            ("augment.mixup".to_owned(), json!(0), Value::Null),
            ("steps".to_owned(), json!([1, 2]), json!([1])),
        ];
        assert_eq!(told, expected);
    }
}

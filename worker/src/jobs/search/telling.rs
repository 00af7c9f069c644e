//! What is told of a search that was answered.

use lookalike_shared::domain::search::{calibrated, similarity};
use serde_json::{Value, json};

use super::question::Question;
use crate::matching::Found;

/// How many classes of the query are told.
const CLASSES_TOLD: usize = 5;

/// The result of a search.
pub fn answer(question: &Question, found: &Found) -> Value {
    let Question { search, generation, model, vector, timings, .. } = question;
    let probabilities = calibrated(&vector.probabilities, model.temperature());
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let classes: Vec<_> = classes
        .into_iter()
        .take(CLASSES_TOLD)
        .map(|class| json!({ "class": model.class_name(class), "probability": probabilities[class] }))
        .collect();
    let hits: Vec<_> = found
        .hits
        .iter()
        .enumerate()
        .map(|(position, found)| {
            let (hit, distance) = (&found.hit, found.distance);
            json!({
                "rank": position + 1,
                "entry_id": hit.entry_id,
                "uri": hit.uri,
                "class": model.class_name(usize::try_from(hit.class_id).unwrap_or(usize::MAX)),
                "probability": hit.probability,
                "distance": distance,
                "similarity": similarity(distance),
                "width": hit.width,
                "height": hit.height,
                "thumbnail": format!("/v1/indexes/{}/entries/{}/thumbnail", search.index, hit.entry_id),
                "metadata": hit.metadata,
            })
        })
        .collect();
    json!({
        "query": { "classes": classes },
        "model": model.row.reference(),
        "generation": generation,
        "hits": hits,
        "scanned": {
            "partitions": found.partitions,
            "of_partitions": found.of_partitions,
            "entries": found.entries,
            "of_entries": found.of_entries,
            "engine": found.engine(),
            "exact": found.approximate == 0,
        },
        "timings_ms": {
            "queued": round(timings.queued),
            "decode": round(timings.decode),
            "forward": round(timings.forward),
            "match": round(timings.matching),
            "total": round(timings.queued + timings.decode + timings.forward + timings.matching),
        },
    })
}

/// Milliseconds to a hundredth.
fn round(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

//! The whole system over HTTP: what a user does with it, and what it does when parts of it are killed.
//!
//! Every test starts the programs of `make build` on an empty data folder with drawn pictures. Models are
//! tiny and pictures few, so that a test takes seconds; what is checked does not depend on how much they learn.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod buckets;
mod datasets;
mod exactness;
mod faults;
mod generations;
mod interruptions;
mod queries;
mod story;
mod streams;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lookalike_shared::storage::Source;
use lookalike_tests::{Client, Job, Options, Samples, Stack};
use serde_json::{Value, json};

/// Classes that are drawn.
const CLASSES: u32 = 10;

/// A system whose source `photos` holds `samples`.
async fn stack_on(samples: &Samples) -> Stack {
    Stack::start(Options::default().source("photos", samples.path())).await.unwrap()
}

/// Puts a file into a bucket.
async fn put(bucket: &Source, key: &str, file: &Path) {
    bucket.put(key, std::fs::read(file).unwrap().into()).await.unwrap();
}

/// Puts all pictures of the gallery into a bucket and gives their keys.
async fn upload_gallery(bucket: &Source, samples: &Samples) -> Vec<String> {
    let mut keys = Vec::new();
    for path in samples.pictures("gallery").unwrap() {
        let key = path.strip_prefix(samples.path()).unwrap().to_str().unwrap().to_owned();
        put(bucket, &key, &path).await;
        keys.push(key);
    }
    keys
}

/// A training that gives the same numbers whenever it is run: one seed, single precision.
fn training(model: &str, epochs: u32) -> Value {
    json!({
        "model": model, "dataset": {"source": "photos", "prefix": "train/"}, "backbone": "squeezenet1_1",
        "image_size": 64, "epochs": epochs, "batch_size": 32, "min_images_per_class": 4, "precision": "f32", "seed": 7
    })
}

fn indexing(index: &str, model: &str) -> Value {
    json!({"index": index, "model": model, "source": "photos", "prefix": "gallery/", "mode": "add"})
}

/// What of an epoch depends on the machine and on how busy it is.
const TIMES: [&str; 8] = [
    "seconds",
    "preparing_seconds",
    "elapsed_seconds",
    "eta_seconds",
    "images_per_second",
    "loader_wait_share",
    "utilisation_percent",
    "memory_used_bytes",
];

/// What a training measured: everything of its epochs but how long they took.
async fn learning_curve(client: &Client, job: &Job) -> Vec<Value> {
    let page = client.get(&format!("/v1/jobs/{}/metrics?limit=1000", job.id())).await.unwrap();
    let mut rows = page["items"].as_array().unwrap().clone();
    for row in &mut rows {
        let fields = row.as_object_mut().unwrap();
        fields.retain(|name, _| !TIMES.contains(&name.as_str()));
    }
    rows
}

/// The number of entries of an index, counted in three places that must agree.
async fn entries(client: &Client, index: &str) -> u64 {
    let detail = client.get(&format!("/v1/indexes/{index}")).await.unwrap();
    let partitions = detail["partitions"].as_array().unwrap();
    let rows: u64 = partitions.iter().map(|partition| partition["rows"].as_u64().unwrap()).sum();
    let mut listed = std::collections::BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/indexes/{index}/entries?limit=1000{cursor}")).await.unwrap();
        listed.extend(
            page["items"].as_array().unwrap().iter().map(|entry| entry["uri"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((detail["entries"].as_u64(), listed.len() as u64), (Some(rows), rows));
    rows
}

/// Everything that an index shows of its entries by uri, but what is of the run: ids and times.
async fn shown_entries(client: &Client, index: &str) -> BTreeMap<String, Value> {
    const OF_THE_RUN: [&str; 4] = ["entry_id", "indexed_at", "thumbnail", "image"];
    let mut all = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/indexes/{index}/entries?limit=1000{cursor}")).await.unwrap();
        for entry in page["items"].as_array().unwrap() {
            let mut shown = entry.clone();
            shown.as_object_mut().unwrap().retain(|name, _| !OF_THE_RUN.contains(&name.as_str()));
            assert!(all.insert(entry["uri"].as_str().unwrap().to_owned(), shown).is_none(), "{entry}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// What of a job failed, with the reasons' codes.
async fn failed_items(client: &Client, job: &Job) -> BTreeMap<String, String> {
    let page = client.get(&format!("/v1/jobs/{}/items?limit=1000", job.id())).await.unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["uri"].as_str().unwrap().to_owned(), item["code"].as_str().unwrap().to_owned()))
        .collect()
}

/// How many objects an index job listed, added, updated, found unchanged, removed, and failed to read.
fn counts(job: &Job) -> [u64; 6] {
    let count = |name: &str| job.result()[name].as_u64().unwrap();
    ["listed", "added", "updated", "unchanged", "removed", "failed"].map(count)
}

/// Waits until a training has stored at least `epochs` rows.
async fn wait_for_epochs(client: &Client, job: &Job, epochs: usize) {
    lookalike_shared::testing::wait_until("some epochs", Duration::from_secs(180), || async {
        let page = client.get(&format!("/v1/jobs/{}/metrics", job.id())).await.ok()?;
        (page["items"].as_array()?.len() >= epochs).then_some(())
    })
    .await;
}

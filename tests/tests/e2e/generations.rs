//! An index is rebuilt with another model while it is searched all the time: no search fails and none is wrong, before,
//! during and after the swap. Then both generations are measured, swapped back, and one is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lookalike_tests::{Client, Samples};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{CLASSES, entries, indexing, stack_on, training};

/// Searches under way at a time, besides the rebuild.
const SEARCHERS: usize = 3;

/// The pictures of the gallery, each with its uri.
fn gallery_of(samples: &Samples) -> Vec<(PathBuf, String)> {
    let pictures = samples.pictures("gallery").unwrap();
    let uri = |path: &PathBuf| format!("photos/{}", path.strip_prefix(samples.path()).unwrap().display());
    pictures.into_iter().map(|path| (path.clone(), uri(&path))).collect()
}

/// What a search answered, and when it was asked for.
struct Searched {
    asked: Instant,
    took: Duration,
    generation: i64,
}

/// Searches for gallery pictures, one after the other, until it is told to stop. Each must find itself first.
async fn search_on(
    client: Client,
    pictures: Arc<Vec<(PathBuf, String)>>,
    from: usize,
    stop: Arc<AtomicBool>,
) -> Vec<Searched> {
    let mut done = Vec::new();
    for number in (from..).step_by(SEARCHERS) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (path, uri) = &pictures[number % pictures.len()];
        let asked = Instant::now();
        // A job that fails, or is refused, is an error here.
        let found = client.run("search", &Client::search_request("gallery", path, 3).unwrap()).await.unwrap();
        let result = found.result();
        let nearest = &result["hits"][0];
        assert_eq!(nearest["uri"].as_str(), Some(uri.as_str()), "{result}");
        assert!(nearest["distance"].as_f64().unwrap() < 1e-2, "{result}");
        assert_eq!(result["scanned"]["of_entries"].as_u64(), Some(pictures.len() as u64), "{result}");
        let generation = result["generation"].as_i64().unwrap();
        done.push(Searched { asked, took: asked.elapsed(), generation });
    }
    done
}

/// Starts as many searchers as may run beside the rebuild.
fn searchers(
    client: &Client,
    pictures: &Arc<Vec<(PathBuf, String)>>,
    stop: &Arc<AtomicBool>,
) -> JoinSet<Vec<Searched>> {
    let mut running = JoinSet::new();
    for from in 0..SEARCHERS {
        running.spawn(search_on(client.clone(), pictures.clone(), from, stop.clone()));
    }
    running
}

async fn stop_all(running: JoinSet<Vec<Searched>>, stop: &AtomicBool) -> Vec<Searched> {
    stop.store(true, Ordering::Relaxed);
    running.join_all().await.into_iter().flatten().collect()
}

async fn states(client: &Client) -> Vec<(i64, String)> {
    let page = client.get("/v1/indexes/gallery/generations").await.unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items.map(|each| (each["id"].as_i64().unwrap(), each["state"].as_str().unwrap().to_owned())).collect()
}

/// Two models of embeddings of different lengths, the index `gallery` made with the first; gives its generation.
async fn two_models_and_an_index(client: &Client) -> i64 {
    // Not of another network: after one epoch from random weights one with batch normalisation tells no pictures apart.
    let mut short = training("short", 1);
    short["embedding_dim"] = json!(64);
    client.run("train", &short).await.unwrap();
    client.run("train", &training("long", 1)).await.unwrap();
    let length = async |model: &str| {
        let card = client.get(&format!("/v1/models/{model}/1")).await.unwrap();
        card["embedding_dim"].as_i64().unwrap()
    };
    assert_ne!(length("short").await, length("long").await);
    let indexed = client.run("index", &indexing("gallery", "short")).await.unwrap();
    indexed.result()["generation"].as_i64().unwrap()
}

async fn evaluate(client: &Client, generation: i64) -> Value {
    let request = json!({
        "index": "gallery", "source": "photos", "prefix": "queries/", "k": [1, 5], "generation": generation
    });
    client.run("evaluate", &request).await.unwrap().result().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_constant_search_load_neither_fails_nor_misleads_a_search() {
    let samples = Samples::draw(6, 12, 1).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let first = two_models_and_an_index(&client).await;
    let pictures = Arc::new(gallery_of(&samples));
    let stop = Arc::new(AtomicBool::new(false));

    // Nothing of what retires is kept: every swap also drops tables that searches may just be about to read.
    let keep_none =
        client.request(Method::PATCH, "/v1/indexes/gallery").json(&json!({"keep_generations": 0}));
    assert_eq!(client.send(keep_none).await.unwrap().0, StatusCode::OK);
    let running = searchers(&client, &pictures, &stop);
    let mut newest = first;
    for model in ["long", "short", "long"] {
        let rebuilt = client.run("rebuild", &json!({"index": "gallery", "model": model})).await.unwrap();
        let result = rebuilt.result();
        let generation = result["generation"].as_i64().unwrap();
        assert!(generation > newest, "{result}");
        newest = generation;
        assert_eq!((&result["state"], &result["added"]), (&json!("active"), &json!(12 * CLASSES)));
        let swap_ms = result["swap_ms"].as_f64().unwrap();
        tell_swap(model, swap_ms);
        assert!(swap_ms < 1_000.0, "the swap took {swap_ms} ms");
    }
    let searched = stop_all(running, &stop).await;
    tell(&searched);
    let generations: std::collections::BTreeSet<i64> = searched.iter().map(|each| each.generation).collect();
    assert!(generations.len() > 1, "searches were answered by {generations:?} only");
    let request = Client::search_request("gallery", &pictures[0].0, 1).unwrap();
    assert_eq!(client.run("search", &request).await.unwrap().result()["generation"], json!(newest));
    lookalike_shared::testing::wait_until("old generations are dropped", Duration::from_secs(60), || async {
        (states(&client).await == [(newest, "active".to_owned())]).then_some(())
    })
    .await;
    assert_eq!(entries(&client, "gallery").await, u64::from(12 * CLASSES));
    assert!(stack.terminate().await.unwrap().success());
}

fn tell_swap(model: &str, swap_ms: f64) {
    eprintln!("swap to {model}: {swap_ms:.1} ms");
}

fn tell(searched: &[Searched]) {
    let mut took: Vec<f64> = searched.iter().map(|each| each.took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let span = searched.iter().map(|each| each.asked).max().zip(searched.iter().map(|each| each.asked).min());
    let seconds = span.map_or(0.0, |(last, first)| (last - first).as_secs_f64());
    let at = |share: f64| took.get(((took.len() - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    eprintln!(
        "{} searches in {seconds:.1} s, all right: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        took.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ready_generation_is_compared_activated_and_given_up_again() {
    let samples = Samples::draw(6, 4, 1).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let first = two_models_and_an_index(&client).await;
    let pictures = Arc::new(gallery_of(&samples));
    let stop = Arc::new(AtomicBool::new(false));
    let running = searchers(&client, &pictures, &stop);

    let request = json!({"index": "gallery", "model": "long", "activate": false});
    let rebuilt = client.run("rebuild", &request).await.unwrap();
    let second = rebuilt.result()["generation"].as_i64().unwrap();
    assert_eq!(rebuilt.result()["state"], json!("ready"));
    assert_eq!(states(&client).await, [(second, "ready".to_owned()), (first, "active".to_owned())]);
    assert_eq!(client.get("/v1/indexes/gallery").await.unwrap()["model"], json!("short@1"));

    // Both on the same pictures, each with its own model.
    for (generation, model) in [(first, "short@1"), (second, "long@1")] {
        let measured = evaluate(&client, generation).await;
        assert_eq!((&measured["generation"], &measured["model"]), (&json!(generation), &json!(model)));
        assert_eq!(measured["queries"], json!(CLASSES));
        let precision = measured["precision_at"]["embedding"]["5"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&precision), "{measured}");
    }
    let activate = async |generation: i64| {
        let body = json!({"generation": generation});
        let begun = Instant::now();
        let index = client.post("/v1/indexes/gallery/activate", &body).await.unwrap();
        assert_eq!(index["generation"], json!(generation));
        eprintln!(
            "activation, over HTTP and with the drop of what goes: {:.1} ms",
            begun.elapsed().as_secs_f64() * 1e3
        );
    };
    activate(second).await;
    activate(first).await;
    activate(second).await;
    let searched = stop_all(running, &stop).await;
    tell(&searched);

    let refused = client.request(Method::DELETE, &format!("/v1/indexes/gallery/generations/{second}"));
    assert_eq!(client.send(refused).await.unwrap().0, StatusCode::CONFLICT);
    let drop = client.request(Method::DELETE, &format!("/v1/indexes/gallery/generations/{first}"));
    assert_eq!(client.send(drop).await.unwrap().0, StatusCode::NO_CONTENT);
    lookalike_shared::testing::wait_until("the generation is dropped", Duration::from_secs(60), || async {
        (states(&client).await == [(second, "active".to_owned())]).then_some(())
    })
    .await;
    assert!(stack.terminate().await.unwrap().success());
}

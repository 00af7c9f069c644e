//! What a user does, from labelled pictures to look-alikes.

use std::time::{Duration, Instant};

use lookalike_tests::{Client, Samples};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{CLASSES, entries, indexing, learning_curve, stack_on, training, wait_for_epochs};

#[tokio::test]
async fn pictures_are_trained_on_indexed_searched_and_measured() {
    let samples = Samples::draw(12, 8, 1).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let trained = client.run("train", &training("scenes", 2)).await.unwrap();
    assert_eq!((&trained.result()["model"], &trained.result()["epochs"]), (&json!("scenes@1"), &json!(2)));
    assert_eq!(learning_curve(&client, &trained).await.len(), 2);
    let card = client.get("/v1/models/scenes/1").await.unwrap();
    assert_eq!(card["classes"].as_array().unwrap().len(), CLASSES as usize);

    let indexed = client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    assert_eq!((&indexed.result()["added"], &indexed.result()["failed"]), (&json!(8 * CLASSES), &json!(0)));
    assert_eq!(entries(&client, "gallery").await, u64::from(8 * CLASSES));
    expect_pictures_to_find_themselves(&client, &samples).await;

    let query = samples.pictures("queries").unwrap().remove(0);
    let found = client.run("search", &Client::search_request("gallery", &query, 5).unwrap()).await.unwrap();
    let distances: Vec<f64> =
        hits(found.result()).iter().map(|hit| hit["distance"].as_f64().unwrap()).collect();
    assert!(!distances.is_empty() && distances.is_sorted(), "{distances:?}");
    let measured = json!({"index": "gallery", "source": "photos", "prefix": "queries/", "k": [1, 5]});
    let measured = client.run("evaluate", &measured).await.unwrap();
    let precision = measured.result()["precision_at"]["embedding"]["1"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&precision));
    assert_eq!(measured.result()["queries"], json!(CLASSES));
    assert!(stack.terminate().await.unwrap().success());
}

fn hits(result: &Value) -> &[Value] {
    result["hits"].as_array().unwrap()
}

/// Every indexed picture is its own nearest neighbour, at distance 0, whichever classes are looked into.
async fn expect_pictures_to_find_themselves(client: &Client, samples: &Samples) {
    for picture in samples.pictures("gallery").unwrap().iter().step_by(13) {
        let uri = format!("photos/{}", picture.strip_prefix(samples.path()).unwrap().display());
        let found =
            client.run("search", &Client::search_request("gallery", picture, 3).unwrap()).await.unwrap();
        let nearest = &hits(found.result())[0];
        assert_eq!((nearest["uri"].as_str(), nearest["rank"].as_i64()), (Some(uri.as_str()), Some(1)));
        assert!(nearest["distance"].as_f64().unwrap() < 1e-3, "{nearest}");
    }
}

#[tokio::test]
async fn an_index_follows_its_source_and_names_bad_pictures() {
    let samples = Samples::draw(6, 4, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    let pictures = samples.pictures("gallery").unwrap();
    std::fs::write(&pictures[0], b"no picture").unwrap();
    let first = client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    assert_eq!((&first.result()["added"], &first.result()["failed"]), (&json!(4 * CLASSES - 1), &json!(1)));
    let items = client.get(&format!("/v1/jobs/{}/items?status=failed", first.id())).await.unwrap();
    let named = items["items"][0]["uri"].as_str().unwrap();
    assert!(pictures[0].ends_with(named.trim_start_matches("photos/")), "{named}");

    std::fs::remove_file(&pictures[1]).unwrap();
    std::fs::copy(&pictures[2], &pictures[0]).unwrap();
    let mut again = indexing("gallery", "scenes");
    again["mode"] = json!("sync");
    let second = client.run("index", &again).await.unwrap();
    let counts = ["added", "updated", "unchanged", "removed", "failed"]
        .map(|name| second.result()[name].as_u64().unwrap());
    assert_eq!(counts, [1, 0, u64::from(4 * CLASSES) - 2, 1, 0]);
    assert_eq!(entries(&client, "gallery").await, u64::from(4 * CLASSES) - 1);

    client.run("train", &training("scenes", 1)).await.unwrap();
    let rebuilt = client.run("rebuild", &json!({"index": "gallery", "model": "scenes@2"})).await.unwrap();
    assert_eq!(rebuilt.state(), "succeeded");
    let detail = client.get("/v1/indexes/gallery").await.unwrap();
    assert_eq!(detail["model"], json!("scenes@2"));
    assert_eq!(entries(&client, "gallery").await, u64::from(4 * CLASSES) - 1);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_carried_out_once() {
    let samples = Samples::draw(1, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = &stack.client;
    let send = async |body: Value| {
        let request =
            client.request(Method::POST, "/v1/jobs/noop").header("idempotency-key", "one").json(&body);
        client.send(request).await.unwrap()
    };
    let first = send(json!({})).await;
    let second = send(json!({})).await;
    assert_eq!((first.0, second.0), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(first.1["id"], second.1["id"]);
    let (status, _) = send(json!({"priority": 5})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_search_does_not_wait_for_a_training() {
    let samples = Samples::draw(12, 2, 1).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    let long = client.submit("train", &training("long", 1_000)).await.unwrap();
    wait_for_epochs(&client, &long, 1).await;
    let query = samples.pictures("queries").unwrap().remove(0);
    for _ in 0..5 {
        let begun = Instant::now();
        client.run("search", &Client::search_request("gallery", &query, 3).unwrap()).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    assert_eq!(client.job(long.id()).await.unwrap().state(), "running");
    client.cancel(long.id()).await.unwrap();
    assert_eq!(client.wait(long.id()).await.unwrap().state(), "cancelled");
    assert!(stack.terminate().await.unwrap().success());
}

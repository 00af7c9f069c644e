//! What can be asked for, and what is told of it: parts of pictures, mixtures, filters, pages, evaluations.

use lookalike_tests::{Client, Job, Samples};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{CLASSES, indexing, stack_on, training};

fn uris(result: &Value) -> Vec<&str> {
    result["hits"].as_array().unwrap().iter().map(|hit| hit["uri"].as_str().unwrap()).collect()
}

fn hit_of<'a>(result: &'a Value, uri: &str) -> Option<&'a Value> {
    result["hits"].as_array().unwrap().iter().find(|hit| hit["uri"] == uri)
}

async fn search(client: &Client, mut request: Value) -> Job {
    request["index"] = json!("gallery");
    client.run("search", &request).await.unwrap()
}

#[tokio::test]
async fn searches_start_from_mixtures_and_parts_and_are_narrowed() {
    let samples = Samples::draw(6, 6, 1).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    let pictures = samples.pictures("gallery").unwrap();
    let twin = pictures[0].with_file_name("twin.jpg");
    std::fs::copy(&pictures[0], &twin).unwrap();
    client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    let key = |path: &std::path::Path| path.strip_prefix(samples.path()).unwrap().display().to_string();
    let (first, twin, other) = (key(&pictures[0]), key(&twin), key(&pictures[7]));
    let uri = |key: &str| format!("photos/{key}");

    let all = json!({"source": "photos", "key": first, "probes": "all", "k": 1000});
    let everything = search(&client, all.clone()).await;
    assert_eq!(uris(everything.result()).len(), pictures.len() + 1);
    let mut once = all.clone();
    once["collapse_duplicates"] = json!(true);
    let once = search(&client, once).await;
    let found = [&first, &twin].map(|key| hit_of(once.result(), &uri(key)).is_some());
    assert_eq!(found.iter().filter(|found| **found).count(), 1, "the same picture twice is told once");

    let folder = uri(first.rsplit_once('/').unwrap().0) + "/";
    let mut under = all.clone();
    under["filter"] = json!({"uri_prefix": folder});
    let under = search(&client, under).await;
    let expected = uris(everything.result()).into_iter().filter(|uri| uri.starts_with(&folder));
    assert_eq!(uris(under.result()), expected.collect::<Vec<_>>());

    let whole = json!({"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0});
    let corner = json!({"x": 0.0, "y": 0.0, "width": 0.3, "height": 0.3});
    let distance = async |crop: &Value| {
        let mut cropped = all.clone();
        cropped["crop"] = crop.clone();
        let found = search(&client, cropped).await;
        hit_of(found.result(), &uri(&first)).unwrap()["distance"].as_f64().unwrap()
    };
    assert!(distance(&whole).await < 1e-2);
    assert!(distance(&corner).await > distance(&whole).await, "a corner is not the whole picture");

    let entry = hit_of(everything.result(), &uri(&first)).unwrap()["entry_id"].clone();
    let examples = json!([{"entry_id": entry}, {"source": "photos", "key": other, "weight": 0.5}]);
    let mixed = search(&client, json!({"examples": examples, "probes": "all", "k": 1000})).await;
    assert_eq!(hit_of(mixed.result(), &uri(&first)), None, "an entry that is asked with is no hit");
    assert_eq!(uris(mixed.result()).len(), pictures.len());

    let empty = search(&client, json!({"entry_id": entry, "filter": {"metadata": {"none": 1}}})).await;
    assert_eq!(empty.result()["hits"], json!([]), "a field that no entry has is no error");
    expect_pages_and_files(&client, &everything).await;
    assert!(stack.terminate().await.unwrap().success());
}

/// The hits by page, and as a file, are those of the result.
async fn expect_pages_and_files(client: &Client, job: &Job) {
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/jobs/{}/hits?limit=25{cursor}", job.id())).await.unwrap();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(paged), job.result()["hits"]);
    let request = client.request(Method::GET, &format!("/v1/jobs/{}/hits", job.id()));
    let file = request.header(header::ACCEPT, "text/csv").send().await.unwrap();
    assert_eq!(file.headers()[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let text = file.text().await.unwrap();
    let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert_eq!(lines[0], "rank,entry_id,uri,class,probability,distance,similarity,width,height,metadata");
    assert_eq!(lines.len(), paged.len() + 1);
    let second = &paged[1];
    let start = format!("2,{},{},", second["entry_id"].as_str().unwrap(), second["uri"].as_str().unwrap());
    assert!(lines[2].starts_with(&start) && lines[2].ends_with(",{}"), "{}", lines[2]);
}

#[tokio::test]
async fn an_evaluation_compares_settings_and_is_kept_with_the_generation() {
    let samples = Samples::draw(6, 6, 3).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    let measured = json!({"index": "gallery", "source": "photos", "prefix": "queries/", "k": [1, 5],
                          "probes": 1, "compare": ["all", 0.5]});
    let job = client.run("evaluate", &measured).await.unwrap();
    let result = job.result();
    let settings = result["settings"].as_array().unwrap();
    let probes: Vec<_> = settings.iter().map(|setting| setting["probes"].clone()).collect();
    assert_eq!(probes, [json!(1), json!("all"), json!(0.5)]);
    assert_eq!(settings[1]["routing_recall"], json!({"embedding": 1.0, "probabilities": 1.0}));
    assert_eq!(settings[1]["partitions_probed"], json!(f64::from(CLASSES)));
    assert_eq!(settings[1]["entries_scanned"], json!(f64::from(6 * CLASSES)));
    assert_eq!(result["routing_recall"], settings[0]["routing_recall"]["embedding"]);
    for ranking in ["embedding", "probabilities"] {
        let at = |what: &str, k: &str| settings[1][what][ranking][k].as_f64().unwrap();
        // Of six right entries the first is a sixth, and five hits are five sixths at most.
        assert!((at("recall_at", "1") - at("precision_at", "1") / 6.0).abs() < 1e-9);
        assert!((at("recall_at", "5") - at("precision_at", "5") * 5.0 / 6.0).abs() < 1e-9);
    }
    let worst = result["worst"].as_array().unwrap();
    assert_eq!(worst.len(), 20.min(3 * CLASSES as usize));
    let precisions: Vec<f64> =
        worst.iter().map(|query| query["average_precision"].as_f64().unwrap()).collect();
    assert!(precisions.is_sorted(), "{precisions:?}");
    let thumbnail =
        client.request(Method::GET, worst[0]["thumbnail"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(thumbnail.headers()[header::CONTENT_TYPE], "image/jpeg");
    assert!(thumbnail.bytes().await.unwrap().starts_with(b"\xff\xd8"));

    let deleted = client.request(Method::DELETE, &format!("/v1/jobs/{}", job.id())).send().await.unwrap();
    assert!(deleted.status().is_success());
    let kept = client.get("/v1/indexes/gallery/evaluations").await.unwrap();
    let kept = &kept["items"].as_array().unwrap()[..];
    assert_eq!(kept.len(), 1, "it outlives its job");
    assert_eq!((&kept[0]["id"], &kept[0]["result"]), (&json!(job.id()), result));
    assert_eq!(kept[0]["generation"], result["generation"]);
    assert!(stack.terminate().await.unwrap().success());
}

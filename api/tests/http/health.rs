//! Health, metrics and the system.

use lookalike_shared::testing::{a_job, enqueue_one};
use reqwest::Method;
use serde_json::json;

use crate::app::{ADMIN, Answer, TestApp};

#[tokio::test]
async fn a_whole_service_is_alive_and_ready_without_a_key() {
    let app = TestApp::start().await;
    let live = Answer::of(app.anonymous(Method::GET, "/livez")).await;
    assert_eq!((live.status.as_u16(), &live.body["status"]), (200, &json!("ok")));
    let ready = Answer::of(app.anonymous(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, 200, "{ready:?}");
    let checks: Vec<_> =
        ready.body["checks"].as_array().unwrap().iter().map(|check| (&check["name"], &check["ok"])).collect();
    let expected = ["database", "migrations", "storage"].map(|name| (json!(name), json!(true)));
    assert_eq!(checks, expected.iter().map(|(name, ok)| (name, ok)).collect::<Vec<_>>());
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_queues_by_state() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    app.get(&format!("/v1/jobs/{id}")).await;
    app.get("/v1/nothing").await;
    let text = Answer::of(app.anonymous(Method::GET, "/metrics")).await;
    assert!(text.header("content-type").starts_with("text/plain"), "{text:?}");
    let text = text.body.as_str().unwrap();
    for line in [
        "lookalike_http_request_duration_seconds_count{method=\"GET\",route=\"/v1/jobs/{id}\",status=\"200\"} 1",
        "lookalike_http_request_duration_seconds_bucket{method=\"GET\",route=\"/v1/jobs/{id}\",status=\"200\",le=\"10\"} 1",
        "lookalike_queue_jobs{queue=\"maintenance\",state=\"queued\"} 1",
        "lookalike_queue_paused{queue=\"search\"} 0",
        "lookalike_workers_ready 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains(&id.to_string()) && !text.contains("/v1/nothing"), "{text}");
}

#[tokio::test]
async fn the_system_tells_versions_limits_and_places_without_secrets() {
    let app = TestApp::start().await;
    let system = app.get("/v1/system").await;
    assert_eq!(system.status, 200);
    assert_eq!(system.body["version"], env!("CARGO_PKG_VERSION"));
    assert!(system.body["database"]["size_bytes"].as_i64().unwrap() > 1_000_000);
    assert_eq!(system.body["limits"]["max_page_items"], 1000);
    assert_eq!(system.body["storage"]["sources"][0]["name"], "uploads");
    let backbones = system.body["backbones"].as_array().unwrap();
    assert!(backbones.iter().any(|backbone| backbone["name"] == "mobilenet_v2"), "{backbones:?}");
    assert!(!system.body.to_string().contains(ADMIN));
}

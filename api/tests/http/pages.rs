//! The OpenAPI document, its pages and the dashboard.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::app::{Answer, TestApp};

/// The routes of the contract; more may be added.
const CONTRACT: &[&str] = &[
    "DELETE /v1/jobs/{id}",
    "DELETE /v1/session",
    "GET /docs",
    "GET /livez",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "GET /v1/events",
    "GET /v1/jobs",
    "GET /v1/jobs/counts",
    "GET /v1/jobs/{id}",
    "GET /v1/jobs/{id}/events",
    "GET /v1/jobs/{id}/items",
    "GET /v1/jobs/{id}/logs",
    "GET /v1/jobs/{id}/metrics",
    "GET /v1/me",
    "GET /v1/models/{name}/compare",
    "PATCH /v1/models/{name}/{version}",
    "POST /v1/models/{name}/rollback",
    "GET /v1/queues",
    "GET /v1/queues/samples",
    "GET /v1/queues/{name}",
    "GET /v1/system",
    "GET /v1/system/training-performance",
    "GET /v1/workers",
    "GET /v1/workers/{id}/samples",
    "POST /v1/jobs/bulk",
    "POST /v1/jobs/{id}/cancel",
    "POST /v1/jobs/{id}/pause",
    "POST /v1/jobs/{id}/resume",
    "POST /v1/jobs/{id}/retry",
    "POST /v1/queues/{name}/pause",
    "POST /v1/queues/{name}/resume",
    "POST /v1/session",
];

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    operations.collect()
}

#[tokio::test]
async fn the_document_holds_every_route_of_the_contract() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let routes: BTreeSet<String> = operations(&document).into_iter().map(|(route, _)| route).collect();
    let missing: Vec<_> = CONTRACT.iter().filter(|route| !routes.contains(**route)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_operation_is_described_tagged_and_may_be_refused() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.body;
    let mut ids = BTreeSet::new();
    for (route, operation) in operations(&document) {
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{route} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{route}");
        assert!(
            operation["responses"]["default"]["content"]["application/problem+json"].is_object(),
            "{route}"
        );
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{route}: its operationId is taken"
        );
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.body;
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn the_documents_pages_are_served_from_the_binary() {
    let app = TestApp::start().await;
    let page = Answer::of(app.anonymous(Method::GET, "/docs")).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.as_str().unwrap().contains("swagger-ui"), "{page:?}");
    let settings = Answer::of(app.anonymous(Method::GET, "/docs/swagger-initializer.js")).await;
    assert!(settings.body.as_str().unwrap().contains("/openapi.json"), "{settings:?}");
    Answer::of(app.anonymous(Method::GET, "/docs/none.js")).await.assert_problem(404, "unknown_route");
}

#[tokio::test]
async fn a_browser_gets_the_page_for_every_path_of_the_app() {
    let app = TestApp::start().await;
    for path in ["/", "/jobs/42", "/indexes/gallery"] {
        let page = Answer::of(app.anonymous(Method::GET, path).header("accept", "text/html,*/*")).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        assert!(page.header("content-security-policy").contains("default-src 'self'"), "{page:?}");
        assert!(page.body.as_str().unwrap().contains("Lookalike"), "{page:?}");
    }
    let script = Answer::of(app.anonymous(Method::GET, "/assets/none.js").header("accept", "*/*")).await;
    script.assert_problem(404, "unknown_route");
}

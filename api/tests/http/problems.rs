//! Refusals, each a problem document.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let app = TestApp::start().await;
    app.get("/v1/nothing").await.assert_problem(404, "unknown_route");
    app.get("/v1").await.assert_problem(404, "unknown_route");
    app.get("/nothing.txt").await.assert_problem(404, "unknown_route");
    app.get("/v1/jobs/018f3b1e-0000-7000-8000-000000000000").await.assert_problem(404, "not_found");
    app.get("/v1/jobs/no-uuid").await.assert_problem(404, "not_found");
    app.get("/v1/queues/nothing").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_wrong_method_is_answered_with_the_right_ones() {
    let app = TestApp::start().await;
    let answer = Answer::of(app.request(Method::PUT, "/v1/jobs/018f3b1e-0000-7000-8000-000000000000")).await;
    answer.assert_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, DELETE");
    Answer::of(app.request(Method::POST, "/livez")).await.assert_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn bodies_are_refused_for_what_is_wrong_with_them() {
    let app = TestApp::start().await;
    let bulk = |kind: &str, body: &str| {
        let request = app.request(Method::POST, "/v1/jobs/bulk").header("content-type", kind);
        Answer::of(request.body(body.to_owned()))
    };
    bulk("application/json", "{").await.assert_problem(400, "malformed_request");
    bulk("application/json", "").await.assert_problem(400, "malformed_request");
    bulk("text/plain", "{}").await.assert_problem(415, "unsupported_media_type");
    let missing = bulk("application/json", "{}").await;
    missing.assert_problem(422, "invalid_request");
    assert_eq!(missing.pointers(), ["/action"]);
    let unknown = bulk("application/json", r#"{"action": "cancel", "filter": {}, "colour": 1}"#).await;
    assert_eq!(unknown.pointers(), ["/colour"]);
    let wrong = bulk("application/json", r#"{"action": "cancel", "ids": ["x"]}"#).await;
    wrong.assert_problem(422, "invalid_request");
    assert_eq!(wrong.pointers(), ["/ids/0"]);
    let state = bulk("application/json", r#"{"action": "cancel", "filter": {"state": "done"}}"#).await;
    assert_eq!(state.pointers(), ["/filter/state"]);
}

#[tokio::test]
async fn a_large_body_is_refused_with_the_bound_before_it_is_read() {
    let app = TestApp::start().await;
    let body = format!("\"{}\"", "x".repeat(3 << 20));
    let request = app.request(Method::POST, "/v1/jobs/bulk").header("content-type", "application/json");
    let answer = Answer::of(request.body(body)).await;
    answer.assert_problem(413, "payload_too_large");
    assert!(answer.body["detail"].as_str().unwrap().contains("2097152"), "{answer:?}");
}

#[tokio::test]
async fn queries_are_refused_with_a_pointer_to_the_parameter() {
    let app = TestApp::start().await;
    let cases = [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=ten", "/limit"),
        ("cursor=nonsense", "/cursor"),
        ("state=done", "/state"),
        ("kind=train,fly", "/kind"),
        ("queue=a&queue=b", "/queue"),
        ("since=yesterday", "/since"),
        ("label=team", "/label"),
    ];
    for (query, pointer) in cases {
        let answer = app.get(&format!("/v1/jobs?{query}")).await;
        answer.assert_problem(422, "invalid_request");
        assert_eq!(answer.pointers(), [pointer], "{query}");
    }
}

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let app = TestApp::start().await;
    let ask = |id: &str| Answer::of(app.request(Method::GET, "/v1/none").header("x-request-id", id));
    let kept = ask("trace-1").await;
    assert_eq!((kept.header("x-request-id"), &kept.body["request_id"]), ("trace-1", &json!("trace-1")));
    let made = ask("has space").await;
    assert_eq!(made.header("x-request-id").len(), 36, "{made:?}");
    assert_eq!(app.get("/livez").await.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_meaning() {
    let app = TestApp::start().await;
    let problem = app.get("/v1/nothing").await.body;
    let meaning = app.get(problem["type"].as_str().unwrap()).await;
    assert_eq!(meaning.status, 200);
    let same = |field: &str| assert_eq!(meaning.body[field], problem[field], "{field}");
    ["code", "status", "title"].into_iter().for_each(same);
    app.get("/problems/none").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let app = TestApp::start().await;
    let answer = app.get("/v1/me").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_ne!(answer.body, Value::Null);
}

#[tokio::test]
async fn what_postgresql_cannot_store_is_the_clients_mistake() {
    let app = TestApp::start().await;
    // The cursor is the text "q\\u0000\"" in base64.
    for path in ["/v1/jobs?label=a%00:b", "/v1/indexes?cursor=InFcdTAwMDAi", "/v1/models?cursor=InFcdTAwMDAi"]
    {
        app.get(path).await.assert_problem(422, "invalid_request");
    }
    let bulk = json!({"action": "cancel", "filter": {"label": ["a\u{0}:b"]}});
    app.post("/v1/jobs/bulk", bulk).await.assert_problem(422, "invalid_request");
}

#[tokio::test]
async fn a_list_is_not_read_as_the_fields_in_order() {
    let app = TestApp::start().await;
    app.post("/v1/keys", json!(["other", "read", null])).await.assert_problem(422, "invalid_request");
    assert_eq!(app.get("/v1/keys").await.body["items"].as_array().unwrap().len(), 1);
}

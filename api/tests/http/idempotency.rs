//! `Idempotency-Key`.

use lookalike_shared::domain::scope::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

async fn submit(app: &TestApp, key: &str, body: Value) -> Answer {
    let request = app.request(Method::POST, "/v1/jobs/noop").header("idempotency-key", key);
    Answer::of(request.json(&body)).await
}

async fn count(app: &TestApp) -> usize {
    app.get("/v1/jobs").await.body["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let app = TestApp::start().await;
    let first = submit(&app, "k", json!({"priority": 1})).await;
    let again = submit(&app, "k", json!({"priority": 1})).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (again.status, ""));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn two_requests_at_once_make_one_job() {
    let app = TestApp::start().await;
    let answers = futures::future::join_all((0..8).map(|_| submit(&app, "race", json!({})))).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(fresh, 1);
    assert!(answers.iter().all(|answer| answer.body["id"] == answers[0].body["id"]));
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let app = TestApp::start().await;
    submit(&app, "k", json!({"priority": 1})).await;
    submit(&app, "k", json!({"priority": 2})).await.assert_problem(422, "idempotency_key_reused");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_unused() {
    let app = TestApp::start().await;
    submit(&app, "k", json!({"priority": 1000})).await.assert_problem(422, "invalid_request");
    assert_eq!(submit(&app, "k", json!({"priority": 1})).await.status, 202);
}

#[tokio::test]
async fn keys_belong_to_their_callers() {
    let app = TestApp::start().await;
    let other = app.key(Scope::Submit).await;
    submit(&app, "k", json!({})).await;
    let request =
        app.anonymous(Method::POST, "/v1/jobs/noop").bearer_auth(other).header("idempotency-key", "k");
    let answer = Answer::of(request.json(&json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (202, ""));
    assert_eq!(count(&app).await, 2);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::start().await;
    for key in ["", "two words", &"x".repeat(256)] {
        submit(&app, key, json!({})).await.assert_problem(400, "malformed_request");
    }
}

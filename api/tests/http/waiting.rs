//! `Prefer: wait=N`.

use std::time::{Duration, Instant};

use lookalike_shared::db::queue::{self, Ending, Finish};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::testing::{a_job, a_worker, enqueue_one, start, wait_until};
use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, LONG, TestApp};

async fn finish(app: &TestApp, id: JobId) {
    let fence = start(app.db(), id, a_worker(app.db()).await).await.fence;
    let ending = Ending::Succeeded(json!({"done": 1}));
    queue::finish_jobs(app.db(), &[Finish { job_id: id, fence, ending }]).await.unwrap();
}

#[tokio::test]
async fn a_waiting_get_is_answered_when_the_job_ends() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let request = app.request(Method::GET, &format!("/v1/jobs/{id}")).header("prefer", "wait=15");
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(Answer::of(request), finish(&app, id));
    assert_eq!((&answer.body["state"], &answer.body["result"]), (&json!("succeeded"), &json!({"done": 1})));
    assert_eq!(answer.header("preference-applied"), "wait=15");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_wait_that_runs_out_is_answered_with_the_job_as_it_is() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let request = app.request(Method::GET, &format!("/v1/jobs/{id}")).header("prefer", "wait=1");
    let answer = Answer::of(request).await;
    assert_eq!((answer.status.as_u16(), &answer.body["state"]), (200, &json!("queued")));
}

#[tokio::test]
async fn a_submission_that_waits_is_answered_with_the_finished_job() {
    let app = TestApp::start().await;
    let request = app.request(Method::POST, "/v1/jobs/noop").header("prefer", "wait=15").json(&json!({}));
    let work = async {
        let id = loop {
            let jobs = app.get("/v1/jobs").await.body;
            if let Some(id) = jobs["items"][0]["id"].as_str() {
                break JobId(id.parse().unwrap());
            }
        };
        finish(&app, id).await;
    };
    let (answer, ()) = tokio::join!(Answer::of(request), work);
    assert_eq!((answer.status.as_u16(), &answer.body["state"]), (200, &json!("succeeded")), "{answer:?}");
    assert_eq!(answer.header("preference-applied"), "wait=15");
}

#[tokio::test]
async fn a_submission_whose_wait_runs_out_is_accepted() {
    let app = TestApp::start().await;
    let request = app.request(Method::POST, "/v1/jobs/noop").header("prefer", "wait=1").json(&json!({}));
    let answer = Answer::of(request).await;
    assert_eq!((answer.status.as_u16(), &answer.body["state"]), (202, &json!("queued")));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("", "1"));
    assert!(answer.header("location").starts_with("/v1/jobs/"));
}

#[tokio::test]
async fn many_requests_may_wait_for_many_jobs() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for _ in 0..64 {
        ids.push(enqueue_one(app.db(), &a_job()).await);
    }
    let waits = futures::future::join_all(ids.iter().map(|id| {
        Answer::of(app.request(Method::GET, &format!("/v1/jobs/{id}")).header("prefer", "wait=15"))
    }));
    let work = async {
        for id in &ids {
            finish(&app, *id).await;
        }
    };
    let (answers, ()) = tokio::join!(waits, work);
    assert!(answers.iter().all(|answer| answer.body["state"] == "succeeded"));
}

#[tokio::test]
async fn a_stop_ends_waiting_requests_at_once() {
    let mut app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let request = app.request(Method::GET, &format!("/v1/jobs/{id}")).header("prefer", "wait=15");
    let waiting = tokio::spawn(Answer::of(request));
    let feed = app.feed.clone();
    wait_until("the request waits", LONG, || async { (feed.waiting_for(id.0) == 1).then_some(()) }).await;
    let begun = Instant::now();
    app.stop().await;
    let answer = tokio::time::timeout(LONG, waiting).await.unwrap().unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["state"]), (200, &json!("queued")));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

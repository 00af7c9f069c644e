//! Single jobs that are paused and resumed, as clients see them.

use lookalike_shared::db::queue::{self, mark_released};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::{a_job, a_worker, enqueue_one, events_as_text, start};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

async fn act(app: &TestApp, id: JobId, action: &str) -> Answer {
    Answer::of(app.request(Method::POST, &format!("/v1/jobs/{id}/{action}"))).await
}

fn standing(answer: &Answer) -> (u16, &Value, &Value, &Value) {
    let job = &answer.body;
    (answer.status.as_u16(), &job["state"], &job["paused"], &job["state_reason"])
}

#[tokio::test]
async fn a_waiting_job_is_paused_at_once_and_pausing_it_again_is_no_error() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    for _ in 0..2 {
        let paused = act(&app, id, "pause").await;
        assert_eq!(standing(&paused), (200, &json!("queued"), &json!(true), &json!("paused")));
    }
    let resumed = act(&app, id, "resume").await;
    assert_eq!(standing(&resumed), (202, &json!("queued"), &json!(false), &json!("resumed")));
    assert_eq!(resumed.header("location"), format!("/v1/jobs/{id}"));
}

#[tokio::test]
async fn a_running_job_is_seen_pausing_until_it_was_given_back() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let fence = start(app.db(), id, a_worker(app.db()).await).await.fence;
    for _ in 0..2 {
        let pausing = act(&app, id, "pause").await;
        assert_eq!(standing(&pausing), (202, &json!("running"), &json!(true), &json!("pausing")));
    }
    mark_released(app.db(), id, fence).await.unwrap();
    let paused = app.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!(standing(&paused), (200, &json!("queued"), &json!(true), &json!("paused")));
    assert_eq!(paused.body["attempt"], 0);
    let told = events_as_text(app.db(), 0).await;
    let types: Vec<_> = told.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(types, ["queued", "started", "pausing", "paused"]);
}

#[tokio::test]
async fn what_its_state_forbids_is_a_conflict_that_says_so() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let refused = act(&app, id, "resume").await;
    refused.assert_problem(409, "conflict");
    assert_eq!(refused.body["detail"], format!("job {id} is queued and not paused"));
    queue::cancel_jobs(app.db(), &[id]).await.unwrap();
    let refused = act(&app, id, "pause").await;
    refused.assert_problem(409, "conflict");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.ends_with("only a job that is queued, running, retrying can be paused"), "{detail}");
    act(&app, JobId::generate(), "pause").await.assert_problem(404, "not_found");
    let reader = app.key(Scope::Read).await;
    let request = app.anonymous(Method::POST, &format!("/v1/jobs/{id}/pause")).bearer_auth(reader);
    Answer::of(request).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn many_jobs_are_paused_resumed_and_found() {
    let app = TestApp::start().await;
    let ids = [enqueue_one(app.db(), &a_job()).await, enqueue_one(app.db(), &a_job()).await];
    act(&app, ids[0], "pause").await;
    let bulk = |action: &str| {
        let body = json!({"action": action, "filter": {}});
        app.post("/v1/jobs/bulk", body)
    };
    assert_eq!(bulk("pause").await.body["affected"], 1, "the other one is paused");
    let paused = app.get("/v1/jobs?paused=true").await.body;
    assert_eq!(paused["items"].as_array().unwrap().len(), 2);
    assert_eq!(bulk("resume").await.body["affected"], 2);
    let named = app.post("/v1/jobs/bulk", json!({"action": "resume", "ids": [ids[0]]})).await.body;
    assert_eq!((&named["affected"], &named["items"][0]["ok"]), (&json!(0), &json!(false)));
    assert_eq!(app.get("/v1/jobs?paused=true").await.body["items"], json!([]));
}

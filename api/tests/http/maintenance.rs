//! What the service does by itself.

use std::time::Duration;

use lookalike_shared::db::queue;
use lookalike_shared::domain::job::JobFailure;
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{a_job, a_worker, enqueue_one, expire_lease, start, wait_until};
use serde_json::json;

use crate::app::{LONG, TestApp};

#[tokio::test]
async fn a_job_whose_time_has_come_is_queued() {
    let app = TestApp::start().await;
    let mut job = a_job();
    let due = chrono::Utc::now() + chrono::Duration::milliseconds(1_500);
    job.submission = Submission { scheduled_at: Some(due), ..Submission::default() };
    let id = enqueue_one(app.db(), &job).await;
    let path = format!("/v1/jobs/{id}");
    assert_eq!(app.get(&path).await.body["state"], "scheduled");
    wait_until("it is queued", LONG, || async {
        (app.get(&path).await.body["state"] == "queued").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_of_a_lost_worker_waits_again() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    start(app.db(), id, a_worker(app.db()).await).await;
    expire_lease(app.db(), id).await;
    let path = format!("/v1/jobs/{id}");
    wait_until("it is queued", LONG, || async {
        (app.get(&path).await.body["state"] == "queued").then_some(())
    })
    .await;
    assert_eq!(app.get(&path).await.body["state_reason"], "its worker was lost");
}

#[tokio::test]
async fn a_job_that_waited_for_its_back_off_is_queued() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let attempt = start(app.db(), id, a_worker(app.db()).await).await;
    let soon = chrono::Utc::now() + chrono::Duration::seconds(1);
    let failure = JobFailure::new("unreachable", "no route");
    assert!(queue::mark_retrying(app.db(), id, attempt.fence, &failure, soon, true).await.unwrap());
    let path = format!("/v1/jobs/{id}");
    let job = app.get(&path).await.body;
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("retrying"), &json!("unreachable")));
    wait_until("it is queued", LONG, || async {
        (app.get(&path).await.body["state"] == "queued").then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_of_two_processes_samples_the_queues() {
    let app = TestApp::start().await;
    let second = app.start_beside().await;
    let path = "/v1/queues/samples?since=2020-01-01T00:00:00Z";
    let samples = async || app.get(path).await.body["items"].as_array().unwrap().len();
    wait_until("there are two rounds of samples", LONG, || async { (samples().await >= 8).then_some(()) })
        .await;
    let body = app.get(path).await.body;
    let times: std::collections::BTreeSet<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| sample["at"].as_str().unwrap().to_owned())
        .collect();
    let times: Vec<_> = times.iter().map(|at| chrono::DateTime::parse_from_rfc3339(at).unwrap()).collect();
    let shortest = times.windows(2).map(|pair| (pair[1] - pair[0]).to_std().unwrap()).min().unwrap();
    assert!(shortest > Duration::from_secs(4), "{times:?}");
    drop(second);
}

//! The life of a job as clients see it, driven through the functions that workers call.

use lookalike_shared::db::items::{self, NewItem};
use lookalike_shared::db::queue::{self, Ending, Finish, NewJob};
use lookalike_shared::db::{logs, metrics};
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, Progress};
use lookalike_shared::testing::{a_job, a_job_of, a_worker, enqueue_one, start};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

/// Every field of a job, in the order of the alphabet.
const FIELDS: [&str; 21] = [
    "attempt",
    "created_at",
    "created_by",
    "error",
    "finished_at",
    "id",
    "kind",
    "labels",
    "max_attempts",
    "next_attempt_at",
    "params",
    "paused",
    "priority",
    "progress",
    "queue",
    "result",
    "scheduled_at",
    "started_at",
    "state",
    "state_reason",
    "worker",
];

async fn state_of(app: &TestApp, id: JobId) -> Value {
    app.get(&format!("/v1/jobs/{id}")).await.body["state"].clone()
}

async fn end(app: &TestApp, id: JobId, fence: i64, ending: Ending) {
    let ended = queue::finish_jobs(app.db(), &[Finish { job_id: id, fence, ending }]).await.unwrap();
    assert_eq!(ended.len(), 1);
}

async fn act(app: &TestApp, id: JobId, action: &str) -> Answer {
    Answer::of(app.request(Method::POST, &format!("/v1/jobs/{id}/{action}"))).await
}

async fn succeeded(app: &TestApp) -> JobId {
    let id = enqueue_one(app.db(), &a_job()).await;
    let attempt = start(app.db(), id, a_worker(app.db()).await).await;
    end(app, id, attempt.fence, Ending::Succeeded(json!({"ok": true}))).await;
    id
}

#[tokio::test]
async fn a_job_shows_every_field_at_every_step() {
    let app = TestApp::start().await;
    let submitted = app.post("/v1/jobs/noop", json!({"labels": {"team": "x"}, "priority": 7})).await;
    assert_eq!(submitted.status, 202, "{submitted:?}");
    let fields: Vec<_> = submitted.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, FIELDS);
    assert_eq!(submitted.header("location"), format!("/v1/jobs/{}", submitted.body["id"].as_str().unwrap()));
    assert_eq!(submitted.body["created_by"], "admin");
    assert_eq!(
        (&submitted.body["state"], &submitted.body["labels"]),
        (&json!("queued"), &json!({"team": "x"}))
    );

    let id = JobId(submitted.body["id"].as_str().unwrap().parse().unwrap());
    let worker = a_worker(app.db()).await;
    let attempt = start(app.db(), id, worker).await;
    let progress = Progress {
        phase: "working".to_owned(),
        done: 1,
        total: Some(2),
        unit: "steps".to_owned(),
        ..Default::default()
    };
    queue::mark_progress(app.db(), id, attempt.fence, &progress, None).await.unwrap();
    let running = app.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!((&running["state"], &running["attempt"]), (&json!("running"), &json!(1)));
    assert_eq!(running["worker"], worker.to_string());
    assert_eq!(
        running["progress"],
        json!({"phase": "working", "done": 1, "total": 2, "unit": "steps", "failed": 0, "rate": null, "eta_seconds": null})
    );

    end(&app, id, attempt.fence, Ending::Failed(JobFailure::new("broken", "it broke"))).await;
    let failed = app.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!(failed["error"], json!({"code": "broken", "detail": "it broke"}));
    assert!(failed["finished_at"].is_string());
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_cancelling_it_again_is_no_error() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    for _ in 0..2 {
        let answer = act(&app, id, "cancel").await;
        assert_eq!((answer.status.as_u16(), &answer.body["state"]), (200, &json!("cancelled")));
    }
}

#[tokio::test]
async fn a_running_job_is_seen_cancelling_until_its_worker_stops() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let attempt = start(app.db(), id, a_worker(app.db()).await).await;
    for _ in 0..2 {
        let answer = act(&app, id, "cancel").await;
        assert_eq!((answer.status.as_u16(), &answer.body["state"]), (202, &json!("cancelling")));
    }
    end(&app, id, attempt.fence, Ending::Cancelled).await;
    assert_eq!(state_of(&app, id).await, "cancelled");
}

#[tokio::test]
async fn what_its_state_forbids_is_a_conflict() {
    let app = TestApp::start().await;
    let id = succeeded(&app).await;
    act(&app, id, "cancel").await.assert_problem(409, "conflict");
    let refused = act(&app, id, "retry").await;
    refused.assert_problem(409, "conflict");
    assert!(refused.body["detail"].as_str().unwrap().contains("is succeeded"), "{refused:?}");
    let waiting = enqueue_one(app.db(), &a_job()).await;
    let delete = Answer::of(app.request(Method::DELETE, &format!("/v1/jobs/{waiting}"))).await;
    delete.assert_problem(409, "conflict");
}

#[tokio::test]
async fn a_failed_job_is_retried_and_a_finished_one_deleted() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let worker = a_worker(app.db()).await;
    let attempt = start(app.db(), id, worker).await;
    end(&app, id, attempt.fence, Ending::Failed(JobFailure::new("broken", "it broke"))).await;
    let retried = act(&app, id, "retry").await;
    assert_eq!((retried.status.as_u16(), &retried.body["state"]), (202, &json!("queued")));
    assert_eq!(retried.body["error"], Value::Null);

    let attempt = start(app.db(), id, worker).await;
    end(&app, id, attempt.fence, Ending::Succeeded(json!({}))).await;
    let path = format!("/v1/jobs/{id}");
    assert_eq!(Answer::of(app.request(Method::DELETE, &path)).await.status, 204);
    app.get(&path).await.assert_problem(404, "not_found");
    Answer::of(app.request(Method::DELETE, &path)).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_bulk_request_answers_for_each_job() {
    let app = TestApp::start().await;
    let (waiting, done) = (enqueue_one(app.db(), &a_job()).await, succeeded(&app).await);
    let unknown = JobId::generate();
    let body = json!({"action": "cancel", "ids": [waiting, done, unknown, waiting]});
    let answer = app.post("/v1/jobs/bulk", body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["affected"]), (200, &json!(1)), "{answer:?}");
    let items = answer.body["items"].as_array().unwrap();
    let told: Vec<_> =
        items.iter().map(|item| (item["ok"].clone(), item["problem"]["code"].clone())).collect();
    assert_eq!(
        told,
        [(json!(true), Value::Null), (json!(false), json!("conflict")), (json!(false), json!("not_found"))]
    );
    assert_eq!(state_of(&app, waiting).await, "cancelled");
}

#[tokio::test]
async fn a_bulk_filter_takes_what_the_action_can_change_and_a_dry_run_changes_nothing() {
    let app = TestApp::start().await;
    let (a, b) =
        (enqueue_one(app.db(), &a_job()).await, enqueue_one(app.db(), &a_job_of(JobKind::Index)).await);
    succeeded(&app).await;
    let dry = app.post("/v1/jobs/bulk", json!({"action": "cancel", "filter": {}, "dry_run": true})).await;
    assert_eq!((&dry.body["affected"], &dry.body["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!(state_of(&app, a).await, "queued");
    let wet = app.post("/v1/jobs/bulk", json!({"action": "cancel", "filter": {"kind": "noop"}})).await;
    assert_eq!(wet.body["affected"], 1);
    assert_eq!((state_of(&app, a).await, state_of(&app, b).await), (json!("cancelled"), json!("queued")));
    let gone = app
        .post("/v1/jobs/bulk", json!({"action": "delete", "filter": {"state": ["cancelled", "succeeded"]}}))
        .await;
    assert_eq!(gone.body["affected"], 2);
    assert_eq!(app.get("/v1/jobs").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bulk_request_names_its_jobs_in_one_way_and_within_bounds() {
    let app = TestApp::start().await;
    let id = JobId::generate();
    for body in [json!({"action": "cancel"}), json!({"action": "cancel", "ids": [id], "filter": {}})] {
        app.post("/v1/jobs/bulk", body).await.assert_problem(422, "invalid_request");
    }
    let many: Vec<JobId> = (0..1_001).map(|_| id).collect();
    for ids in [json!([]), json!(many)] {
        let answer = app.post("/v1/jobs/bulk", json!({"action": "cancel", "ids": ids})).await;
        assert_eq!(answer.pointers(), ["/ids"], "{answer:?}");
    }
}

#[tokio::test]
async fn an_unchanged_job_is_not_sent_again() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let path = format!("/v1/jobs/{id}");
    let tag = app.get(&path).await.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = || Answer::of(app.request(Method::GET, &path).header("if-none-match", &tag));
    let unchanged = again().await;
    assert_eq!(
        (unchanged.status.as_u16(), unchanged.header("etag"), &unchanged.body),
        (304, tag.as_str(), &Value::Null)
    );
    start(app.db(), id, a_worker(app.db()).await).await;
    let changed = again().await;
    assert_eq!((changed.status.as_u16(), &changed.body["state"]), (200, &json!("running")));
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn logs_and_metrics_are_paged_in_order() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job_of(JobKind::Train)).await;
    let attempt = start(app.db(), id, a_worker(app.db()).await).await;
    for number in 1..=3 {
        logs::insert_line(app.db(), id, attempt.fence, "info", &format!("line {number}")).await.unwrap();
        metrics::insert_epoch(app.db(), id, attempt.fence, number, &json!({"loss": number})).await.unwrap();
    }
    let logs = app.get(&format!("/v1/jobs/{id}/logs?limit=2")).await.body;
    assert_eq!(
        (&logs["items"][1]["message"], &logs["items"][1]["level"]),
        (&json!("line 2"), &json!("info"))
    );
    let cursor = logs["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/jobs/{id}/logs?limit=2&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["message"], &rest["next_cursor"]), (&json!("line 3"), &Value::Null));
    let metrics = app.get(&format!("/v1/jobs/{id}/metrics")).await.body;
    assert_eq!(metrics["items"][2], json!({"epoch": 3, "loss": 3}));
    app.get(&format!("/v1/jobs/{}/logs", JobId::generate())).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn failed_pictures_are_listed_and_exported() {
    let app = TestApp::start().await;
    let job: NewJob = a_job_of(JobKind::Index);
    let id = enqueue_one(app.db(), &job).await;
    let item = |uri: &str| NewItem {
        uri: uri.to_owned(),
        code: "corrupt".to_owned(),
        detail: "ends early, \"cut\"".to_owned(),
    };
    items::insert_items(app.db(), id, &[item("photos/b.jpg"), item("photos/a.jpg")]).await.unwrap();
    let listed = app.get(&format!("/v1/jobs/{id}/items?status=failed&limit=1")).await.body;
    assert_eq!(
        (&listed["items"][0]["uri"], &listed["items"][0]["code"]),
        (&json!("photos/a.jpg"), &json!("corrupt"))
    );
    assert!(listed["next_cursor"].is_string());
    let request = app.request(Method::GET, &format!("/v1/jobs/{id}/items")).header("accept", "text/csv");
    let file = Answer::of(request).await;
    assert!(file.header("content-type").starts_with("text/csv"), "{file:?}");
    let lines: Vec<_> = file.body.as_str().unwrap().lines().collect();
    assert_eq!(lines[0], "uri,status,code,detail,at");
    assert!(lines[1].starts_with("photos/a.jpg,failed,corrupt,\"ends early, \"\"cut\"\"\","), "{lines:?}");
    assert_eq!(lines.len(), 3);
    app.get(&format!("/v1/jobs/{id}/items?status=fine")).await.assert_problem(422, "invalid_request");
}

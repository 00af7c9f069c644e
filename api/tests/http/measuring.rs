//! What trainings measure, as clients read it: rows of epochs and steps, and runs side by side.

use lookalike_shared::db::metrics;
use lookalike_shared::domain::job::{JobId, JobKind};
use lookalike_shared::testing::{a_job_of, a_worker, enqueue_one, start};
use serde_json::json;

use crate::app::TestApp;

async fn training(app: &TestApp) -> (JobId, i64) {
    let id = enqueue_one(app.db(), &a_job_of(JobKind::Train)).await;
    (id, start(app.db(), id, a_worker(app.db()).await).await.fence)
}

#[tokio::test]
async fn steps_are_paged_or_spread_over_the_run() {
    let app = TestApp::start().await;
    let (id, fence) = training(&app).await;
    let rows: Vec<_> = (1..=9).map(|step| (step * 10, json!({"loss": step, "step": 0}))).collect();
    metrics::insert_steps(app.db(), id, fence, &rows).await.unwrap();
    let page = app.get(&format!("/v1/jobs/{id}/metrics?by=step&limit=2")).await.body;
    assert_eq!(page["items"], json!([{"step": 10, "loss": 1}, {"step": 20, "loss": 2}]));
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = app.get(&format!("/v1/jobs/{id}/metrics?by=step&limit=2&cursor={cursor}")).await.body;
    assert_eq!(next["items"][0]["step"], 30);
    let spread = app.get(&format!("/v1/jobs/{id}/metrics?by=step&points=3")).await.body;
    let steps: Vec<_> = spread["items"].as_array().unwrap().iter().map(|row| row["step"].clone()).collect();
    assert_eq!((steps, &spread["next_cursor"]), (vec![json!(30), json!(60), json!(90)], &json!(null)));
    assert_eq!(app.get(&format!("/v1/jobs/{id}/metrics")).await.body["items"], json!([]), "no epoch yet");
    for query in ["by=step&points=0", "points=3", "by=year"] {
        app.get(&format!("/v1/jobs/{id}/metrics?{query}")).await.assert_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn runs_are_told_by_their_devices() {
    let app = TestApp::start().await;
    let (id, fence) = training(&app).await;
    for epoch in 1..=2 {
        let row = json!({"seconds": 3.0, "images_per_second": 40.0, "step": epoch * 7});
        metrics::insert_epoch(app.db(), id, fence, epoch, &row).await.unwrap();
    }
    let told = app.get("/v1/system/training-performance").await.body;
    let device = &told["devices"][0];
    assert_eq!((&device["device"], &device["runs"][0]["job_id"]), (&json!("a processor"), &json!(id)));
    let points = json!([
        {"seconds": 3.0, "iterations": 7.0, "images": null}, {"seconds": 6.0, "iterations": 14.0, "images": null},
    ]);
    assert_eq!(
        (&device["runs"][0]["points"], &device["runs"][0]["images_per_second"]),
        (&points, &json!(40.0))
    );
    let none = app.get("/v1/system/training-performance?backbone=resnet18").await.body;
    assert_eq!(none, json!({"devices": []}));
    app.get("/v1/system/training-performance?limit=101").await.assert_problem(422, "invalid_request");
}

//! What trainings measure: rows of steps replace what was measured before of the same part, and only of the attempt that
//! holds the job.

use lookalike_shared::db::events::list_events;
use lookalike_shared::db::metrics::{
    delete_after, insert_epoch, insert_steps, list_epochs, list_steps, sample_steps,
};
use lookalike_shared::db::trainings::{list_points, list_runs};
use lookalike_shared::domain::job::{JobId, JobKind};
use lookalike_shared::testing::{TestDatabase, a_job_of, a_worker, enqueue_one, start};
use serde_json::{Value, json};
use sqlx::PgPool;

async fn training(pool: &PgPool) -> (JobId, i64) {
    let job = enqueue_one(pool, &a_job_of(JobKind::Train)).await;
    (job, start(pool, job, a_worker(pool).await).await.fence)
}

fn rows(steps: &[i64], loss: f64) -> Vec<(i64, Value)> {
    steps.iter().map(|step| (*step, json!({"loss": loss, "epoch": 1}))).collect()
}

async fn steps_and_losses(pool: &PgPool, job: JobId) -> Vec<(i64, f64)> {
    let rows = list_steps(pool, job, 0, 100).await.unwrap();
    rows.into_iter().map(|(step, row)| (step, row["loss"].as_f64().unwrap())).collect()
}

#[tokio::test]
async fn steps_replace_what_was_stored_from_their_first_one_on() {
    let db = TestDatabase::create().await;
    let (job, fence) = training(&db.pool).await;
    assert!(insert_steps(&db.pool, job, fence, &rows(&[10, 20, 30, 40], 1.0)).await.unwrap());
    assert!(insert_steps(&db.pool, job, fence, &rows(&[20, 25], 2.0)).await.unwrap());
    assert_eq!(steps_and_losses(&db.pool, job).await, [(10, 1.0), (20, 2.0), (25, 2.0)]);
    assert!(insert_steps(&db.pool, job, fence, &[]).await.unwrap(), "no rows, but the job is ours");
    assert_eq!(steps_and_losses(&db.pool, job).await.len(), 3);
}

#[tokio::test]
async fn an_attempt_that_lost_its_job_stores_and_deletes_nothing() {
    let db = TestDatabase::create().await;
    let (job, fence) = training(&db.pool).await;
    insert_steps(&db.pool, job, fence, &rows(&[1, 2], 1.0)).await.unwrap();
    assert!(!insert_steps(&db.pool, job, fence + 1, &rows(&[1], 9.0)).await.unwrap());
    assert!(!delete_after(&db.pool, job, fence + 1, 0, 0).await.unwrap());
    assert_eq!(steps_and_losses(&db.pool, job).await, [(1, 1.0), (2, 1.0)]);
}

#[tokio::test]
async fn a_part_that_is_done_again_is_cleared_of_what_was_measured() {
    let db = TestDatabase::create().await;
    let (job, fence) = training(&db.pool).await;
    for epoch in 1..=3 {
        insert_epoch(&db.pool, job, fence, epoch, &json!({"loss": 1.0})).await.unwrap();
    }
    insert_steps(&db.pool, job, fence, &rows(&[10, 20, 30], 1.0)).await.unwrap();
    assert!(delete_after(&db.pool, job, fence, 1, 15).await.unwrap());
    assert_eq!(list_epochs(&db.pool, job, 0, 10).await.unwrap().len(), 1);
    assert_eq!(steps_and_losses(&db.pool, job).await, [(10, 1.0)]);
}

#[tokio::test]
async fn a_batch_of_steps_is_one_event_of_the_newest_and_a_repeated_epoch_is_news() {
    let db = TestDatabase::create().await;
    let (job, fence) = training(&db.pool).await;
    let row = json!({"loss": 0.5, "learning_rate": 0.1, "images_per_second": 90.0, "accuracy": 0.2});
    insert_steps(&db.pool, job, fence, &[(1, json!({})), (9, row), (2, json!({}))]).await.unwrap();
    insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 2.0})).await.unwrap();
    insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 3.0})).await.unwrap();
    let events = list_events(&db.pool, Some(job), 0, 10).await.unwrap();
    let told: Vec<_> = events[2..].iter().map(|event| (event.r#type.as_str(), event.data.clone())).collect();
    let newest = json!({"last_step": 9, "loss": 0.5, "learning_rate": 0.1, "images_per_second": 90.0});
    let expected = [
        ("steps", Some(newest)),
        ("metrics", Some(json!({"loss": 2.0}))),
        ("metrics", Some(json!({"loss": 3.0}))),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn many_steps_are_thinned_evenly_and_the_newest_stays() {
    let db = TestDatabase::create().await;
    let (job, fence) = training(&db.pool).await;
    let steps: Vec<i64> = (1..=100).collect();
    insert_steps(&db.pool, job, fence, &rows(&steps, 1.0)).await.unwrap();
    let taken: Vec<i64> =
        sample_steps(&db.pool, job, 4).await.unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!(taken, [25, 50, 75, 100]);
    assert_eq!(sample_steps(&db.pool, job, 1_000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn runs_have_points_on_their_own_clocks() {
    let db = TestDatabase::create().await;
    training(&db.pool).await;
    let (job, fence) = training(&db.pool).await;
    let (later, later_fence) = training(&db.pool).await;
    for epoch in 1..=3 {
        let row = json!({"seconds": 2.0, "images_per_second": 50.0});
        insert_epoch(&db.pool, job, fence, epoch, &row).await.unwrap();
    }
    let row = json!({"seconds": 2.0, "elapsed_seconds": 7.5, "step": 12});
    insert_epoch(&db.pool, later, later_fence, 1, &row).await.unwrap();
    let runs = list_runs(&db.pool, None, 10).await.unwrap();
    let told: Vec<_> = runs.iter().map(|run| (run.id, run.device.as_deref())).collect();
    assert_eq!(told, [(later.0, Some("a processor")), (job.0, Some("a processor"))], "one measured nothing");
    assert_eq!(list_runs(&db.pool, Some("resnet18"), 10).await.unwrap(), []);
    let points = list_points(&db.pool, &[job.0, later.0], 100).await.unwrap();
    let told: Vec<_> = points.iter().map(|point| (point.epoch, point.seconds, point.step)).collect();
    assert_eq!(told, [(1, 2.0, None), (2, 4.0, None), (3, 6.0, None), (1, 7.5, Some(12))]);
    assert_eq!(list_points(&db.pool, &[job.0], 1).await.unwrap().len(), 1, "thinned");
}

//! A lost lease stores nothing: every write of an attempt names its fence.

use chrono::Utc;
use lookalike_shared::db::jobs::get_job;
use lookalike_shared::db::queue::{
    Attempt, Hold, mark_progress, mark_released, mark_retrying, recover_lost, renew_leases,
};
use lookalike_shared::db::{logs, metrics};
use lookalike_shared::domain::job::{JobFailure, JobKind, JobState, Progress};
use lookalike_shared::testing::{
    TestDatabase, a_job_of, a_worker, enqueue_one, expire_lease, queue_as_text, start,
};
use serde_json::json;
use sqlx::PgPool;

use super::{LEASE, finish_one, success};

fn halfway() -> Progress {
    Progress {
        phase: "training".to_owned(),
        done: 5,
        total: Some(10),
        unit: "epochs".to_owned(),
        ..Progress::default()
    }
}

/// Tries every write an attempt can make, and checks that each is refused.
async fn expect_powerless(pool: &PgPool, lost: &Attempt) {
    let (job, fence) = (lost.job_id, lost.fence);
    let before = (get_job(pool, job).await.unwrap(), queue_as_text(pool).await);
    assert_eq!(
        mark_progress(pool, job, fence, &halfway(), Some(&json!({"epoch": 5}))).await.unwrap(),
        Hold::Lost
    );
    assert_eq!(renew_leases(pool, &[(job, fence)], LEASE).await.unwrap(), []);
    assert!(!metrics::insert_epoch(pool, job, fence, 1, &json!({"loss": 1})).await.unwrap());
    logs::insert_line(pool, job, fence, "info", "still here").await.unwrap();
    let failure = JobFailure::new("unreachable", "no route");
    assert!(!mark_retrying(pool, job, fence, &failure, Utc::now(), true).await.unwrap());
    assert!(!mark_released(pool, job, fence).await.unwrap());
    assert_eq!(finish_one(pool, job, fence, success()).await, None);
    assert_eq!((get_job(pool, job).await.unwrap(), queue_as_text(pool).await), before);
    assert_eq!(metrics::list_epochs(pool, job, 0, 10).await.unwrap(), []);
    assert_eq!(logs::list_lines(pool, job, 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_lost_lease_stores_nothing() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    let lost = start(&db.pool, job, a_worker(&db.pool).await).await;
    expire_lease(&db.pool, job).await;
    recover_lost(&db.pool).await.unwrap();
    expect_powerless(&db.pool, &lost).await;
    start(&db.pool, job, a_worker(&db.pool).await).await;
    expect_powerless(&db.pool, &lost).await;
}

#[tokio::test]
async fn an_attempt_that_was_taken_over_without_recovery_stores_nothing() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    let lost = start(&db.pool, job, a_worker(&db.pool).await).await;
    expire_lease(&db.pool, job).await;
    let holder = start(&db.pool, job, a_worker(&db.pool).await).await;
    expect_powerless(&db.pool, &lost).await;
    assert_eq!(finish_one(&db.pool, job, holder.fence, success()).await, Some(JobState::Succeeded));
    expect_powerless(&db.pool, &lost).await;
    expect_powerless(&db.pool, &holder).await;
}

#[tokio::test]
async fn the_holder_stores_all_of_it() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    let Attempt { fence, .. } = start(&db.pool, job, a_worker(&db.pool).await).await;
    let checkpoint = json!({"epoch": 5});
    assert_eq!(mark_progress(&db.pool, job, fence, &halfway(), Some(&checkpoint)).await.unwrap(), Hold::Held);
    assert_eq!(mark_progress(&db.pool, job, fence, &halfway(), None).await.unwrap(), Hold::Held);
    assert_eq!(renew_leases(&db.pool, &[(job, fence)], LEASE).await.unwrap(), [(job, Hold::Held)]);
    assert!(metrics::insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 2})).await.unwrap());
    assert!(metrics::insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 1})).await.unwrap());
    logs::insert_line(&db.pool, job, fence, "warn", "slow disk").await.unwrap();
    assert_eq!(get_job(&db.pool, job).await.unwrap().progress, Some(halfway()));
    assert_eq!(metrics::list_epochs(&db.pool, job, 0, 10).await.unwrap(), [(1, json!({"loss": 1}))]);
    let lines = logs::list_lines(&db.pool, job, 0, 10).await.unwrap();
    assert_eq!(
        (lines[0].attempt, lines[0].level.as_str(), lines[0].message.as_str()),
        (1, "warn", "slow disk")
    );
    expire_lease(&db.pool, job).await;
    let next = start(&db.pool, job, a_worker(&db.pool).await).await;
    assert_eq!(next.checkpoint, Some(checkpoint), "the next attempt goes on from it");
}

#[tokio::test]
async fn a_renewed_lease_is_not_lost() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    let attempt = start(&db.pool, job, a_worker(&db.pool).await).await;
    expire_lease(&db.pool, job).await;
    renew_leases(&db.pool, &[(job, attempt.fence)], LEASE).await.unwrap();
    assert_eq!(recover_lost(&db.pool).await.unwrap(), []);
}

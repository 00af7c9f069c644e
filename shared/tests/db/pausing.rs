//! A paused queue hands out nothing and loses nothing; the others go on.

use std::time::Duration;

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::queue::{
    Claim, NewJob, claim_jobs, defer_deliveries, mark_retrying, redeliver_stranded,
};
use lookalike_shared::db::queues::{insert_samples, list_queues, list_samples, mark_paused, mark_resumed};
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, Queue};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_job_of, a_worker, enqueue_all, enqueue_one, queue_as_text, start,
};

use super::{LEASE, claim_one, finish_one, success};

#[tokio::test]
async fn a_paused_queue_parks_what_waits_and_resumes_where_it_was() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let jobs = [a_job(), NewJob { submission: later, ..a_job() }, a_job(), a_job_of(JobKind::Search)];
    enqueue_all(&db.pool, &jobs).await;
    let fence = start(&db.pool, jobs[2].id, worker).await.fence;
    mark_retrying(&db.pool, jobs[2].id, fence, &JobFailure::new("x", "y"), Utc::now() + LEASE, true)
        .await
        .unwrap();
    assert!(mark_paused(&db.pool, Queue::Maintenance).await.unwrap());
    assert!(!mark_paused(&db.pool, Queue::Maintenance).await.unwrap(), "it is paused");
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending parked
    b noop maintenance scheduled attempt 0/3 fence 0 | Pending parked
    c noop maintenance retrying attempt 1/3 fence 1 next (x: y) | Pending parked
    d search search queued attempt 0/3 fence 0 | Pending due
    ");
    assert!(mark_resumed(&db.pool, Queue::Maintenance).await.unwrap());
    assert!(!mark_resumed(&db.pool, Queue::Maintenance).await.unwrap(), "it is not paused");
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending due
    b noop maintenance scheduled attempt 0/3 fence 0 | Pending later
    c noop maintenance retrying attempt 1/3 fence 1 next (x: y) | Pending later
    d search search queued attempt 0/3 fence 0 | Pending due
    ");
}

#[tokio::test]
async fn what_comes_into_a_paused_queue_is_parked_when_it_is_claimed() {
    let db = TestDatabase::create().await;
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    let job = enqueue_one(&db.pool, &a_job()).await;
    let Claim::Later(id, at) = claim_one(&db.pool, job, a_worker(&db.pool).await).await else {
        panic!("it started")
    };
    defer_deliveries(&db.pool, &[(id, at)]).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending parked");
    mark_resumed(&db.pool, Queue::Maintenance).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

/// A worker may park a delivery just after the queue was resumed: its claim came before, its write after.
#[tokio::test]
async fn a_delivery_parked_too_late_is_found_again() {
    let db = TestDatabase::create().await;
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    let job = enqueue_one(&db.pool, &a_job()).await;
    let Claim::Later(id, at) = claim_one(&db.pool, job, a_worker(&db.pool).await).await else {
        panic!("it started")
    };
    mark_resumed(&db.pool, Queue::Maintenance).await.unwrap();
    defer_deliveries(&db.pool, &[(id, at)]).await.unwrap();
    sqlx::query("update jobs set updated_at = now() - interval '1 minute'").execute(&db.pool).await.unwrap();
    assert_eq!(redeliver_stranded(&db.pool, Duration::from_secs(30)).await.unwrap(), 1);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

#[tokio::test]
async fn a_redelivery_leaves_a_paused_queue_parked() {
    let db = TestDatabase::create().await;
    enqueue_one(&db.pool, &a_job()).await;
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    sqlx::query("update jobs set updated_at = now() - interval '1 minute'").execute(&db.pool).await.unwrap();
    assert_eq!(redeliver_stranded(&db.pool, Duration::from_secs(30)).await.unwrap(), 0);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending parked");
}

#[tokio::test]
async fn a_resumed_queue_goes_on_in_the_order_of_submission() {
    let db = TestDatabase::create().await;
    let mut ids: Vec<JobId> = Vec::new();
    for _ in 0..20 {
        ids.push(enqueue_one(&db.pool, &a_job()).await);
    }
    // Rows move when they are updated: parking them backwards puts them backwards into the table.
    for id in ids.iter().rev() {
        defer_deliveries(&db.pool, &[(*id, Utc::now())]).await.unwrap();
    }
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    mark_resumed(&db.pool, Queue::Maintenance).await.unwrap();
    let order = "select j.id from apalis.jobs a join jobs j on j.delivery_id = a.id order by a.priority desc, a.run_at, a.ctid";
    let order: Vec<uuid::Uuid> = sqlx::query_scalar(order).fetch_all(&db.pool).await.unwrap();
    assert_eq!(order, ids.iter().map(|id| id.0).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_job_that_runs_goes_on_while_its_queue_is_paused() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    assert!(finish_one(&db.pool, job, fence, success()).await.is_some());
}

#[tokio::test]
async fn queues_tell_how_they_stand() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let jobs = [a_job(), a_job(), a_job(), a_job(), NewJob { submission: later, ..a_job() }];
    enqueue_all(&db.pool, &jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    claim_jobs(&db.pool, &ids[..3], worker, LEASE).await.unwrap();
    mark_retrying(&db.pool, ids[1], 1, &JobFailure::new("x", "y"), Utc::now() + LEASE, true).await.unwrap();
    finish_one(&db.pool, ids[2], 1, success()).await;
    let begun = Utc::now() - LEASE;
    insert_samples(&db.pool, begun).await.unwrap();
    let queues = list_queues(&db.pool).await.unwrap();
    let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["search", "index", "train", "maintenance"]);
    let ours = &queues[3];
    assert_eq!((ours.depth, ours.running, ours.scheduled, ours.retrying), (1, 1, 1, 1));
    assert_eq!((ours.finished_per_minute, ours.failed_per_minute, ours.enqueued_per_minute), (1, 0, 5));
    assert!(ours.oldest_age_seconds.is_some_and(|age| (0.0..60.0).contains(&age)));
    let samples = list_samples(&db.pool, begun, None, 100).await.unwrap();
    let sample = samples.iter().find(|sample| sample.queue == "maintenance").unwrap();
    assert_eq!(
        (samples.len(), sample.depth, sample.running, sample.succeeded, sample.failed),
        (4, 1, 1, 1, 0)
    );
}

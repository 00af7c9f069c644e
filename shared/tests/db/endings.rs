//! How attempts end: for good, to be tried again, or handed back.

use std::time::Duration;

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::jobs::{delete_jobs, get_job};
use lookalike_shared::db::queue::{
    Ending, Finish, NewJob, finish_jobs, mark_progress, mark_released, mark_retrying, promote_due, retry_jobs,
};
use lookalike_shared::domain::job::{JobFailure, JobId, JobState, Progress};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_worker, enqueue_all, enqueue_one, events_as_text, queue_as_text, start,
};
use serde_json::json;

use super::{finish_one, success, tamper};

#[tokio::test]
async fn many_attempts_end_in_one_statement() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs = [a_job(), a_job(), a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    let endings =
        [success(), Ending::Failed(JobFailure::new("corrupt", "no picture")), Ending::Cancelled, success()];
    let mut finishes = Vec::new();
    for (job, ending) in jobs.iter().zip(endings) {
        let fence = start(&db.pool, job.id, worker).await.fence;
        finishes.push(Finish { job_id: job.id, fence, ending });
    }
    finishes[3].fence += 1;
    let mut ended = finish_jobs(&db.pool, &finishes).await.unwrap();
    ended.sort_by_key(|(id, _)| *id);
    let expected = [
        (jobs[0].id, JobState::Succeeded),
        (jobs[1].id, JobState::Failed),
        (jobs[2].id, JobState::Cancelled),
    ];
    assert_eq!(ended, expected);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance succeeded attempt 1/3 fence 1 | Pending due
    b noop maintenance failed attempt 1/3 fence 1 (corrupt: no picture) | Pending due
    c noop maintenance cancelled attempt 1/3 fence 1 | Pending due
    d noop maintenance running attempt 1/3 fence 1 leased | Pending due
    ");
    assert_eq!(get_job(&db.pool, jobs[0].id).await.unwrap().result, Some(json!({"answer": 42})));
}

#[tokio::test]
async fn a_failed_attempt_waits_for_its_back_off_and_so_does_its_delivery() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let attempt = start(&db.pool, job, a_worker(&db.pool).await).await;
    let at = Utc::now() + Duration::from_secs(60);
    let failure = JobFailure::new("unreachable", "no route");
    assert!(mark_retrying(&db.pool, job, attempt.fence, &failure, at, true).await.unwrap());
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance retrying attempt 1/3 fence 1 next (unreachable: no route) | Pending later");
    let stored = get_job(&db.pool, job).await.unwrap();
    let delivered_at: chrono::DateTime<Utc> =
        sqlx::query_scalar("select run_at from apalis.jobs").fetch_one(&db.pool).await.unwrap();
    assert_eq!(stored.next_attempt_at.map(|at| at.timestamp_micros()), Some(at.timestamp_micros()));
    assert_eq!(delivered_at.timestamp_micros(), at.timestamp_micros());
    assert_eq!(stored.error, Some(failure));
}

#[tokio::test]
async fn an_outage_leaves_an_attempt_that_got_somewhere_unused() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let worker = a_worker(&db.pool).await;
    let first = start(&db.pool, job, worker).await;
    let progress = Progress::default();
    mark_progress(&db.pool, job, first.fence, &progress, None).await.unwrap();
    let failure = JobFailure::new(JobFailure::DATABASE_UNAVAILABLE, "away");
    assert!(mark_retrying(&db.pool, job, first.fence, &failure, Utc::now(), true).await.unwrap());
    let second = start(&db.pool, job, worker).await;
    // What is only shown is nothing to go on from.
    assert_eq!((second.number, second.last_stored), (2, 0));
    mark_progress(&db.pool, job, second.fence, &progress, Some(&json!({}))).await.unwrap();
    assert!(mark_retrying(&db.pool, job, second.fence, &failure, Utc::now(), false).await.unwrap());
    let third = start(&db.pool, job, worker).await;
    assert_eq!((third.number, third.last_stored, third.fence), (2, 2, 3));
    // To store the same again is to get nowhere.
    mark_progress(&db.pool, job, third.fence, &progress, Some(&json!({}))).await.unwrap();
    assert!(mark_retrying(&db.pool, job, third.fence, &failure, Utc::now(), true).await.unwrap());
    let fourth = start(&db.pool, job, worker).await;
    assert_eq!((fourth.number, fourth.last_stored), (3, 2));
}

#[tokio::test]
async fn a_job_that_is_due_is_promoted_and_one_that_is_not_stays() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later =
        Submission { scheduled_at: Some(Utc::now() + Duration::from_secs(60)), ..Submission::default() };
    let scheduled = || NewJob { submission: later.clone(), ..a_job() };
    let jobs = [scheduled(), scheduled(), a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    for job in &jobs[2..] {
        let fence = start(&db.pool, job.id, worker).await.fence;
        let at = Utc::now() + Duration::from_secs(60);
        mark_retrying(&db.pool, job.id, fence, &JobFailure::new("x", "y"), at, true).await.unwrap();
    }
    assert_eq!(promote_due(&db.pool).await.unwrap(), 0);
    let past = "update jobs set scheduled_at = scheduled_at - interval '1 hour', next_attempt_at = next_attempt_at - interval '1 hour' where id = $1";
    tamper(&db.pool, past, jobs[0].id).await;
    tamper(&db.pool, past, jobs[2].id).await;
    assert_eq!(promote_due(&db.pool).await.unwrap(), 2);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending later
    b noop maintenance scheduled attempt 0/3 fence 0 | Pending later
    c noop maintenance queued attempt 1/3 fence 1 (x: y) | Pending later
    d noop maintenance retrying attempt 1/3 fence 1 next (x: y) | Pending later
    ");
}

#[tokio::test]
async fn a_job_that_is_handed_back_keeps_its_attempt_but_not_its_fence() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    for round in 1..=5 {
        let attempt = start(&db.pool, job, worker).await;
        assert_eq!((attempt.number, attempt.fence), (1, round));
        assert!(mark_released(&db.pool, job, attempt.fence).await.unwrap());
    }
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 5 | Pending due");
    assert!(events_as_text(&db.pool, 0).await.ends_with("a released queued attempt 0"));
}

#[tokio::test]
async fn a_retried_job_starts_afresh_with_an_attempt_left() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let once = Submission { max_attempts: Some(1), ..Submission::default() };
    let job = enqueue_one(&db.pool, &NewJob { submission: once, ..a_job() }).await;
    let fence = start(&db.pool, job, worker).await.fence;
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), [], "it runs");
    finish_one(&db.pool, job, fence, Ending::Failed(JobFailure::new("x", "y"))).await;
    sqlx::query("update apalis.jobs set status = 'Done', done_at = now()").execute(&db.pool).await.unwrap();
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), [job]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 1/2 fence 1 | Pending due");
    let fence = start(&db.pool, job, worker).await.fence;
    finish_one(&db.pool, job, fence, success()).await;
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), [], "it succeeded");
}

#[tokio::test]
async fn a_retry_makes_a_delivery_that_was_lost() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(
        &db.pool,
        &NewJob { submission: Submission { priority: 5, ..Submission::default() }, ..a_job() },
    )
    .await;
    let before = delivery(&db).await;
    let fence = start(&db.pool, job, worker).await.fence;
    finish_one(&db.pool, job, fence, Ending::Failed(JobFailure::new("x", "y"))).await;
    sqlx::query("delete from apalis.jobs").execute(&db.pool).await.unwrap();
    retry_jobs(&db.pool, &[job]).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 1/3 fence 1 | Pending due");
    assert_eq!(delivery(&db).await, before, "it is just like the first");
}

/// What apalis reads of the only delivery: id, queue, payload, priority, attempts allowed.
async fn delivery(db: &TestDatabase) -> (String, String, Vec<u8>, i32, i32) {
    let sql = "select id, job_type, job, priority, max_attempts from apalis.jobs";
    sqlx::query_as(sql).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn only_ended_jobs_are_deleted_with_their_deliveries() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let fence = start(&db.pool, ids[0], worker).await.fence;
    finish_one(&db.pool, ids[0], fence, success()).await;
    assert_eq!(delete_jobs(&db.pool, &ids).await.unwrap(), [ids[0]]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
    assert!(events_as_text(&db.pool, 0).await.ends_with("a deleted succeeded attempt 1"));
}

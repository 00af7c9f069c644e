//! A job and its delivery come into being together, in the caller's transaction, once per idempotency key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::idempotency::{claim_key, find_answer, store_answer};
use lookalike_shared::db::queue::{NewJob, enqueue};
use lookalike_shared::db::{jobs, queues};
use lookalike_shared::domain::job::{JobKind, JobState, Queue};
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_job_of, a_key, enqueue_all, enqueue_one, events_as_text, queue_as_text,
};
use serde_json::json;
use sqlx::PgPool;

use super::wait_for_lock_waiters;

#[tokio::test]
async fn a_rolled_back_submission_leaves_nothing() {
    let db = TestDatabase::create().await;
    let mut tx = db.pool.begin().await.unwrap();
    enqueue(&mut tx, &[a_job(), a_job_of(JobKind::Train)]).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(queue_as_text(&db.pool).await, "");
    assert_eq!(events_as_text(&db.pool, 0).await, "");
}

#[tokio::test]
async fn a_committed_submission_is_one_job_one_delivery_and_one_event() {
    let db = TestDatabase::create().await;
    enqueue_all(&db.pool, &[a_job(), a_job_of(JobKind::Train)]).await;
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending due
    b train train queued attempt 0/3 fence 0 | Pending due
    ");
    assert_snapshot!(events_as_text(&db.pool, 0).await, @"
    a queued queued attempt 0
    b queued queued attempt 0
    ");
}

#[tokio::test]
async fn a_job_for_later_is_scheduled_and_so_is_its_delivery() {
    let db = TestDatabase::create().await;
    let due = Utc::now() + Duration::from_secs(3_600);
    let submission = Submission { scheduled_at: Some(due), max_attempts: Some(7), ..Submission::default() };
    enqueue_one(&db.pool, &NewJob { submission, ..a_job() }).await;
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance scheduled attempt 0/7 fence 0 | Pending later");
}

#[tokio::test]
async fn a_time_in_the_past_means_now() {
    let db = TestDatabase::create().await;
    let due = Utc::now() - Duration::from_secs(3_600);
    enqueue_one(
        &db.pool,
        &NewJob { submission: Submission { scheduled_at: Some(due), ..Submission::default() }, ..a_job() },
    )
    .await;
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

#[tokio::test]
async fn what_was_submitted_is_stored_as_it_was() {
    let db = TestDatabase::create().await;
    let labels = BTreeMap::from([("team".to_owned(), "vision".to_owned())]);
    let submission = Submission { priority: -7, labels, ..Submission::default() };
    let maker = a_key(&db.pool, "maker", Scope::Submit).await;
    let new = NewJob { params: json!({"a": [1, null]}), submission, created_by: Some(maker), ..a_job() };
    let id = enqueue_one(&db.pool, &new).await;
    let job = jobs::get_job(&db.pool, id).await.unwrap();
    assert_eq!((job.kind, job.queue, job.state), (JobKind::Noop, Queue::Maintenance, JobState::Queued));
    assert_eq!(
        (job.priority, job.params, job.labels),
        (-7, json!({"a": [1, null]}), json!({"team": "vision"}))
    );
    assert_eq!((job.attempt, job.max_attempts, job.created_by.as_deref()), (0, 3, Some("maker")));
}

#[tokio::test]
async fn ten_thousand_jobs_are_enqueued_in_one_call() {
    let db = TestDatabase::create().await;
    let many: Vec<NewJob> = (0..10_000).map(|_| a_job()).collect();
    let begun = Instant::now();
    enqueue_all(&db.pool, &many).await;
    println!("10 000 jobs enqueued in {:?}", begun.elapsed());
    let counted = "select (select count(*) from jobs), (select count(*) from apalis.jobs), (select count(*) from job_events)";
    let counts: (i64, i64, i64) = sqlx::query_as(counted).fetch_one(&db.pool).await.unwrap();
    assert_eq!(counts, (10_000, 10_000, 10_000));
    let queues = queues::list_queues(&db.pool).await.unwrap();
    let maintenance = queues.iter().find(|queue| queue.name == "maintenance").unwrap();
    assert_eq!((maintenance.depth, maintenance.enqueued_per_minute), (10_000, 10_000));
}

/// Submits with a key the way the API does: the key, the job and the answer in one transaction.
async fn submit_once(pool: &PgPool, caller: uuid::Uuid, key: &str, hash: &[u8]) -> bool {
    let mut tx = pool.begin().await.unwrap();
    let is_first = claim_key(&mut *tx, caller, key, hash).await.unwrap();
    if is_first {
        let job = a_job();
        enqueue(&mut tx, std::slice::from_ref(&job)).await.unwrap();
        store_answer(&mut *tx, caller, key, 202, Some("/v1/jobs/x"), &json!({"id": job.id})).await.unwrap();
    }
    tx.commit().await.unwrap();
    is_first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_submissions_with_one_key_one_is_made() {
    let db = TestDatabase::create().await;
    let caller = a_key(&db.pool, "caller", Scope::Submit).await;
    let submissions = (0..8).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move { submit_once(&pool, caller, "k", b"hash").await })
    });
    let firsts = futures::future::join_all(submissions).await;
    assert_eq!(firsts.into_iter().filter(|first| *first.as_ref().unwrap()).count(), 1);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
    let answer = find_answer(&db.pool, caller, "k").await.unwrap().unwrap();
    assert_eq!((answer.status, answer.request_hash.as_slice()), (Some(202), b"hash".as_slice()));
}

#[tokio::test]
async fn the_second_with_a_key_waits_for_the_first_and_takes_over_when_it_fails() {
    let db = TestDatabase::create().await;
    let caller = a_key(&db.pool, "caller", Scope::Submit).await;
    let mut first = db.pool.begin().await.unwrap();
    assert!(claim_key(&mut *first, caller, "k", b"one").await.unwrap());
    let pool = db.pool.clone();
    let second = tokio::spawn(async move { claim_key(&pool, caller, "k", b"two").await.unwrap() });
    wait_for_lock_waiters(&db.pool, 1).await;
    first.rollback().await.unwrap();
    assert!(second.await.unwrap());
    assert_eq!(find_answer(&db.pool, caller, "k").await.unwrap().unwrap().request_hash, b"two");
}

#[tokio::test]
async fn a_key_is_one_callers_and_is_free_again_after_a_day() {
    let db = TestDatabase::create().await;
    let one = a_key(&db.pool, "one", Scope::Submit).await;
    let other = a_key(&db.pool, "other", Scope::Submit).await;
    assert!(submit_once(&db.pool, one, "k", b"hash").await);
    assert!(submit_once(&db.pool, other, "k", b"hash").await);
    assert!(!submit_once(&db.pool, one, "k", b"hash").await);
    let age = "update idempotency_keys set created_at = now() - interval '25 hours'";
    sqlx::query(age).execute(&db.pool).await.unwrap();
    assert!(submit_once(&db.pool, one, "k", b"other hash").await);
    let answer = find_answer(&db.pool, one, "k").await.unwrap().unwrap();
    assert_eq!(answer.request_hash, b"other hash");
}

//! What may start: one claim wins, and each other case gets its own answer.

use std::time::Duration;

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::jobs::get_job;
use lookalike_shared::db::queue::{Claim, NewJob, claim_jobs, defer_deliveries};
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, JobState};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_job_of, a_worker, enqueue_all, enqueue_one, events_as_text, expire_lease,
    queue_as_text, start,
};
use serde_json::json;

use super::{LEASE, claim_one, finish_one, success, tamper, wait_for_lock_waiters};

#[tokio::test]
async fn a_claimed_job_runs_with_all_that_it_needs() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &NewJob { params: json!({"x": 1}), ..a_job_of(JobKind::Search) }).await;
    let attempt = start(&db.pool, job, worker).await;
    assert_eq!((attempt.job_id, attempt.kind, attempt.params), (job, JobKind::Search, json!({"x": 1})));
    assert_eq!((attempt.number, attempt.max_attempts, attempt.fence), (1, 3, 1));
    assert_eq!(attempt.timeout, Duration::from_secs(60));
    assert_eq!(attempt.checkpoint, None);
    let stored = get_job(&db.pool, job).await.unwrap();
    assert_eq!((stored.worker, stored.started_at.is_some()), (Some(worker), true));
    assert_snapshot!(events_as_text(&db.pool, 0).await, @"
    a queued queued attempt 0
    a started running attempt 1
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_claims_at_once_one_starts_the_job() {
    let db = TestDatabase::create().await;
    for _ in 0..20 {
        let job = enqueue_one(&db.pool, &a_job()).await;
        let claims = (0..4).map(|_| {
            let pool = db.pool.clone();
            tokio::spawn(async move { claim_one(&pool, job, uuid::Uuid::now_v7()).await })
        });
        let claims = futures::future::join_all(claims).await.into_iter().map(Result::unwrap);
        let (started, rest): (Vec<Claim>, Vec<Claim>) =
            claims.partition(|claim| matches!(claim, Claim::Started(_)));
        assert_eq!(started.len(), 1);
        assert!(rest.iter().all(|claim| matches!(claim, Claim::Later(_, _))), "{rest:?}");
        assert_eq!(get_job(&db.pool, job).await.unwrap().attempt, 1);
    }
}

/// The race above, with the loser held at the row until the winner commits.
#[tokio::test]
async fn a_claim_that_waited_for_another_sees_what_it_did() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let mut first = db.pool.begin().await.unwrap();
    let won = claim_jobs(&mut *first, &[job], a_worker(&db.pool).await, LEASE).await.unwrap();
    let pool = db.pool.clone();
    let second = tokio::spawn(async move { claim_one(&pool, job, uuid::Uuid::now_v7()).await });
    wait_for_lock_waiters(&db.pool, 1).await;
    first.commit().await.unwrap();
    assert!(matches!(won.as_slice(), [Claim::Started(_)]), "{won:?}");
    assert!(matches!(second.await.unwrap(), Claim::Later(id, _) if id == job));
}

#[tokio::test]
async fn a_batch_is_claimed_at_once_each_by_its_own_state() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let batch = [a_job(), a_job(), a_job(), NewJob { submission: later, ..a_job() }];
    enqueue_all(&db.pool, &batch).await;
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).chain([JobId::generate()]).collect();
    let done = start(&db.pool, ids[1], worker).await;
    finish_one(&db.pool, ids[1], done.fence, success()).await;
    start(&db.pool, ids[2], worker).await;
    let claims = claim_jobs(&db.pool, &ids, worker, LEASE).await.unwrap();
    let verdict = |id: JobId| {
        let of = |claim: &&Claim| match claim {
            Claim::Started(attempt) => attempt.job_id == id,
            Claim::Settled(job) | Claim::Later(job, _) => *job == id,
        };
        claims.iter().find(of).unwrap()
    };
    assert_eq!(claims.len(), 5);
    assert!(matches!(verdict(ids[0]), Claim::Started(_)), "waits: starts");
    assert_eq!(*verdict(ids[1]), Claim::Settled(ids[1]), "done");
    assert!(matches!(verdict(ids[2]), Claim::Later(_, _)), "runs elsewhere");
    assert!(matches!(verdict(ids[3]), Claim::Later(_, at) if *at > Utc::now() + LEASE / 2), "not due");
    assert_eq!(*verdict(ids[4]), Claim::Settled(ids[4]), "gone");
}

#[tokio::test]
async fn a_final_state_refuses_to_start() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let attempt = start(&db.pool, job, a_worker(&db.pool).await).await;
    finish_one(&db.pool, job, attempt.fence, success()).await;
    for (state, sql) in [
        (JobState::Succeeded, "update jobs set state = 'succeeded' where id = $1"),
        (JobState::Failed, "update jobs set state = 'failed' where id = $1"),
        (JobState::Cancelled, "update jobs set state = 'cancelled' where id = $1"),
    ] {
        tamper(&db.pool, sql, job).await;
        assert_eq!(claim_one(&db.pool, job, attempt.job_id.0).await, Claim::Settled(job));
        let stored = get_job(&db.pool, job).await.unwrap();
        assert_eq!((stored.state, stored.attempt), (state, 1));
    }
}

/// The guard against a job that kills its worker: apalis would deliver it for ever.
#[tokio::test]
async fn a_job_without_attempts_left_fails_instead_of_starting() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let submission = Submission { max_attempts: Some(2), ..Submission::default() };
    let job = enqueue_one(&db.pool, &NewJob { submission, ..a_job() }).await;
    for _ in 0..2 {
        start(&db.pool, job, worker).await;
        expire_lease(&db.pool, job).await;
    }
    assert_eq!(claim_one(&db.pool, job, worker).await, Claim::Settled(job));
    let stored = get_job(&db.pool, job).await.unwrap();
    assert_eq!((stored.state, stored.attempt), (JobState::Failed, 2));
    assert_eq!(
        stored.error,
        Some(JobFailure::new("worker_lost", "the worker was lost during the last of 2 attempts"))
    );
}

#[tokio::test]
async fn an_expired_lease_may_be_taken_and_counts_as_a_start() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    start(&db.pool, job, a_worker(&db.pool).await).await;
    expire_lease(&db.pool, job).await;
    let second = start(&db.pool, job, a_worker(&db.pool).await).await;
    assert_eq!((second.number, second.fence), (2, 2));
    assert_snapshot!(events_as_text(&db.pool, 0).await, @"
    a queued queued attempt 0
    a started running attempt 1
    a started running attempt 2
    ");
}

#[tokio::test]
async fn a_job_whose_time_has_come_starts_before_anybody_promotes_it() {
    let db = TestDatabase::create().await;
    let submission = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let job = enqueue_one(&db.pool, &NewJob { submission, ..a_job() }).await;
    tamper(&db.pool, "update jobs set scheduled_at = now() - interval '1 second' where id = $1", job).await;
    start(&db.pool, job, a_worker(&db.pool).await).await;
}

#[tokio::test]
async fn a_deferred_delivery_comes_at_its_time() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    defer_deliveries(&db.pool, &[(job, Utc::now() + LEASE)]).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending later");
}

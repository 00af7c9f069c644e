//! Many short jobs taken at once: each once, by its own state, and brought back by whatever sends it back.

use std::collections::HashSet;

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::jobs::get_job;
use lookalike_shared::db::pausing::{pause_jobs, resume_jobs};
use lookalike_shared::db::queue::{
    Attempt, NewJob, mark_released, mark_retrying, recover_lost, redeliver_stranded,
};
use lookalike_shared::db::taking::take_jobs;
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, JobState, Queue};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job_of, a_worker, enqueue_all, enqueue_one, expire_lease, queue_as_text,
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{LEASE, finish_one, success, tamper};

fn a_search() -> NewJob {
    a_job_of(JobKind::Search)
}

async fn take(pool: &PgPool, worker: Uuid, most: usize) -> Vec<Attempt> {
    take_jobs(pool, Queue::Search, most, worker, LEASE).await.unwrap()
}

fn ids(attempts: &[Attempt]) -> Vec<JobId> {
    attempts.iter().map(|attempt| attempt.job_id).collect()
}

#[tokio::test]
async fn those_that_wait_are_taken_together_the_most_urgent_first() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let urgent = Submission { priority: 5, ..Submission::default() };
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let jobs = [
        a_search(),
        a_search(),
        NewJob { submission: urgent, ..a_search() },
        NewJob { submission: later, ..a_search() },
        a_job_of(JobKind::Index),
    ];
    enqueue_all(&db.pool, &jobs).await;
    let first = take(&db.pool, worker, 2).await;
    assert_eq!(ids(&first).into_iter().collect::<HashSet<_>>(), HashSet::from([jobs[2].id, jobs[0].id]));
    assert!(first.iter().all(|attempt| (attempt.number, attempt.fence) == (1, 1)), "{first:?}");
    assert_eq!(ids(&take(&db.pool, worker, 64).await), [jobs[1].id]);
    assert_eq!(take(&db.pool, worker, 64).await, []);
    let stored = get_job(&db.pool, jobs[0].id).await.unwrap();
    assert_eq!((stored.state, stored.worker), (JobState::Running, Some(worker)));
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a search search running attempt 1/3 fence 1 leased | Done due
    b search search running attempt 1/3 fence 1 leased | Done due
    c search search running attempt 1/3 fence 1 leased | Done due
    d search search scheduled attempt 0/3 fence 0 | Pending later
    e index index queued attempt 0/3 fence 0 | Pending due
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_takers_at_once_each_job_has_one() {
    let db = TestDatabase::create().await;
    for _ in 0..10 {
        let jobs: Vec<NewJob> = (0..40).map(|_| a_search()).collect();
        enqueue_all(&db.pool, &jobs).await;
        let mut taken = Vec::new();
        while taken.len() < jobs.len() {
            let takers = (0..4).map(|_| {
                let pool = db.pool.clone();
                tokio::spawn(async move { take(&pool, Uuid::now_v7(), 7).await })
            });
            for attempts in futures::future::join_all(takers).await {
                taken.extend(ids(&attempts.unwrap()));
            }
        }
        let distinct: HashSet<JobId> = taken.iter().copied().collect();
        assert_eq!((taken.len(), distinct), (40, jobs.iter().map(|job| job.id).collect()));
    }
}

/// A cancel locks the job first and its delivery then; waiting for the one while holding the other would end in a circle.
#[tokio::test]
async fn a_job_that_another_session_is_changing_is_left_for_the_next_time() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs = [a_search(), a_search()];
    enqueue_all(&db.pool, &jobs).await;
    let mut other = db.pool.begin().await.unwrap();
    let lock = "select from jobs where id = $1 for update";
    sqlx::query(lock).bind(jobs[0].id.0).execute(&mut *other).await.unwrap();
    assert_eq!(ids(&take(&db.pool, worker, 64).await), [jobs[1].id]);
    other.rollback().await.unwrap();
    assert_eq!(ids(&take(&db.pool, worker, 64).await), [jobs[0].id]);
}

#[tokio::test]
async fn what_is_sent_back_is_taken_again() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_search()).await;
    let taken = async || take(&db.pool, worker, 64).await.pop();

    let first = taken().await.unwrap();
    assert!(mark_released(&db.pool, job, first.fence).await.unwrap());
    let second = taken().await.unwrap();
    assert_eq!((second.number, second.fence), (1, 2), "released: its attempt is not used up");

    let failure = JobFailure::new("device_failed", "the device failed");
    let soon = Utc::now() + LEASE;
    assert!(mark_retrying(&db.pool, job, second.fence, &failure, soon, true).await.unwrap());
    assert_eq!(taken().await, None, "not before its back-off");
    tamper(&db.pool, "update jobs set next_attempt_at = now() where id = $1", job).await;
    sqlx::query("update apalis.jobs set run_at = now() - interval '1 second'")
        .execute(&db.pool)
        .await
        .unwrap();
    let third = taken().await.unwrap();
    assert_eq!((third.number, third.fence), (2, 3), "retried");

    expire_lease(&db.pool, job).await;
    assert_eq!(recover_lost(&db.pool).await.unwrap(), [(job, JobState::Queued)]);
    let fourth = taken().await.unwrap();
    assert_eq!((fourth.number, fourth.fence), (3, 4), "its worker was lost");
    finish_one(&db.pool, job, fourth.fence, success()).await;
    assert_eq!(taken().await, None);
}

#[tokio::test]
async fn paused_jobs_and_queues_wait_until_they_are_resumed() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_search()).await;
    pause_jobs(&db.pool, &[job]).await.unwrap();
    assert_eq!(take(&db.pool, worker, 64).await, []);
    resume_jobs(&db.pool, &[job]).await.unwrap();
    let attempt = take(&db.pool, worker, 64).await.pop().unwrap();
    pause_jobs(&db.pool, &[job]).await.unwrap();
    assert!(mark_released(&db.pool, job, attempt.fence).await.unwrap());
    assert_eq!(take(&db.pool, worker, 64).await, [], "given back to be paused");
    resume_jobs(&db.pool, &[job]).await.unwrap();
    assert_eq!(ids(&take(&db.pool, worker, 64).await), [job]);

    let job = enqueue_one(&db.pool, &a_search()).await;
    sqlx::query("update queues set paused = true where name = 'search'").execute(&db.pool).await.unwrap();
    assert_eq!(take(&db.pool, worker, 64).await, []);
    assert_eq!(get_job(&db.pool, job).await.unwrap().state, JobState::Queued);
}

#[tokio::test]
async fn a_job_without_attempts_left_fails_instead_of_starting() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_search()).await;
    tamper(&db.pool, "update jobs set attempt = max_attempts where id = $1", job).await;
    assert_eq!(take(&db.pool, worker, 64).await, []);
    let stored = get_job(&db.pool, job).await.unwrap();
    assert_eq!((stored.state, stored.error.unwrap().code.as_str()), (JobState::Failed, "worker_lost"));
}

/// Else a delivery of a job that is over would be looked at whenever jobs are taken.
#[tokio::test]
async fn deliveries_of_jobs_that_are_over_are_cleared_away() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_search()).await;
    let attempt = take(&db.pool, worker, 64).await.pop().unwrap();
    finish_one(&db.pool, job, attempt.fence, success()).await;
    sqlx::query("update apalis.jobs set status = 'Pending'").execute(&db.pool).await.unwrap();
    assert_eq!(take(&db.pool, worker, 64).await, []);
    redeliver_stranded(&db.pool, std::time::Duration::ZERO).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a search search succeeded attempt 1/3 fence 1 | Done due");
}

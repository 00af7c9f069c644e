//! What comes back when a worker, an acknowledgement or a delivery is lost.

use std::time::Duration;

use insta::assert_snapshot;
use lookalike_shared::db::queue::{NewJob, cancel_jobs, mark_retrying, recover_lost, redeliver_stranded};
use lookalike_shared::domain::job::{JobFailure, JobId, JobState};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_worker, enqueue_all, enqueue_one, events_as_text, expire_lease, queue_as_text,
    start,
};
use sqlx::PgPool;

use super::{LEASE, finish_one, success, tamper};

/// Makes the deliveries look as apalis leaves them while its worker `name` runs them.
async fn deliver_to(pool: &PgPool, name: &str, last_seen_seconds_ago: i32) {
    let worker = "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
                  values ($1, 'maintenance', 'PgStorage', '', now() - make_interval(secs => $2))";
    sqlx::query(worker).bind(name).bind(f64::from(last_seen_seconds_ago)).execute(pool).await.unwrap();
    let lock = "update apalis.jobs set status = 'Running', lock_by = $1, lock_at = now(), attempts = 1";
    sqlx::query(lock).bind(name).execute(pool).await.unwrap();
}

/// Makes every job look as if nothing had happened to it for a minute.
async fn age(pool: &PgPool) {
    sqlx::query("update jobs set updated_at = now() - interval '1 minute'").execute(pool).await.unwrap();
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_jobs_of_a_lost_worker_are_queued_again_and_delivered_anew() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let once = Submission { max_attempts: Some(1), ..Submission::default() };
    let jobs = [a_job(), NewJob { submission: once, ..a_job() }, a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    for job in &jobs {
        start(&db.pool, job.id, worker).await;
    }
    deliver_to(&db.pool, "lost", 60).await;
    cancel_jobs(&db.pool, &[jobs[2].id]).await.unwrap();
    for job in &jobs[..3] {
        expire_lease(&db.pool, job.id).await;
    }
    let mut recovered = recover_lost(&db.pool).await.unwrap();
    recovered.sort_by_key(|(id, _)| *id);
    let states = [JobState::Queued, JobState::Failed, JobState::Cancelled];
    let expected: Vec<(JobId, JobState)> = jobs.iter().map(|job| job.id).zip(states).collect();
    assert_eq!(recovered, expected);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 1/3 fence 1 | Pending due
    b noop maintenance failed attempt 1/1 fence 1 (worker_lost: the worker was lost during the last of 1 attempts) | Killed due
    c noop maintenance cancelled attempt 1/3 fence 1 | Killed due
    d noop maintenance running attempt 1/3 fence 1 leased | Running due locked
    ");
    assert_eq!(recover_lost(&db.pool).await.unwrap(), [], "once is enough");
    assert!(events_as_text(&db.pool, 0).await.contains("a released queued attempt 1"));
}

#[tokio::test]
async fn a_lease_that_holds_is_left_alone_until_it_ends() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let short = Duration::from_millis(300);
    let claims = lookalike_shared::db::queue::claim_jobs(&db.pool, &[job], a_worker(&db.pool).await, short)
        .await
        .unwrap();
    assert!(matches!(claims.as_slice(), [lookalike_shared::db::queue::Claim::Started(_)]));
    let begun = std::time::Instant::now();
    lookalike_shared::testing::wait_until("the lease ends", super::SOON, || async {
        (recover_lost(&db.pool).await.unwrap() == [(job, JobState::Queued)]).then_some(())
    })
    .await;
    assert!(begun.elapsed() >= short / 2, "recovered {:?} into a lease of {short:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_recoveries_at_once_share_the_work() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs: Vec<NewJob> = (0..50).map(|_| a_job()).collect();
    enqueue_all(&db.pool, &jobs).await;
    for job in &jobs {
        start(&db.pool, job.id, worker).await;
        expire_lease(&db.pool, job.id).await;
    }
    let recoveries = (0..4).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move { recover_lost(&pool).await.unwrap().len() })
    });
    let counts = futures::future::join_all(recoveries).await;
    assert_eq!(counts.into_iter().map(Result::unwrap).sum::<usize>(), 50);
}

/// A crash between our commit and apalis' acknowledgement, in both directions.
#[tokio::test]
async fn a_job_whose_delivery_was_settled_or_lost_is_delivered_again() {
    let db = TestDatabase::create().await;
    let jobs: Vec<NewJob> = (0..4).map(|_| a_job()).collect();
    enqueue_all(&db.pool, &jobs).await;
    tamper_delivery(
        &db.pool,
        "update apalis.jobs set status = 'Done', done_at = now() where id = $1",
        &jobs[0],
    )
    .await;
    tamper_delivery(&db.pool, "update apalis.jobs set status = 'Killed' where id = $1", &jobs[1]).await;
    tamper_delivery(&db.pool, "delete from apalis.jobs where id = $1", &jobs[2]).await;
    tamper_delivery(
        &db.pool,
        "update apalis.jobs set status = 'Failed', attempts = max_attempts where id = $1",
        &jobs[3],
    )
    .await;
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 0, "too early to tell");
    age(&db.pool).await;
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 4);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending due
    b noop maintenance queued attempt 0/3 fence 0 | Pending due
    c noop maintenance queued attempt 0/3 fence 0 | Pending due
    d noop maintenance queued attempt 0/3 fence 0 | Pending due
    ");
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 0);
}

/// apalis keeps a task `Running` when the worker's loop ended between its fetch and its acknowledgement.
#[tokio::test]
async fn a_delivery_held_by_a_dead_loop_is_freed_and_one_held_by_a_live_loop_is_not() {
    let db = TestDatabase::create().await;
    enqueue_one(&db.pool, &a_job()).await;
    deliver_to(&db.pool, "loop", 0).await;
    age(&db.pool).await;
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 0);
    sqlx::query("update apalis.workers set last_seen = now() - interval '1 hour'")
        .execute(&db.pool)
        .await
        .unwrap();
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 1);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

#[tokio::test]
async fn a_redelivery_keeps_the_back_off() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    mark_retrying(&db.pool, job, fence, &JobFailure::new("x", "y"), chrono::Utc::now() + LEASE, true)
        .await
        .unwrap();
    sqlx::query("delete from apalis.jobs").execute(&db.pool).await.unwrap();
    age(&db.pool).await;
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 1);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance retrying attempt 1/3 fence 1 next (x: y) | Pending later");
}

#[tokio::test]
async fn what_runs_or_has_ended_is_not_delivered_again() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    start(&db.pool, jobs[0].id, worker).await;
    let fence = start(&db.pool, jobs[1].id, worker).await.fence;
    finish_one(&db.pool, jobs[1].id, fence, success()).await;
    sqlx::query("delete from apalis.jobs").execute(&db.pool).await.unwrap();
    age(&db.pool).await;
    assert_eq!(redeliver_stranded(&db.pool, HALF_A_MINUTE).await.unwrap(), 0);
}

async fn tamper_delivery(pool: &PgPool, sql: &'static str, job: &NewJob) {
    sqlx::query(sql).bind(job.id.delivery_id()).execute(pool).await.unwrap();
}

/// A job that a dead worker left `running` is not stranded: its lease decides.
#[tokio::test]
async fn recovery_hands_out_a_delivery_that_apalis_holds() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    start(&db.pool, job, a_worker(&db.pool).await).await;
    deliver_to(&db.pool, "alive", 0).await;
    tamper(&db.pool, "update jobs set lease_expires_at = now() - interval '1 second' where id = $1", job)
        .await;
    recover_lost(&db.pool).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 1/3 fence 1 | Pending due");
}

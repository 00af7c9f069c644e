//! What is old goes, with all that hangs on it; what is young or unfinished stays.

use std::time::Duration;

use chrono::Utc;
use lookalike_shared::config::Retention;
use lookalike_shared::db::queue::NewJob;
use lookalike_shared::db::{items, jobs, logs, retention};
use lookalike_shared::domain::job::{JobId, JobKind};
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_job_of, a_key, a_worker, enqueue_all, queue_as_text, start,
};
use sqlx::PgPool;

use super::{finish_one, success};

const HOUR: Duration = Duration::from_secs(3_600);

fn keep() -> Retention {
    Retention { jobs: HOUR * 24, searches: HOUR, events: HOUR * 2, samples: HOUR }
}

/// Prunes until nothing is left to prune, and gives how many rows went.
async fn prune_all(pool: &PgPool) -> u64 {
    let mut total = 0;
    loop {
        match retention::prune(pool, &keep()).await.unwrap() {
            0 => return total,
            rows => total += rows,
        }
    }
}

/// Enqueues, starts and ends a job of that kind.
async fn ended(pool: &PgPool, kind: JobKind) -> JobId {
    let job = a_job_of(kind);
    enqueue_all(pool, std::slice::from_ref(&job)).await;
    let fence = start(pool, job.id, a_worker(pool).await).await.fence;
    items::insert_items(pool, job.id, &[]).await.unwrap();
    logs::insert_line(pool, job.id, fence, "info", "done").await.unwrap();
    finish_one(pool, job.id, fence, success()).await;
    job.id
}

async fn age(pool: &PgPool, job: JobId, hours: i32) {
    let sql = "update jobs set finished_at = now() - make_interval(hours => $2) where id = $1";
    sqlx::query(sql).bind(job.0).bind(hours).execute(pool).await.unwrap();
}

#[tokio::test]
async fn ended_jobs_go_when_their_time_is_over_and_searches_go_first() {
    let db = TestDatabase::create().await;
    let old = ended(&db.pool, JobKind::Train).await;
    let young = ended(&db.pool, JobKind::Train).await;
    let search = ended(&db.pool, JobKind::Search).await;
    let waiting = a_job();
    enqueue_all(&db.pool, std::slice::from_ref(&waiting)).await;
    age(&db.pool, old, 25).await;
    age(&db.pool, young, 23).await;
    age(&db.pool, search, 2).await;
    prune_all(&db.pool).await;
    let left: Vec<JobId> = jobs::list_jobs(&db.pool, &jobs::JobFilter::default(), 10)
        .await
        .unwrap()
        .iter()
        .map(|job| job.id)
        .collect();
    assert_eq!(left, [waiting.id, young]);
    let deliveries: Vec<String> =
        sqlx::query_scalar("select id from apalis.jobs order by id").fetch_all(&db.pool).await.unwrap();
    assert_eq!(deliveries, [young.delivery_id(), waiting.id.delivery_id()]);
    let lines: i64 = sqlx::query_scalar("select count(*) from job_logs").fetch_one(&db.pool).await.unwrap();
    assert_eq!(lines, 1);
}

/// More than one batch, and none of them with a delivery to go by.
#[tokio::test]
async fn a_mountain_of_old_jobs_goes_in_batches() {
    let db = TestDatabase::create().await;
    let many: Vec<NewJob> = (0..11_000).map(|_| a_job()).collect();
    enqueue_all(&db.pool, &many).await;
    let old = "update jobs set state = 'cancelled', finished_at = now() - interval '2 days'";
    sqlx::query(old).execute(&db.pool).await.unwrap();
    sqlx::query("delete from apalis.jobs").execute(&db.pool).await.unwrap();
    assert!(prune_all(&db.pool).await >= 11_000);
    assert_eq!(queue_as_text(&db.pool).await, "");
}

#[tokio::test]
async fn old_events_samples_answers_sessions_and_loops_go() {
    let db = TestDatabase::create().await;
    let key = a_key(&db.pool, "k", Scope::Read).await;
    ended(&db.pool, JobKind::Noop).await;
    sqlx::query("update job_events set at = now() - interval '3 hours'").execute(&db.pool).await.unwrap();
    let kept = ended(&db.pool, JobKind::Noop).await;
    let old_rows = [
        "insert into queue_samples select 'train', now() - interval '2 hours', 0, 0, 0, 0",
        "insert into worker_samples select id, now() - interval '2 hours', 0, 0, 0 from workers limit 1",
        "insert into idempotency_keys (key_id, key, request_hash, created_at)
             select id, 'old', '', now() - interval '25 hours' from keys",
        "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
             values ('old', 'x', 'y', '', now() - interval '2 days'), ('new', 'x', 'y', '', now()),
                    ('holder', 'x', 'y', '', now() - interval '2 days')",
        "update apalis.jobs set lock_by = 'holder'",
    ];
    for sql in old_rows {
        sqlx::query(sql).execute(&db.pool).await.unwrap();
    }
    let (ended_session, live_session) = (Utc::now() - HOUR, Utc::now() + HOUR);
    lookalike_shared::db::keys::insert_session(&db.pool, b"old", key, ended_session).await.unwrap();
    lookalike_shared::db::keys::insert_session(&db.pool, b"new", key, live_session).await.unwrap();
    prune_all(&db.pool).await;
    let counts: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from queue_samples), (select count(*) from worker_samples),
                (select count(*) from idempotency_keys), (select count(*) from sessions),
                (select count(*) from job_events where job_id <> $1)",
    )
    .bind(kept.0)
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert_eq!(counts, (0, 0, 0, 1, 0));
    let loops: Vec<String> =
        sqlx::query_scalar("select id from apalis.workers order by id").fetch_all(&db.pool).await.unwrap();
    assert_eq!(loops, ["holder", "new"]);
}

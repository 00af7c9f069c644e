//! How tasks get into the queue.

use apalis::prelude::TaskBuilder;
use apalis_postgres::PostgresStorage;
use apalis_postgres::queries::push_tasks;
use chrono::{DateTime, Utc};
use lookalike_shared::db::PgListener;
use lookalike_shared::db::queue::{Claim, NewJob, claim_jobs};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{TestDatabase, a_job, enqueue_one};
use std::time::Duration;

use super::{QUEUE, SOON, push, push_one, task};

/// `setup` makes two extensions and its own table of migrations, so that both schemas live side by side; it may
/// run again and again. Used in `db::migrate`; the extensions come with the PostgreSQL of `deploy/local/bootstrap`.
#[tokio::test]
async fn setup_works_on_our_postgresql_and_beside_our_schema() {
    let db = TestDatabase::create().await;
    PostgresStorage::<()>::setup(&db.pool).await.unwrap();
    let sql =
        "select extname::text from pg_extension where extname in ('hstore', 'pgcrypto', 'vector') order by 1";
    let extensions: Vec<String> = sqlx::query_scalar(sql).fetch_all(&db.pool).await.unwrap();
    assert_eq!(extensions, ["hstore", "pgcrypto", "vector"]);
    let sql = "select schemaname::text from pg_tables where tablename = '_sqlx_migrations' order by 1";
    let schemas: Vec<String> = sqlx::query_scalar(sql).fetch_all(&db.pool).await.unwrap();
    assert_eq!(schemas, ["apalis", "public"]);
}

/// `push_tasks` takes our connection, so that a job and its delivery commit together. Used in
/// `db::queue::enqueue`.
#[tokio::test]
async fn a_push_is_part_of_our_transaction() {
    let db = TestDatabase::create().await;
    let (_, pushed) = task(1);
    let mut tx = db.pool.begin().await.unwrap();
    push_tasks(&mut *tx, QUEUE, vec![pushed.build()]).await.unwrap();
    tx.rollback().await.unwrap();
    let count: i64 =
        sqlx::query_scalar("select count(*) from apalis.jobs").fetch_one(&db.pool).await.unwrap();
    assert_eq!(count, 0);
}

/// A key that was used fails the whole batch and with it our transaction, for ever. We keep keys in
/// `db::idempotency` instead, with ON CONFLICT and an end.
#[tokio::test]
async fn a_used_idempotency_key_breaks_the_transaction() {
    let db = TestDatabase::create().await;
    push(&db.pool, vec![task(1).1.idempotency_key("k").build()]).await;
    let mut tx = db.pool.begin().await.unwrap();
    let batch = vec![task(2).1.build(), task(3).1.idempotency_key("k").build()];
    push_tasks(&mut *tx, QUEUE, batch).await.unwrap_err();
    let error = sqlx::query("select 1").execute(&mut *tx).await.unwrap_err();
    assert!(error.to_string().contains("current transaction is aborted"), "{error}");
}

/// A priority is an unsigned number, hence no job can wait behind the default one. `db::queue` shifts ours, -100
/// to 100, by 100.
#[tokio::test]
async fn priorities_cannot_be_negative_so_ours_are_shifted() {
    let _: fn(TaskBuilder<Vec<u8>>, usize) -> TaskBuilder<Vec<u8>> = TaskBuilder::priority;
    let db = TestDatabase::create().await;
    for (ours, theirs) in [(-100, 0), (0, 100), (100, 200)] {
        let submission = Submission { priority: ours, ..Submission::default() };
        let job = enqueue_one(&db.pool, &NewJob { submission, ..a_job() }).await;
        let sql = "select priority from apalis.jobs where id = $1";
        let stored: i32 = sqlx::query_scalar(sql).bind(job.delivery_id()).fetch_one(&db.pool).await.unwrap();
        assert_eq!(stored, theirs);
    }
}

/// `run_at` is pushed in whole seconds, rounded down: a delivery may come up to a second early. `claim_jobs`
/// answers `Later` with the exact time then, and `defer_deliveries` writes that, which is exact.
#[tokio::test]
async fn a_pushed_time_is_cut_to_the_second_and_a_claim_before_its_time_waits() {
    let db = TestDatabase::create().await;
    let second: DateTime<Utc> = DateTime::from_timestamp(Utc::now().timestamp() + 3_600, 0).unwrap();
    let due = second + Duration::from_millis(900);
    let submission = Submission { scheduled_at: Some(due), ..Submission::default() };
    let job = enqueue_one(&db.pool, &NewJob { submission, ..a_job() }).await;
    let run_at: DateTime<Utc> =
        sqlx::query_scalar("select run_at from apalis.jobs").fetch_one(&db.pool).await.unwrap();
    assert_eq!(run_at, second);
    let claims = claim_jobs(&db.pool, &[job], uuid::Uuid::now_v7(), SOON).await.unwrap();
    assert_eq!(claims, [Claim::Later(job, due)]);
}

/// Workers are told of inserted tasks that are due, and of nothing else: retries, resumed and recovered
/// deliveries are found by looking. That is why our loop has `poll_with_interval`.
#[tokio::test]
async fn only_an_insert_that_is_due_notifies() {
    let db = TestDatabase::create().await;
    let mut listener = PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen("apalis::job::insert").await.unwrap();
    let (_, later) = task(1);
    push(&db.pool, vec![later.run_in_seconds(3_600).build()]).await;
    super::execute(&db.pool, "update apalis.jobs set run_at = now()").await;
    let id = push_one(&db.pool, 2).await;
    let told = tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
    assert!(told.payload().contains(&id), "{}", told.payload());
}

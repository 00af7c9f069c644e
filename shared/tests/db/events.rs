//! The log of changes: a follower of `id > last` misses nothing and is woken.

use std::collections::BTreeSet;

use lookalike_shared::db::events::{find_bounds, list_events};
use lookalike_shared::db::queue::{enqueue, mark_progress, renew_leases};
use lookalike_shared::db::{EVENTS_CHANNEL, PgListener, metrics};
use lookalike_shared::domain::job::{JobId, JobKind, Progress};
use lookalike_shared::testing::{
    TestDatabase, a_job, a_job_of, a_worker, enqueue_one, events_as_text, start,
};
use serde_json::json;
use sqlx::PgPool;

use super::{LEASE, SOON, wait_for_lock_waiters};

/// Ids are given in commit order: whoever would get a later id waits for the commit of the earlier one.
#[tokio::test]
async fn an_event_is_not_seen_before_an_earlier_one() {
    let db = TestDatabase::create().await;
    let (slow, fast) = (a_job(), a_job());
    let mut first = db.pool.begin().await.unwrap();
    enqueue(&mut first, std::slice::from_ref(&slow)).await.unwrap();
    let (pool, job) = (db.pool.clone(), fast.clone());
    let second = tokio::spawn(async move { enqueue_one(&pool, &job).await });
    wait_for_lock_waiters(&db.pool, 1).await;
    assert_eq!(list_events(&db.pool, None, 0, 10).await.unwrap(), [], "neither is committed");
    first.commit().await.unwrap();
    second.await.unwrap();
    let seen: Vec<uuid::Uuid> =
        list_events(&db.pool, None, 0, 10).await.unwrap().iter().map(|e| e.job_id).collect();
    assert_eq!(seen, [slow.id.0, fast.id.0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_of_eight_writers_misses_nothing() {
    const WRITERS: usize = 8;
    const EACH: usize = 60;
    let db = TestDatabase::create().await;
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(db.pool.clone(), writer, EACH))).collect();
    let mut seen = BTreeSet::new();
    let mut last = 0;
    while seen.len() < WRITERS * EACH {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let events = list_events(&db.pool, None, last, 50).await.unwrap();
        assert!(
            !(done && events.is_empty()),
            "{} of {} events were missed",
            WRITERS * EACH - seen.len(),
            WRITERS * EACH
        );
        for event in events {
            assert!(event.id > last);
            last = event.id;
            seen.insert(event.job_id);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Enqueues jobs one by one, each transaction a little longer or shorter than the next writer's.
async fn write(pool: PgPool, writer: usize, count: usize) {
    for round in 0..count {
        let mut tx = pool.begin().await.unwrap();
        enqueue(&mut tx, &[a_job()]).await.unwrap();
        for _ in 0..(writer * 7 + round * 3) % 5 {
            sqlx::query("select 1").execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn every_change_wakes_the_readers() {
    let db = TestDatabase::create().await;
    let mut listener = PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen(EVENTS_CHANNEL).await.unwrap();
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
    metrics::insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 1})).await.unwrap();
    tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn progress_and_metrics_are_events_and_heartbeats_are_not() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Train)).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    let progress = Progress { done: 1, ..Progress::default() };
    mark_progress(&db.pool, job, fence, &progress, None).await.unwrap();
    let (_, newest) = find_bounds(&db.pool).await.unwrap();
    mark_progress(&db.pool, job, fence, &progress, Some(&json!({"epoch": 1}))).await.unwrap();
    renew_leases(&db.pool, &[(job, fence)], LEASE).await.unwrap();
    assert_eq!(find_bounds(&db.pool).await.unwrap().1, newest, "nothing changed that a client sees");
    metrics::insert_epoch(&db.pool, job, fence, 1, &json!({"loss": 1})).await.unwrap();
    let events = list_events(&db.pool, Some(job), 0, 10).await.unwrap();
    let types: Vec<&str> = events.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(types, ["queued", "started", "progress", "metrics"]);
    assert_eq!(events[2].progress, Some(json!(progress)));
    assert_eq!(events[3].data, Some(json!({"loss": 1})));
}

#[tokio::test]
async fn events_are_read_by_job_from_any_point_on() {
    let db = TestDatabase::create().await;
    assert_eq!(find_bounds(&db.pool).await.unwrap(), (0, 0));
    let one = enqueue_one(&db.pool, &a_job()).await;
    let other = enqueue_one(&db.pool, &a_job()).await;
    let worker = a_worker(&db.pool).await;
    start(&db.pool, one, worker).await;
    let all = list_events(&db.pool, None, 0, 10).await.unwrap();
    assert_eq!(find_bounds(&db.pool).await.unwrap(), (all[0].id, all[2].id));
    assert_eq!(list_events(&db.pool, Some(other), 0, 10).await.unwrap(), all[1..2]);
    assert_eq!(list_events(&db.pool, Some(one), all[0].id, 10).await.unwrap(), all[2..]);
    assert_eq!(list_events(&db.pool, None, 0, 1).await.unwrap(), all[..1]);
    assert_eq!(list_events(&db.pool, Some(JobId::generate()), 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn the_statement_that_changes_nothing_is_no_event() {
    let db = TestDatabase::create().await;
    lookalike_shared::db::queue::cancel_jobs(&db.pool, &[JobId::generate()]).await.unwrap();
    lookalike_shared::db::queue::promote_due(&db.pool).await.unwrap();
    lookalike_shared::db::jobs::delete_jobs(&db.pool, &[JobId::generate()]).await.unwrap();
    assert_eq!(events_as_text(&db.pool, 0).await, "");
}

//! Which task comes when.

use std::time::Duration;

use apalis::prelude::{WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::PostgresStorage;
use apalis_postgres::queries::lock_tasks;
use futures::FutureExt;
use lookalike_shared::testing::TestDatabase;
use tokio::sync::mpsc;

use super::{
    Loop, SOON, Script, config, execute, handle, push, push_one, row, task, wait_for, wait_for_status,
};

/// A handler that says which tasks it ran, and ends them well.
fn telling() -> (Script, mpsc::UnboundedReceiver<u32>) {
    let (sender, ran) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        sender.send(number).unwrap();
        async { Ok(()) }
    });
    (script, ran)
}

/// Our priorities, and the order of submission within one, are what `jobs` promises; `mark_resumed` keeps the
/// latter by writing `run_at`.
#[tokio::test]
async fn the_highest_priority_comes_first_and_then_the_earliest() {
    let db = TestDatabase::create().await;
    let early = 1_000_000;
    let tasks = vec![
        task(1).1.priority(100).run_at_timestamp(early + 1).build(),
        task(2).1.priority(0).run_at_timestamp(early).build(),
        task(3).1.priority(200).run_at_timestamp(early + 2).build(),
        task(4).1.priority(100).run_at_timestamp(early).build(),
    ];
    push(&db.pool, tasks).await;
    let (script, mut ran) = telling();
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(tokio::time::timeout(SOON, ran.recv()).await.unwrap().unwrap());
    }
    running.stop().await;
    assert_eq!(order, [3, 4, 1, 2]);
}

/// `mark_paused` parks deliveries in the far future, and `mark_resumed` brings them back by an update.
#[tokio::test]
async fn a_task_moved_to_the_future_does_not_come_and_one_moved_back_does() {
    let db = TestDatabase::create().await;
    let parked = push_one(&db.pool, 1).await;
    execute(&db.pool, "update apalis.jobs set run_at = run_at + interval '1000 years'").await;
    let next = push_one(&db.pool, 2).await;
    let (script, mut ran) = telling();
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    wait_for_status(&db.pool, &next, "Done").await;
    assert_eq!((ran.recv().await, row(&db.pool, &parked).await.status.as_str()), (Some(2), "Pending"));
    execute(&db.pool, "update apalis.jobs set run_at = now() where status = 'Pending'").await;
    assert_eq!(tokio::time::timeout(SOON, ran.recv()).await.unwrap(), Some(1));
    running.stop().await;
}

/// Without an interval an idle worker looks for tasks only when it is notified or its heartbeat is due: a retry
/// whose time has come lies there. `runtime::delivery` gives every queue its interval.
#[tokio::test]
async fn without_an_interval_a_task_that_falls_due_is_not_seen() {
    let db = TestDatabase::create().await;
    let (script, mut ran) = telling();
    let (_, later) = task(1);
    push(&db.pool, vec![later.run_in_seconds(2).build()]).await;
    let config = config().heartbeat_interval(Duration::from_secs(600));
    let backend = PostgresStorage::<u32>::new(&db.pool).with_config(config).with_pubsub();
    let worker = WorkerBuilder::new("w").backend(backend).data(script).concurrency(1).build(handle);
    let running = tokio::spawn(worker.run().boxed());
    wait_for(&db.pool, "select now() > run_at + interval '1500 milliseconds' from apalis.jobs").await;
    assert!(ran.try_recv().is_err(), "nobody looked");
    push_one(&db.pool, 2).await;
    assert!(tokio::time::timeout(SOON, ran.recv()).await.unwrap().is_some(), "a notification makes it look");
    running.abort();
}

/// A lock takes over a task that another worker fetched: apalis' lock is no fence. Ours is `jobs.fence`.
#[tokio::test]
async fn a_lock_takes_over_what_another_worker_fetched() {
    let db = TestDatabase::create().await;
    let id = push_one(&db.pool, 1).await;
    execute(
        &db.pool,
        "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
             values ('one', 'contract', 'PgStorage', '', now()), ('other', 'contract', 'PgStorage', '', now());
         update apalis.jobs set status = 'Queued', lock_by = 'one', lock_at = now()",
    )
    .await;
    let mut connection = db.pool.acquire().await.unwrap();
    lock_tasks(&mut *connection, std::slice::from_ref(&id), "other").await.unwrap();
    let taken = row(&db.pool, &id).await;
    assert_eq!((taken.status.as_str(), taken.lock_by.as_deref()), ("Running", Some("other")));
}

//! What becomes of a task whose handler ends, one way or another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::{AbortError, RetryAfterError, WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::PostgresStorage;
use futures::FutureExt;
use lookalike_shared::testing::{TestDatabase, wait_until};
use tokio::sync::{Notify, mpsc};

use super::{
    Loop, SOON, Script, config, execute, handle, push, push_one, row, task, wait_for, wait_for_status,
};

/// The state is set inside the layer, but acknowledged outside of it: a panic caught between leaves the task
/// `Running` while its worker lives. `runtime::attempt` catches panics inside the handler.
#[tokio::test]
async fn a_panic_behind_catch_panic_leaves_the_task_running() {
    let db = TestDatabase::create().await;
    let script = Script::new(|number| async move {
        assert!(number != 1, "a panic that the test asks for");
        Ok(())
    });
    let backend = PostgresStorage::<u32>::new(&db.pool).with_config(config()).with_pubsub();
    let worker =
        WorkerBuilder::new("w").backend(backend).data(script).concurrency(1).catch_panic().build(handle);
    let running = tokio::spawn(worker.run().boxed());
    let panicked = push_one(&db.pool, 1).await;
    wait_for(&db.pool, "select bool_or(done_at is not null) from apalis.jobs").await;
    let next = push_one(&db.pool, 2).await;
    wait_for_status(&db.pool, &next, "Done").await;
    let left = row(&db.pool, &panicked).await;
    assert_eq!((left.status.as_str(), left.attempts, left.is_done), ("Running", 1, true));
    running.abort();
}

/// The same for apalis' timeout. `runtime::attempt` bounds the time inside the handler.
#[tokio::test]
async fn a_timeout_layer_leaves_the_task_running() {
    let db = TestDatabase::create().await;
    let script = Script::new(|number| async move {
        if number == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    let backend = PostgresStorage::<u32>::new(&db.pool).with_config(config()).with_pubsub();
    let limit = Duration::from_millis(50);
    let worker =
        WorkerBuilder::new("w").backend(backend).data(script).concurrency(1).timeout(limit).build(handle);
    let running = tokio::spawn(worker.run().boxed());
    let late = push_one(&db.pool, 1).await;
    wait_for(&db.pool, "select bool_or(done_at is not null) from apalis.jobs").await;
    let next = push_one(&db.pool, 2).await;
    wait_for_status(&db.pool, &next, "Done").await;
    let left = row(&db.pool, &late).await;
    assert_eq!((left.status.as_str(), left.attempts, left.is_done), ("Running", 1, true));
    running.abort();
}

/// The delay is ignored and so is the bound on attempts: such a task runs in a hot loop. `runtime::attempt`
/// sets `run_at` itself and returns a plain error.
#[tokio::test]
async fn a_retry_after_an_hour_runs_again_at_once_for_ever() {
    let db = TestDatabase::create().await;
    let runs = Arc::new(AtomicU32::new(0));
    let count = runs.clone();
    let script = Script::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Err(RetryAfterError::new("not yet", Duration::from_secs(3_600)).into()) }
    });
    let (_, pushed) = task(1);
    push(&db.pool, vec![pushed.max_attempts(4).build()]).await;
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    wait_until("it runs 10 times", SOON, || async { (runs.load(Ordering::SeqCst) >= 10).then_some(()) })
        .await;
    running.stop().await;
    let due: bool =
        sqlx::query_scalar("select run_at < now() from apalis.jobs").fetch_one(&db.pool).await.unwrap();
    assert!(due, "the delay was written nowhere");
}

/// A plain error makes the task `Failed`, and it is fetched again once its `run_at` has passed. This carries our
/// back-off (`mark_retrying`), hand-back (`mark_released`) and every `Later` (`defer_deliveries`).
#[tokio::test]
async fn a_failed_task_comes_again_when_its_time_has_come() {
    let db = TestDatabase::create().await;
    let (sender, mut runs) = mpsc::unbounded_channel();
    let pool = db.pool.clone();
    let script = Script::new(move |_| {
        let (pool, sender) = (pool.clone(), sender.clone());
        async move {
            execute(&pool, "update apalis.jobs set run_at = now() + interval '700 milliseconds'").await;
            sender.send(Instant::now()).unwrap();
            Err("comes again".into())
        }
    });
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    let id = push_one(&db.pool, 1).await;
    let first = runs.recv().await.unwrap();
    assert_eq!(wait_for_status(&db.pool, &id, "Failed").await.attempts, 1);
    let second = tokio::time::timeout(SOON, runs.recv()).await.unwrap().unwrap();
    assert!(second - first >= Duration::from_millis(650), "{:?}", second - first);
    running.stop().await;
}

/// Used nowhere: our final failures are acknowledged with `Ok`, since `jobs` says what came of them.
#[tokio::test]
async fn an_abort_error_kills_the_task() {
    let db = TestDatabase::create().await;
    let script = Script::new(|_| async { Err(AbortError::new("for good").into()) });
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    let id = push_one(&db.pool, 1).await;
    assert_eq!(wait_for_status(&db.pool, &id, "Killed").await.attempts, 1);
    running.stop().await;
}

/// `cancel_jobs` takes a waiting delivery out of the queue so.
#[tokio::test]
async fn a_waiting_task_that_was_killed_by_sql_is_not_run() {
    let db = TestDatabase::create().await;
    let (sender, mut runs) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        sender.send(number).unwrap();
        async { Ok(()) }
    });
    let killed = push_one(&db.pool, 1).await;
    execute(&db.pool, "update apalis.jobs set status = 'Killed', done_at = now()").await;
    let next = push_one(&db.pool, 2).await;
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    wait_for_status(&db.pool, &next, "Done").await;
    running.stop().await;
    assert_eq!((runs.recv().await, runs.recv().await), (Some(2), None));
    assert_eq!(row(&db.pool, &killed).await.status, "Killed");
}

/// An acknowledgement looks at `lock_by` alone, so `Killed` on a running task is overwritten. `cancel_jobs`
/// leaves such a delivery alone and asks the worker to stop.
#[tokio::test]
async fn a_running_task_that_was_killed_by_sql_ends_done() {
    let db = TestDatabase::create().await;
    let go = Arc::new(Notify::new());
    let (started, going) = (Arc::new(Notify::new()), go.clone());
    let start = started.clone();
    let script = Script::new(move |_| {
        let (start, going) = (start.clone(), going.clone());
        async move {
            start.notify_one();
            going.notified().await;
            Ok(())
        }
    });
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    let id = push_one(&db.pool, 1).await;
    started.notified().await;
    wait_for_status(&db.pool, &id, "Running").await;
    execute(&db.pool, "update apalis.jobs set status = 'Killed', done_at = now()").await;
    go.notify_one();
    wait_for_status(&db.pool, &id, "Done").await;
    running.stop().await;
}

/// A worker that lost its lock cannot acknowledge: the row was given to others. `recover_lost` and
/// `redeliver_stranded` rely on it when they clear `lock_by`.
#[tokio::test]
async fn the_late_acknowledgement_of_a_worker_that_lost_its_lock_is_dropped() {
    let db = TestDatabase::create().await;
    let go = Arc::new(Notify::new());
    let going = go.clone();
    let script = Script::new(move |number| {
        let going = going.clone();
        async move {
            if number == 1 {
                going.notified().await;
            }
            Ok(())
        }
    });
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    let lost = push_one(&db.pool, 1).await;
    wait_for_status(&db.pool, &lost, "Running").await;
    execute(
        &db.pool,
        "update apalis.jobs set status = 'Pending', lock_by = null, run_at = now() + interval '1 hour'",
    )
    .await;
    let next = push_one(&db.pool, 2).await;
    go.notify_one();
    wait_for_status(&db.pool, &next, "Done").await;
    let left = row(&db.pool, &lost).await;
    assert_eq!((left.status.as_str(), left.lock_by, left.is_done), ("Pending", None, false));
    running.stop().await;
}

/// Despite its name the setting turns acknowledgements off. `runtime::delivery` leaves it on; results are `()`.
#[tokio::test]
async fn results_that_are_not_persisted_are_not_acknowledged() {
    let db = TestDatabase::create().await;
    let (sender, mut runs) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        sender.send(number).unwrap();
        async { Ok(()) }
    });
    let running = Loop::start(&db.pool, "w", config().persist_results(false), 1, script);
    let id = push_one(&db.pool, 1).await;
    runs.recv().await.unwrap();
    running.stop().await;
    let left = row(&db.pool, &id).await;
    assert_eq!((left.status.as_str(), left.is_done), ("Running", false));
}

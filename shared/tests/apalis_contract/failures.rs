//! What becomes of tasks when workers, sessions or acknowledgements are lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apalis::prelude::WorkerError;
use lookalike_shared::testing::TestDatabase;
use tokio::sync::{Barrier, Notify, mpsc, oneshot};

use super::{
    Config, Loop, QUEUE, Script, config, execute, push, push_one, row, task, wait_for, wait_for_status,
};

/// A handler that says which task it began and then never ends.
fn stuck() -> (Script, mpsc::UnboundedReceiver<u32>) {
    let (sender, begun) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        sender.send(number).unwrap();
        async { std::future::pending().await }
    });
    (script, begun)
}

/// Registering under a name that exists refreshes its `last_seen`, so a worker that comes back under its old
/// name keeps its own orphans from ever being found. `runtime::delivery` makes a new name for every start.
#[tokio::test]
async fn a_restarted_worker_of_the_same_name_never_gets_its_orphans_back() {
    let db = TestDatabase::create().await;
    let (script, mut begun) = stuck();
    let config = || config().missed_heartbeats(4);
    let first = Loop::start(&db.pool, "same", config(), 1, script);
    let id = push_one(&db.pool, 1).await;
    begun.recv().await.unwrap();
    wait_for_status(&db.pool, &id, "Running").await;
    first.kill().await;
    execute(&db.pool, "create table begun as select now() as at").await;
    let second = Loop::start(&db.pool, "same", config(), 1, Script::done());
    // Longer than a worker may be silent.
    wait_for(&db.pool, "select last_seen > at + interval '5 seconds' from apalis.workers, begun").await;
    assert_eq!(row(&db.pool, &id).await.status, "Running");
    second.stop().await;
}

/// The orphans of a dead worker go to another one of that queue, their attempts counted up. Our own
/// `recover_lost` usually comes first; this is what happens when no API process runs.
#[tokio::test]
async fn another_worker_gets_the_orphans() {
    let db = TestDatabase::create().await;
    let (script, mut begun) = stuck();
    let first = Loop::start(&db.pool, "first", config(), 1, script);
    let id = push_one(&db.pool, 1).await;
    begun.recv().await.unwrap();
    wait_for_status(&db.pool, &id, "Running").await;
    first.kill().await;
    let second = Loop::start(&db.pool, "second", config(), 1, Script::done());
    assert_eq!(wait_for_status(&db.pool, &id, "Done").await.attempts, 2);
    second.stop().await;
}

/// The bound on attempts is not looked at when orphans are taken back: a task that kills its process is run for
/// ever. `claim_jobs` counts starts and ends such a job as `worker_lost`.
#[tokio::test]
async fn an_orphan_runs_again_however_often_it_was_tried() {
    let db = TestDatabase::create().await;
    let (id, pushed) = task(1);
    push(&db.pool, vec![pushed.max_attempts(2).build()]).await;
    execute(
        &db.pool,
        "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
             values ('dead', 'contract', 'PgStorage', '', now() - interval '1 hour');
         update apalis.jobs set status = 'Running', attempts = 40, lock_by = 'dead', lock_at = now()",
    )
    .await;
    let running = Loop::start(&db.pool, "alive", config(), 1, Script::done());
    assert_eq!(wait_for_status(&db.pool, &id, "Done").await.attempts, 42);
    running.stop().await;
}

/// An error text that PostgreSQL cannot store ends the loop, and the tasks that ended well with it are not
/// acknowledged either. Our handler's error is a constant; what failed is in `jobs`, freed of NULs by `JobFailure`.
#[tokio::test]
async fn a_nul_in_an_error_ends_the_loop_and_loses_the_whole_batch() {
    let db = TestDatabase::create().await;
    let together = Arc::new(Barrier::new(4));
    let script = Script::new(move |number| {
        let together = together.clone();
        async move {
            together.wait().await;
            if number == 3 { Err("bad \0 byte".into()) } else { Ok(()) }
        }
    });
    let ids: Vec<String> = {
        let (ids, tasks): (Vec<_>, Vec<_>) = (0..4).map(task).unzip();
        push(&db.pool, tasks.into_iter().map(apalis::prelude::TaskBuilder::build).collect()).await;
        ids
    };
    let error = Loop::start(&db.pool, "w", config().batch_size(4), 4, script).failed().await;
    assert!(matches!(error, WorkerError::BackendError(_)), "{error}");
    for id in ids {
        let left = row(&db.pool, &id).await;
        assert!(!left.is_done && left.status != "Done", "{left:?}");
    }
}

/// A statement that loses its session ends the loop. `runtime::delivery` starts it again, with a back-off and
/// under a new name.
#[tokio::test]
async fn a_terminated_session_ends_the_loop() {
    let db = TestDatabase::create().await;
    let running = Loop::start(&db.pool, "w", config(), 1, Script::done());
    let id = push_one(&db.pool, 1).await;
    wait_for_status(&db.pool, &id, "Done").await;
    // Held at a lock, the worker's next statement cannot end before it is shot.
    let other = db.connect(1).await;
    let mut lock = other.begin().await.unwrap();
    sqlx::query("lock table apalis.jobs, apalis.workers").execute(&mut *lock).await.unwrap();
    let shoot = "select coalesce(bool_or(pg_terminate_backend(pid)), false) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'";
    wait_for(&db.pool, shoot).await;
    let error = running.failed().await;
    assert!(matches!(error, WorkerError::BackendError(_)), "{error}");
}

/// While fetched tasks wait for a slot, neither heartbeats nor acknowledgements are sent: other workers take such
/// a worker for dead and repeat its tasks. `runtime::delivery` fetches long jobs one at a time.
#[tokio::test]
async fn a_worker_with_buffered_tasks_is_silent() {
    let db = TestDatabase::create().await;
    let go = Arc::new(Notify::new());
    let going = go.clone();
    let (sender, mut begun) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        let going = going.clone();
        sender.send(number).unwrap();
        async move {
            going.notified().await;
            Ok(())
        }
    });
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(push_one(&db.pool, number).await);
    }
    let running = Loop::start(&db.pool, "w", config().batch_size(4), 1, script);
    begun.recv().await.unwrap();
    go.notify_one();
    begun.recv().await.unwrap();
    wait_for(&db.pool, "select now() - last_seen > interval '2500 milliseconds' from apalis.workers").await;
    assert_ne!(row(&db.pool, &ids[0]).await.status, "Done", "the first ended, but is not acknowledged");
    running.kill().await;
}

/// The other side of it: fetching one at a time, a worker is heard of however long its task takes.
#[tokio::test]
async fn a_worker_that_fetches_one_at_a_time_is_heard_of() {
    let db = TestDatabase::create().await;
    let (script, mut begun) = stuck();
    push_one(&db.pool, 1).await;
    push_one(&db.pool, 2).await;
    let running = Loop::start(&db.pool, "w", config(), 1, script);
    begun.recv().await.unwrap();
    execute(&db.pool, "create table begun as select now() as at").await;
    wait_for(&db.pool, "select last_seen > at + interval '2500 milliseconds' from apalis.workers, begun")
        .await;
    assert!(begun.try_recv().is_err(), "one task at a time");
    running.kill().await;
}

/// All loops and handlers of a worker share one task: a handler that blocks silences its worker. Everything of
/// ours that computes runs on a thread of its own, and leases are renewed from another one (`runtime::lease`).
#[tokio::test]
async fn a_handler_that_blocks_silences_its_worker() {
    let db = TestDatabase::create().await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (sender, mut begun) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        let released = released.clone();
        sender.send(number).unwrap();
        async move {
            released.lock().unwrap().recv()?;
            Ok(())
        }
    });
    let id = push_one(&db.pool, 1).await;
    // A thread and a runtime of its own, since the handler blocks the whole of both.
    let (stop, stopped) = oneshot::channel::<()>();
    let database = db.config(4);
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let pool = lookalike_shared::db::connect(&database).await.unwrap();
            let running = Loop::start(&pool, "w", config(), 8, script);
            stopped.await.unwrap();
            running.stop().await;
        });
    });
    begun.recv().await.unwrap();
    wait_for(&db.pool, "select now() - last_seen > interval '2500 milliseconds' from apalis.workers").await;
    release.send(()).unwrap();
    wait_for_status(&db.pool, &id, "Done").await;
    stop.send(()).unwrap();
    thread.join().unwrap();
}

/// A worker that stops hands back what it had only buffered, and an attempt with each, though none was begun.
/// That is why `jobs` counts attempts and `db::queue` allows apalis a million.
#[tokio::test]
async fn a_graceful_stop_counts_attempts_that_never_were() {
    let db = TestDatabase::create().await;
    let go = Arc::new(Notify::new());
    let going = go.clone();
    let (sender, mut begun) = mpsc::unbounded_channel();
    let script = Script::new(move |number| {
        let going = going.clone();
        sender.send(number).unwrap();
        async move {
            going.notified().await;
            Ok(())
        }
    });
    let (running_id, buffered_id) = (push_one(&db.pool, 1).await, push_one(&db.pool, 2).await);
    let config = Config::default().queue(QUEUE).batch_size(2).heartbeat_interval(Duration::from_secs(1));
    let running = Loop::start(&db.pool, "w", config, 1, script);
    let first = begun.recv().await.unwrap();
    let (ran, buffered) = if first == 1 { (running_id, buffered_id) } else { (buffered_id, running_id) };
    running.stop.notify_one();
    // The runtime has one thread: the loop hears of the stop before this goes on, and so before its task ends.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    running.stop().await;
    assert_eq!(row(&db.pool, &ran).await.status, "Done");
    let left = row(&db.pool, &buffered).await;
    assert_eq!((left.status.as_str(), left.attempts, left.lock_by), ("Pending", 1, None));
}

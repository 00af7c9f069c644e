//! What apalis 1.0.0 does, as far as we rely on it or work round it: an upgrade that changes any of it fails here.
//!
//! Every test runs a real worker of apalis against a real PostgreSQL and says where in our code the behaviour
//! is used. Nothing here is a wish: where apalis loses work or repeats it for ever, the test holds that it does.
//!
//! - [`pushing`]: how tasks get into the queue.
//! - [`endings`]: what becomes of a task whose handler ends, one way or another.
//! - [`failures`]: what becomes of tasks when workers, sessions or acknowledgements are lost.
//! - [`fetching`]: which task comes when.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod endings;
mod failures;
mod fetching;
mod pushing;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{
    BackendExt, BoxDynError, Data, TaskBuilder, TaskId, WorkerBuilder, WorkerBuilderExt, WorkerError,
};
use apalis_postgres::queries::push_tasks;
use apalis_postgres::{Config, PgTask, PostgresStorage};
use futures::FutureExt;
use futures::future::BoxFuture;
use lookalike_shared::testing::wait_until;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use ulid::Ulid;

/// The queue of every test.
const QUEUE: &str = "contract";
/// Long enough to see any wait end that should end.
const SOON: Duration = Duration::from_secs(15);

type Answer = Result<(), BoxDynError>;

/// What a handler does with a task, which holds a number.
#[derive(Clone)]
struct Script {
    act: Arc<dyn Fn(u32) -> BoxFuture<'static, Answer> + Send + Sync>,
}

impl Script {
    fn new<F: Future<Output = Answer> + Send + 'static>(
        act: impl Fn(u32) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { act: Arc::new(move |task| act(task).boxed()) }
    }

    /// Ends every task well.
    fn done() -> Self {
        Self::new(|_| async { Ok(()) })
    }
}

async fn handle(task: u32, script: Data<Script>) -> Answer {
    (script.act)(task).await
}

/// A worker of apalis that runs beside the test.
struct Loop {
    ended: JoinHandle<Result<(), WorkerError>>,
    stop: Arc<Notify>,
}

impl Loop {
    /// Starts a worker as our own loop does: woken by notifications, looking by itself every 20 ms.
    fn start(pool: &PgPool, name: &str, config: Config, concurrency: usize, script: Script) -> Self {
        let backend = PostgresStorage::<u32>::new(pool)
            .with_config(config)
            .with_pubsub()
            .poll_with_interval(Duration::from_millis(20));
        let worker =
            WorkerBuilder::new(name).backend(backend).data(script).concurrency(concurrency).build(handle);
        let stop = Arc::new(Notify::new());
        let signal = stop.clone();
        let until = async move {
            signal.notified().await;
            Ok::<(), std::io::Error>(())
        };
        Self { ended: tokio::spawn(worker.run_until(until).boxed()), stop }
    }

    /// Stops it gracefully and waits for its end.
    async fn stop(self) {
        self.stop.notify_one();
        tokio::time::timeout(SOON, self.ended).await.expect("it stops").unwrap().unwrap();
    }

    /// Ends it as a killed process ends: nothing is told to anybody.
    async fn kill(self) {
        self.ended.abort();
        assert!(self.ended.await.unwrap_err().is_cancelled());
    }

    /// Waits for an end that nobody asked for.
    async fn failed(self) -> WorkerError {
        tokio::time::timeout(SOON, self.ended)
            .await
            .expect("it ends")
            .unwrap()
            .expect_err("it ends with an error")
    }
}

/// One task at a time, a heartbeat every second, lost after one that was missed.
fn config() -> Config {
    Config::default()
        .queue(QUEUE)
        .batch_size(1)
        .heartbeat_interval(Duration::from_secs(1))
        .missed_heartbeats(1)
}

/// A task that holds `number`, and its id.
fn task(number: u32) -> (String, TaskBuilder<Vec<u8>>) {
    let id = Ulid::generate();
    let body = serde_json::to_vec(&number).unwrap();
    (id.to_string(), TaskBuilder::new(body).task_id(TaskId::from_ulid(id)))
}

async fn push(pool: &PgPool, tasks: Vec<PgTask>) {
    let mut tx = pool.begin().await.unwrap();
    push_tasks(&mut *tx, QUEUE, tasks).await.unwrap();
    tx.commit().await.unwrap();
}

/// Pushes a task that holds `number` and gives its id.
async fn push_one(pool: &PgPool, number: u32) -> String {
    let (id, task) = task(number);
    push(pool, vec![task.build()]).await;
    id
}

/// A task's row, as far as it matters here.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Row {
    status: String,
    attempts: i32,
    lock_by: Option<String>,
    is_done: bool,
}

async fn row(pool: &PgPool, id: &str) -> Row {
    let sql =
        "select status, attempts, lock_by, done_at is not null as is_done from apalis.jobs where id = $1";
    sqlx::query_as(sql).bind(id).fetch_one(pool).await.unwrap()
}

async fn wait_for_status(pool: &PgPool, id: &str, status: &str) -> Row {
    wait_until(&format!("a task is {status}"), SOON, || async {
        Some(row(pool, id).await).filter(|row| row.status == status)
    })
    .await
}

/// Waits until `condition` holds in the database.
async fn wait_for(pool: &PgPool, condition: &'static str) {
    wait_until(condition, SOON, || async {
        let holds: bool = sqlx::query_scalar(condition).fetch_one(pool).await.unwrap();
        holds.then_some(())
    })
    .await;
}

async fn execute(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

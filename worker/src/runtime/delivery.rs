//! apalis' loop, one per queue but that of searches: it fetches tasks, which hold nothing but a job's id, and hands them on.
//!
//! Settings follow what apalis was seen to do (pinned by the contract tests): queues of long jobs fetch one
//! task at a time, since a worker with buffered tasks sends no heartbeats; names are never used twice, since
//! a restarted worker of the same name never gets its orphans back; the loop's end is nothing unusual, since
//! a database hiccup ends it.

use std::time::Duration;

use apalis::prelude::{BackendExt, BoxDynError, Data, WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::{Config, PostgresStorage};
use futures::FutureExt;
use lookalike_shared::domain::job::{JobId, Queue};
use lookalike_shared::domain::retry::backoff;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Services;
use super::arrivals::Arrivals;
use super::attempt::{Attempts, Delivery};

/// How a queue is taken from.
pub struct Take {
    /// Tasks fetched by one statement.
    batch: usize,
    /// Jobs under way at a time.
    concurrency: usize,
    /// How often the queue is looked at when nothing wakes us.
    interval: Duration,
}

/// Long jobs, one after the other.
pub const LONG: Take = Take { batch: 1, concurrency: 1, interval: Duration::from_secs(1) };
/// Short jobs, many at a time.
pub const SHORT: Take = Take { batch: 128, concurrency: 512, interval: Duration::from_millis(500) };

/// Takes jobs from a queue until `stop`, then waits for those under way.
pub async fn run_queue(
    queue: Queue,
    take: Take,
    services: &Services,
    attempts: Attempts,
    arrivals: Arrivals,
    stop: CancellationToken,
) {
    let Take { batch, concurrency, interval } = take;
    let mut failures = 0;
    while !stop.is_cancelled() {
        let config = Config::default()
            .queue(queue.as_str())
            .batch_size(batch)
            .heartbeat_interval(Duration::from_secs(5))
            .missed_heartbeats(6);
        let backend = PostgresStorage::<JobId>::new(&services.db)
            .with_config(config)
            .poll_with_stream(arrivals.stream(queue))
            .poll_with_interval(interval);
        let worker =
            WorkerBuilder::new(format!("{}-{}-{}", services.worker_name, queue.as_str(), Uuid::now_v7()))
                .backend(backend)
                .data(attempts.clone())
                .concurrency(concurrency)
                .build(handle);
        let until = stop.clone().cancelled_owned().map(Ok::<(), std::io::Error>);
        let started = tokio::time::Instant::now();
        match worker.run_until(until).await {
            Ok(()) if stop.is_cancelled() => return,
            ended => {
                if started.elapsed() > Duration::from_secs(60) {
                    failures = 0;
                }
                failures += 1;
                tracing::warn!(
                    queue = queue.as_str(),
                    ?ended,
                    failures,
                    "the queue's loop ended; it is started anew"
                );
                let wait = backoff(failures, rand::random()).min(Duration::from_secs(5));
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

/// An apalis handler: `Err` makes a task `Failed`, which is fetched again once its `run_at` has passed.
async fn handle(job: JobId, attempts: Data<Attempts>) -> Result<(), BoxDynError> {
    match attempts.deliver(job).await {
        Ok(Delivery::Done) => Ok(()),
        Ok(Delivery::Again) => Err("comes again".into()),
        Err(error) => {
            tracing::warn!(job.id = %job, %error, "a delivery could not be looked at; it comes again");
            tokio::time::sleep(Duration::from_millis(500)).await;
            Err("comes again".into())
        }
    }
}

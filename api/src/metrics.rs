//! What `/metrics` tells Prometheus.
//!
//! Requests and events are counted as they happen; how queues and workers stand is read when Prometheus asks.
//! The recorder belongs to the application, not to the process, so that tests may run several. `/metrics` needs
//! no key: it names routes, queues and kinds, nothing that users have made.

use std::sync::Arc;

use lookalike_shared::db::events::Event;
use lookalike_shared::db::queues::{self, QueueStatus};
use lookalike_shared::db::{DbError, PgPool, workers};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};

/// Upper bounds of the histogram of answer times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

const REQUESTS: &str = "lookalike_http_request_duration_seconds";
const EVENTS: &str = "lookalike_job_events_total";
const WORKERS: &str = "lookalike_workers_ready";

/// Counts, and writes the counts down.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
}

impl Metrics {
    /// No counts yet.
    ///
    /// # Errors
    /// None with the bounds given here.
    pub fn new() -> Result<Self, BuildError> {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(REQUESTS.to_owned()), &SECONDS)?;
        let recorder = builder.build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_histogram!(
                REQUESTS,
                "Time until an answer began, by route, method and status."
            );
            metrics::describe_counter!(EVENTS, "Changes of jobs that this process saw, by kind and type.");
            metrics::describe_gauge!(WORKERS, "Workers that are ready.");
            metrics::describe_gauge!("lookalike_queue_jobs", "Unfinished jobs, by queue and state.");
            metrics::describe_gauge!(
                "lookalike_queue_oldest_age_seconds",
                "How long the oldest waiting job has waited."
            );
            metrics::describe_gauge!("lookalike_queue_paused", "1 while a queue hands out no jobs.");
        });
        Ok(Self { recorder: Arc::new(recorder) })
    }

    /// Counts an answer. `route` is the pattern, not the path, so that there are few of them.
    pub fn record_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
        let method = known.into_iter().find(|known| *known == method).unwrap_or("other");
        metrics::with_local_recorder(&*self.recorder, || {
            let labels =
                [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
            metrics::histogram!(REQUESTS, &labels).record(seconds);
        });
    }

    /// Counts a change of a job.
    pub fn record_event(&self, event: &Event) {
        metrics::with_local_recorder(&*self.recorder, || {
            let labels = [("kind", event.kind.clone()), ("type", event.r#type.clone())];
            metrics::counter!(EVENTS, &labels).increment(1);
        });
    }

    /// Everything in Prometheus' text format, with queues and workers as they are now.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot be asked.
    pub async fn render(&self, db: &PgPool) -> Result<String, DbError> {
        let queues = queues::list_queues(db).await?;
        let ready = workers::count_ready(db).await?;
        metrics::with_local_recorder(&*self.recorder, || {
            queues.iter().for_each(set_queue);
            metrics::gauge!(WORKERS).set(ready as f64);
        });
        let handle = self.recorder.handle();
        handle.run_upkeep();
        Ok(handle.render())
    }
}

fn set_queue(queue: &QueueStatus) {
    let states = [
        ("queued", queue.depth),
        ("running", queue.running),
        ("scheduled", queue.scheduled),
        ("retrying", queue.retrying),
    ];
    for (state, count) in states {
        let labels = [("queue", queue.name.clone()), ("state", state.to_owned())];
        metrics::gauge!("lookalike_queue_jobs", &labels).set(count as f64);
    }
    let name = [("queue", queue.name.clone())];
    metrics::gauge!("lookalike_queue_oldest_age_seconds", &name).set(queue.oldest_age_seconds.unwrap_or(0.0));
    metrics::gauge!("lookalike_queue_paused", &name).set(f64::from(u8::from(queue.paused)));
}

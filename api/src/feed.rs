//! The one reader of job events in this process.
//!
//! It listens on the events channel, reads what is new once, and hands it to every live stream (a broadcast)
//! and to every request that waits for a job's end (a map, so that an event costs the same whether 1 or 1 000
//! requests wait). A notification only wakes it: it reads again at least every [`EventFeed::REREAD`], and reads
//! everything it missed after the database was away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use lookalike_shared::db::events::{self, Event};
use lookalike_shared::db::jobs::{Job, find_jobs};
use lookalike_shared::db::{DbError, EVENTS_CHANNEL, PgListener, PgPool};
use lookalike_shared::domain::job::JobId;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::views::event;

/// Events read by one statement.
pub const BATCH: i64 = 1_000;
/// Events that a slow stream may lag behind before it has to read the database again.
const CAPACITY: usize = 4_096;

/// An event, with the frame that every stream sends for it.
#[derive(Debug)]
pub struct Change {
    /// The event.
    pub event: Event,
    /// The same as a server-sent event.
    pub frame: Bytes,
}

impl From<Event> for Change {
    fn from(event: Event) -> Self {
        Self { frame: event::frame(&event), event }
    }
}

/// A cloneable handle on what happens to jobs.
#[derive(Clone)]
pub struct EventFeed {
    changes: broadcast::Sender<Arc<Change>>,
    waiting: Arc<Mutex<HashMap<Uuid, Waiting>>>,
}

struct Waiting {
    ended: watch::Sender<Option<Arc<Job>>>,
    requests: usize,
}

impl Default for EventFeed {
    fn default() -> Self {
        Self { changes: broadcast::channel(CAPACITY).0, waiting: Arc::default() }
    }
}

impl EventFeed {
    /// How long an event may stay unseen when its notification was lost.
    pub const REREAD: Duration = Duration::from_secs(1);

    /// Everything that happens from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// The end of a job, from now on.
    pub fn ending_of(&self, job: Uuid) -> Ending {
        let mut waiting = self.lock();
        let unknown = || Waiting { ended: watch::Sender::default(), requests: 0 };
        let entry = waiting.entry(job).or_insert_with(unknown);
        entry.requests += 1;
        Ending { feed: self.clone(), job, ended: entry.ended.subscribe() }
    }

    /// How many requests wait for the end of a job.
    pub fn waiting_for(&self, job: Uuid) -> usize {
        self.lock().get(&job).map_or(0, |waiting| waiting.requests)
    }

    /// Reads events until `stop`, whatever happens to the database.
    pub async fn run(self, db: PgPool, metrics: Metrics, stop: CancellationToken) {
        let mut last = None;
        let mut delay = Duration::from_millis(100);
        loop {
            let seen = last;
            let ended = stop.run_until_cancelled(self.read(&db, &metrics, &mut last)).await;
            let Some(error) = ended else { return };
            if last != seen {
                delay = Duration::from_millis(100);
            }
            tracing::warn!(%error, "job events cannot be read; trying again");
            if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                return;
            }
            delay = (delay * 2).min(Duration::from_secs(2));
        }
    }

    /// Listens and reads until something breaks.
    async fn read(&self, db: &PgPool, metrics: &Metrics, last: &mut Option<i64>) -> DbError {
        match self.try_read(db, metrics, last).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn try_read(
        &self,
        db: &PgPool,
        metrics: &Metrics,
        last: &mut Option<i64>,
    ) -> Result<std::convert::Infallible, DbError> {
        let mut listener = PgListener::connect_with(db).await?;
        listener.listen(EVENTS_CHANNEL).await?;
        let mut wakes = listener.into_stream();
        let (_, newest) = events::find_bounds(db).await?;
        // A smaller number than before is another database: what it holds is not told as news.
        let mut seen = last.map_or(newest, |last| last.min(newest));
        loop {
            seen = self.publish(db, metrics, seen).await?;
            *last = Some(seen);
            match tokio::time::timeout(Self::REREAD, wakes.next()).await {
                Ok(Some(Ok(_))) => while let Some(Some(Ok(_))) = wakes.next().now_or_never() {},
                Ok(Some(Err(error))) => return Err(error.into()),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Hands out everything after `last` and gives the number of the newest.
    async fn publish(&self, db: &PgPool, metrics: &Metrics, mut last: i64) -> Result<i64, DbError> {
        loop {
            let events = events::list_events(db, None, last, BATCH).await?;
            let full = events.len() as i64 == BATCH;
            let mut ended = Vec::new();
            for event in events {
                last = event.id;
                metrics.record_event(&event);
                if event::is_final(&event) && self.waiting_for(event.job_id) > 0 {
                    ended.push(JobId(event.job_id));
                }
                // Nobody listening is no error.
                _ = self.changes.send(Arc::new(event.into()));
            }
            self.end(db, &ended).await;
            if !full {
                return Ok(last);
            }
        }
    }

    /// Hands jobs that have ended to the requests that wait for them, read by one statement for all. Where that fails each
    /// request is told to read for itself.
    async fn end(&self, db: &PgPool, ended: &[JobId]) {
        if ended.is_empty() {
            return;
        }
        let jobs = find_jobs(db, ended).await.unwrap_or_default();
        let mut jobs: HashMap<Uuid, Arc<Job>> =
            jobs.into_iter().map(|job| (job.id.0, Arc::new(job))).collect();
        let waiting = self.lock();
        for JobId(id) in ended {
            if let Some(waiting) = waiting.get(id) {
                waiting.ended.send_replace(jobs.remove(id));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of one job, waited for. To miss none: ask for it, then read the job, then wait.
pub struct Ending {
    feed: EventFeed,
    job: Uuid,
    ended: watch::Receiver<Option<Arc<Job>>>,
}

impl Ending {
    /// Completes when the job has ended since this was asked for, with the job where it could be read.
    pub async fn ended(&mut self) -> Option<Job> {
        // The sender stays for as long as a request waits.
        self.ended.changed().await.ok()?;
        self.ended.borrow_and_update().as_ref().map(|job| Job::clone(job))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut waiting = self.feed.lock();
        if let Some(entry) = waiting.get_mut(&self.job) {
            entry.requests -= 1;
            if entry.requests == 0 {
                waiting.remove(&self.job);
            }
        }
    }
}

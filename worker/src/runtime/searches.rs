//! The lane of searches. Those that wait are taken together, claimed and acknowledged by one statement, and stay together
//! until their queries are embedded; then each is matched, and its end is stored with those that end at the same time.
//!
//! Nobody waits for company: while no more than one group is on its way to its vectors, whatever is there is taken at once;
//! what comes meanwhile is the next group. So a lone search is a group of one, and the more searches come the larger the
//! groups.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use lookalike_shared::db::DbError;
use lookalike_shared::db::taking::take_jobs;
use lookalike_shared::domain::job::Queue;
use lookalike_shared::domain::retry::backoff;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Services;
use super::arrivals::Arrivals;
use super::attempt::{Attempts, caught, run_bounded};
use super::context::{JobContext, JobError, JobOutcome};
use super::running::RunningGuard;
use super::stop::StopReason;
use crate::jobs::search::{Miss, Question, answer, ask_together, reads_a_source, run};

/// Searches in a group at most: each may have tens of megabytes.
const TOGETHER: usize = 32;
/// Groups on their way to their vectors: while one is in the network the next is read and decoded.
const GROUPS: usize = 2;
/// Searches under way at a time.
const UNDER_WAY: usize = 256;
/// How often the queue is looked at when nothing wakes us: what is retried, resumed or scheduled tells nobody.
const INTERVAL: Duration = Duration::from_millis(250);

/// Takes searches until `stop`, then waits for those under way.
pub async fn run_searches(
    services: Arc<Services>,
    attempts: Attempts,
    arrivals: Arrivals,
    stop: CancellationToken,
) {
    let lane = Lane::new(services, attempts);
    let mut failures = 0;
    while !stop.is_cancelled() {
        let Some(room) = stop.run_until_cancelled(lane.room()).await else { break };
        match lane.take(room).await {
            Ok(Taken::All) => {
                failures = 0;
                _ = tokio::time::timeout(INTERVAL, stop.run_until_cancelled(arrivals.at(Queue::Search)))
                    .await;
            }
            Ok(Taken::Most) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "searches cannot be taken; trying again");
                let wait = backoff(failures, rand::random()).min(Duration::from_secs(5));
                _ = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
            }
        }
    }
    lane.ended().await;
}

struct Lane {
    services: Arc<Services>,
    attempts: Attempts,
    groups: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
}

/// Room for a group, and for as many searches in it.
struct Room {
    group: OwnedSemaphorePermit,
    places: OwnedSemaphorePermit,
}

/// How much of what waits was taken.
enum Taken {
    All,
    /// A full group: more may wait.
    Most,
}

impl Lane {
    fn new(services: Arc<Services>, attempts: Attempts) -> Self {
        let groups = Arc::new(Semaphore::new(GROUPS));
        Self { services, attempts, groups, under_way: Arc::new(Semaphore::new(UNDER_WAY)) }
    }

    /// Waits for room for a group.
    async fn room(&self) -> Room {
        let group = self.groups.clone().acquire_owned().await.expect("it is never closed");
        let mut places = self.under_way.clone().acquire_owned().await.expect("it is never closed");
        while places.num_permits() < TOGETHER
            && let Ok(another) = self.under_way.clone().try_acquire_owned()
        {
            places.merge(another);
        }
        Room { group, places }
    }

    /// Takes a group of what waits, and sees it to its end in a task of its own.
    async fn take(&self, room: Room) -> Result<Taken, DbError> {
        let Room { group, mut places } = room;
        let Services { relaxed, worker_id, lease, .. } = &*self.services;
        let taken = take_jobs(relaxed, Queue::Search, places.num_permits(), *worker_id, *lease).await?;
        let all = if taken.len() < places.num_permits() { Taken::All } else { Taken::Most };
        let searches = taken.into_iter().map(|attempt| {
            let (context, guard) = self.attempts.begin(attempt);
            UnderWay { context, _running: guard, _place: places.split(1) }
        });
        // A source may take its time: nobody is to wait for it but who asks for one of its objects.
        let (alone, together): (Vec<_>, Vec<_>) =
            searches.partition(|search| reads_a_source(&search.context));
        drop(places);
        if !together.is_empty() {
            tokio::spawn(run_group(self.attempts.clone(), together, group));
        }
        for search in alone {
            let work = run(search.context.clone());
            tokio::spawn(see_to_its_end(self.attempts.clone(), search, work));
        }
        Ok(all)
    }

    /// Waits for all searches under way.
    async fn ended(&self) {
        let most = u32::try_from(UNDER_WAY).expect("it is small");
        _ = self.under_way.acquire_many(most).await;
    }
}

/// A search that was taken: among the running ones, and in its place, until dropped.
struct UnderWay {
    context: JobContext,
    _running: RunningGuard,
    _place: Option<OwnedSemaphorePermit>,
}

/// Embeds the queries of a group together; then makes room for the next, and sees each search to its end.
async fn run_group(attempts: Attempts, searches: Vec<UnderWay>, group: OwnedSemaphorePermit) {
    tracing::debug!(searches = searches.len(), "group started");
    let contexts: Vec<JobContext> = searches.iter().map(|search| search.context.clone()).collect();
    let asked = ask_bounded(&contexts).await;
    drop(group);
    for (search, asked) in searches.into_iter().zip(asked) {
        let context = search.context.clone();
        let work = async move { answer(&context, asked).await };
        tokio::spawn(see_to_its_end(attempts.clone(), search, work));
    }
}

async fn see_to_its_end(
    attempts: Attempts,
    search: UnderWay,
    work: impl Future<Output = Result<JobOutcome, JobError>>,
) {
    let outcome = run_bounded(&search.context, work).await;
    // An end that could not be stored is left to the lease.
    _ = attempts.end_persistently(&search.context, outcome).await;
}

/// What the searches ask, their time bounded. When one of them makes our code panic they are asked one by one.
async fn ask_bounded(contexts: &[JobContext]) -> Vec<Result<Question, Miss>> {
    if let Ok(asked) = ask_within(contexts).await {
        return asked;
    }
    let mut asked = Vec::with_capacity(contexts.len());
    for context in contexts {
        let alone = ask_within(slice::from_ref(context)).await;
        asked.extend(alone.unwrap_or_else(|panic| vec![Err(panic.into())]));
    }
    asked
}

/// An error: our code panicked.
async fn ask_within(contexts: &[JobContext]) -> Result<Vec<Result<Question, Miss>>, JobError> {
    let timeout = contexts.iter().map(|context| context.attempt.timeout).min().unwrap_or_default();
    tokio::time::timeout(timeout, caught(ask_together(contexts))).await.unwrap_or_else(|_| {
        contexts.iter().for_each(|context| context.stop.trip(StopReason::Timeout));
        Ok(contexts.iter().map(|_| Err(JobError::Stopped.into())).collect())
    })
}

//! The story of one delivery: claim, run, end.
//!
//! apalis' own retry, timeout and panic layers leave a task `Running` for good, so all three are done here,
//! inside the handler, against our `jobs` table. An attempt runs as a task of its own: when apalis' loop ends
//! (a database hiccup does that) the attempt goes on, and its next delivery waits until it is done.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use lookalike_shared::db::batcher::{Batcher, refuse_all};
use lookalike_shared::db::queue::{
    Attempt, Claim, Ending, Finish, claim_jobs, defer_deliveries, finish_jobs,
};
use lookalike_shared::db::queue::{mark_released, mark_retrying};
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::domain::job::{JobFailure, JobId, JobKind, JobState};
use lookalike_shared::domain::retry::backoff;
use uuid::Uuid;

use super::Services;
use super::context::{JobContext, JobError, JobOutcome};
use super::running::{Running, RunningGuard};
use super::stop::{StopReason, StopToken};

/// The most jobs claimed or ended by one statement.
const LARGEST_BATCH: usize = 256;
/// How long an attempt that timed out may take to notice.
const TIMEOUT_GRACE: Duration = Duration::from_secs(10);

/// What apalis is told of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Acknowledge it.
    Done,
    /// It comes again at the `run_at` that was set.
    Again,
}

type Answer<T> = Result<T, Arc<DbError>>;

/// Takes deliveries and sees each to its end. Claims and ends of many jobs share statements.
#[derive(Clone)]
pub struct Attempts {
    services: Arc<Services>,
    running: Running,
    claims: Batcher<JobId, Answer<Claim>>,
    endings: Batcher<Finish, Answer<Option<JobState>>>,
    search_endings: Batcher<Finish, Answer<Option<JobState>>>,
}

impl Attempts {
    /// Claims and ends of searches do not wait for the disk: a claim that a crash of the database loses is made again, and
    /// the attempt that thought it held it can store nothing; a search whose end is lost so is searched again.
    pub fn new(services: Arc<Services>, running: Running) -> Self {
        let relaxed = services.relaxed.clone();
        let (worker, lease) = (services.worker_id, services.lease);
        let endings = |db: PgPool| {
            Batcher::start(LARGEST_BATCH, move |finishes: Vec<Finish>| {
                let db = db.clone();
                async move { finish_together(&db, &finishes).await }
            })
        };
        let (search_endings, endings) = (endings(relaxed.clone()), endings(services.db.clone()));
        let claims = Batcher::start(LARGEST_BATCH, move |ids: Vec<JobId>| {
            let db = relaxed.clone();
            async move { claim_together(&db, &ids, worker, lease).await }
        });
        Self { services, running, claims, endings, search_endings }
    }

    /// Sees a delivered job to its end.
    ///
    /// # Errors
    /// The database could not be asked; the delivery comes again.
    pub async fn deliver(&self, id: JobId) -> Result<Delivery, Arc<DbError>> {
        let claim = self.claims.call(id).await.unwrap_or_else(|| Ok(Claim::Later(id, Utc::now())))?;
        match claim {
            Claim::Settled(_) => Ok(Delivery::Done),
            Claim::Later(id, at) => {
                defer_deliveries(&self.services.db, &[(id, at)]).await.map_err(Arc::new)?;
                Ok(Delivery::Again)
            }
            Claim::Started(attempt) => {
                let this = self.clone();
                let attempt = tokio::spawn(async move { this.run(attempt).await });
                Ok(attempt.await.unwrap_or(Delivery::Again))
            }
        }
    }

    async fn run(&self, attempt: Attempt) -> Delivery {
        let (context, _running) = self.begin(attempt);
        let outcome = run_bounded(&context, crate::jobs::run(context.clone())).await;
        self.end_persistently(&context, outcome).await
    }

    /// The surroundings of a claimed attempt, which is among the running ones until the guard is dropped.
    pub fn begin(&self, attempt: Attempt) -> (JobContext, RunningGuard) {
        let stop = StopToken::default();
        let (job, kind, fence) = (attempt.job_id, attempt.kind, attempt.fence);
        let running = self.running.enter(job, kind, fence, stop.clone());
        tracing::debug!(job.id = %job, job.kind = kind.as_str(), attempt = attempt.number, "attempt started");
        (JobContext::new(attempt, self.services.clone(), stop), running)
    }

    /// Stores the end of an attempt, through outages, for as long as it may still hold its job.
    pub async fn end_persistently(
        &self,
        context: &JobContext,
        outcome: Result<JobOutcome, JobError>,
    ) -> Delivery {
        let mut tries = 0;
        loop {
            match self.end(context, &outcome).await {
                Ok(ended) => {
                    let (job, taken) = (context.attempt.job_id, context.started.elapsed().as_millis() as u64);
                    tracing::debug!(job.id = %job, ?ended, duration_ms = taken, "attempt ended");
                    return ended;
                }
                Err(error) if error.is_transient() || tries < 3 => {
                    tries += 1;
                    tracing::warn!(job.id = %context.attempt.job_id, %error, tries, "the end of an attempt waits for the database");
                    tokio::time::sleep(backoff(tries.min(3), rand::random())).await;
                }
                Err(error) => {
                    tracing::error!(job.id = %context.attempt.job_id, %error, "the end of an attempt could not be stored");
                    return Delivery::Again;
                }
            }
        }
    }

    async fn end(&self, context: &JobContext, outcome: &Result<JobOutcome, JobError>) -> Answer<Delivery> {
        let failure = match outcome {
            Ok(JobOutcome::Stored) => return Ok(Delivery::Done),
            Ok(JobOutcome::Result(value)) => {
                return self.finish(context, Ending::Succeeded(value.clone())).await;
            }
            Err(JobError::Permanent(failure)) => {
                return self.finish(context, Ending::Failed(failure.clone())).await;
            }
            Err(JobError::Retry(failure)) => failure.clone(),
            Err(JobError::Stopped) => match context.stop.reason() {
                Some(StopReason::Cancelled) => return self.finish(context, Ending::Cancelled).await,
                Some(StopReason::Shutdown | StopReason::Paused) => return self.release(context).await,
                Some(StopReason::Lost) => return Ok(Delivery::Again),
                Some(StopReason::Timeout) | None => timeout_failure(context),
            },
        };
        self.retry(context, failure).await
    }

    async fn finish(&self, context: &JobContext, ending: Ending) -> Answer<Delivery> {
        let finish = Finish { job_id: context.attempt.job_id, fence: context.attempt.fence, ending };
        let endings = match context.attempt.kind {
            JobKind::Search => &self.search_endings,
            JobKind::Train
            | JobKind::Index
            | JobKind::Evaluate
            | JobKind::Rebuild
            | JobKind::Validate
            | JobKind::Noop => &self.endings,
        };
        let state = endings.call(finish).await.unwrap_or(Ok(None))?;
        // No state: the job is another attempt's, whose delivery this may be.
        Ok(if state.is_some() { Delivery::Done } else { Delivery::Again })
    }

    async fn release(&self, context: &JobContext) -> Answer<Delivery> {
        let (job, fence) = (context.attempt.job_id, context.attempt.fence);
        if mark_released(&self.services.db, job, fence).await.map_err(Arc::new)? {
            tracing::info!(job.id = %job, "job given back, its attempt not used up");
            return Ok(Delivery::Again);
        }
        // Cancelled in the same moment, or lost.
        self.finish(context, Ending::Cancelled).await
    }

    async fn retry(&self, context: &JobContext, failure: JobFailure) -> Answer<Delivery> {
        let attempt = &context.attempt;
        tracing::warn!(job.id = %attempt.job_id, job.kind = attempt.kind.as_str(), attempt = attempt.number,
            code = failure.code, detail = failure.detail, "attempt failed");
        // An outage that cuts a job off which was getting on is nobody's fault, and every turn like that brings it nearer to
        // its end.
        let spare = context.has_stored() && failure.is_outage();
        if attempt.number >= attempt.max_attempts && !spare {
            return self.finish(context, Ending::Failed(failure)).await;
        }
        let at = Utc::now() + backoff(context.fruitless(), rand::random());
        let (job, fence) = (attempt.job_id, attempt.fence);
        if mark_retrying(&self.services.db, job, fence, &failure, at, !spare).await.map_err(Arc::new)? {
            return Ok(Delivery::Again);
        }
        self.finish(context, Ending::Cancelled).await
    }
}

/// Runs the job's code with its time bounded and its panics caught.
pub async fn run_bounded(
    context: &JobContext,
    work: impl Future<Output = Result<JobOutcome, JobError>>,
) -> Result<JobOutcome, JobError> {
    let work = caught(work);
    tokio::pin!(work);
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        () = tokio::time::sleep(context.attempt.timeout) => {
            context.stop.trip(StopReason::Timeout);
            match tokio::time::timeout(TIMEOUT_GRACE, &mut work).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(JobError::Stopped),
            }
        }
    };
    outcome?
}

/// Runs code of jobs; a panic is a failure that another attempt may not meet.
///
/// # Errors
/// It panicked.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, JobError> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let said = panic_message(panic.as_ref());
        JobError::retry("panic", format!("the job's code panicked: {said}"))
    })
}

fn timeout_failure(context: &JobContext) -> JobFailure {
    let seconds = context.attempt.timeout.as_secs();
    JobFailure::new("timeout", format!("the attempt took longer than the {seconds} s it may"))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

async fn claim_together(db: &PgPool, ids: &[JobId], worker: Uuid, lease: Duration) -> Vec<Answer<Claim>> {
    match claim_jobs(db, ids, worker, lease).await {
        Err(error) => refuse_all(ids.len(), error),
        Ok(mut claims) => {
            let mut take = |id: &JobId| {
                let position = claims.iter().position(|claim| match claim {
                    Claim::Started(attempt) => attempt.job_id == *id,
                    Claim::Settled(job) | Claim::Later(job, _) => job == id,
                });
                // The same job delivered twice in one batch: its second delivery waits for the first.
                position
                    .map_or(Claim::Later(*id, Utc::now() + Duration::from_secs(1)), |p| claims.swap_remove(p))
            };
            ids.iter().map(|id| Ok(take(id))).collect()
        }
    }
}

async fn finish_together(db: &PgPool, finishes: &[Finish]) -> Vec<Answer<Option<JobState>>> {
    match finish_jobs(db, finishes).await {
        Err(error) => refuse_all(finishes.len(), error),
        Ok(states) => {
            let state_of = |job: JobId| states.iter().find(|(id, _)| *id == job).map(|(_, state)| *state);
            finishes.iter().map(|finish| Ok(state_of(finish.job_id))).collect()
        }
    }
}

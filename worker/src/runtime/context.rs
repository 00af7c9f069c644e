//! What a job's code is given: its payload's surroundings and the only ways to tell the world about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use lookalike_shared::db::queue::{Attempt, Ending, Finish, Hold};
use lookalike_shared::db::{self, DbError, PgConnection, PgPool};
use lookalike_shared::domain::job::{JobFailure, JobState, Progress};
use lookalike_shared::domain::retry::{backoff, fruitless};
use lookalike_shared::storage::{Storage, StorageError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::stop::{StopReason, StopToken};
use crate::matching::MatchError;
use crate::runtime::Services;

/// How often progress is stored at most.
pub const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(400);

/// What is being stored when an attempt is to stop may take so long.
const LAST_MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a job's code did not give a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Trying again may help.
    #[error("{}", .0.detail)]
    Retry(JobFailure),
    /// Trying again will not help.
    #[error("{}", .0.detail)]
    Permanent(JobFailure),
    /// The attempt was told to stop and did.
    #[error("the attempt was stopped")]
    Stopped,
}

impl JobError {
    /// A failure that another attempt may not meet.
    pub fn retry(code: &str, detail: impl Into<String>) -> Self {
        Self::Retry(JobFailure::new(code, detail))
    }

    /// A failure that every attempt would meet.
    pub fn permanent(code: &str, detail: impl Into<String>) -> Self {
        Self::Permanent(JobFailure::new(code, detail))
    }
}

impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self::from(&error)
    }
}

impl From<&DbError> for JobError {
    fn from(error: &DbError) -> Self {
        let code = match error {
            DbError::NotFound { what, .. } => {
                return Self::permanent(&format!("{what}_not_found"), error.to_string());
            }
            DbError::Conflict(_) => "conflict",
            DbError::Unavailable(_) => JobFailure::DATABASE_UNAVAILABLE,
            DbError::Other(_) | DbError::Unknown(_) | DbError::Queue(_) => "database_error",
        };
        Self::retry(code, error.to_string())
    }
}

impl From<MatchError> for JobError {
    fn from(error: MatchError) -> Self {
        match error {
            MatchError::Database(error) => Self::from(&*error),
            MatchError::BrokenOff => Self::retry("match_failed", error.to_string()),
        }
    }
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        if error.is_transient() {
            return Self::retry(JobFailure::STORAGE_UNAVAILABLE, error.to_string());
        }
        Self::permanent("storage_refused", error.to_string())
    }
}

/// How a job's code ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum JobOutcome {
    /// With this result, still to be stored.
    Result(Value),
    /// The result is stored already, in the transaction that stored what it tells of.
    Stored,
}

/// The surroundings of one attempt.
#[derive(Clone)]
pub struct JobContext {
    /// The attempt: job, payload, fencing token.
    pub attempt: Arc<Attempt>,
    /// Database, storage, device, inference.
    pub services: Arc<Services>,
    /// Tells when to stop.
    pub stop: StopToken,
    /// When the attempt started.
    pub started: Instant,
    lines: Arc<AtomicUsize>,
    stored: Arc<AtomicBool>,
}

impl JobContext {
    /// The surroundings of an attempt that starts now.
    pub fn new(attempt: Attempt, services: Arc<Services>, stop: StopToken) -> Self {
        let (attempt, lines, stored) = (Arc::new(attempt), Arc::default(), Arc::default());
        Self { attempt, services, stop, started: Instant::now(), lines, stored }
    }

    /// To be told when something is stored that a later attempt need not do again.
    pub fn note_stored(&self) {
        self.stored.store(true, Ordering::Relaxed);
    }

    /// Whether this attempt got somewhere: a later one goes on from what it stored.
    pub fn has_stored(&self) -> bool {
        self.stored.load(Ordering::Relaxed)
    }

    /// How many attempts in a row, this one among them, have stored nothing; at least 1.
    pub fn fruitless(&self) -> u32 {
        let last = if self.has_stored() { self.attempt.number } else { self.attempt.last_stored };
        fruitless(self.attempt.number, last)
    }

    /// The database.
    pub fn db(&self) -> &PgPool {
        &self.services.db
    }

    /// Sources and artifacts.
    pub fn storage(&self) -> &Storage {
        &self.services.storage
    }

    /// The payload.
    ///
    /// # Errors
    /// A permanent failure when it is not of that kind, as after a downgrade.
    pub fn payload<P: DeserializeOwned>(&self) -> Result<P, JobError> {
        serde_json::from_value(self.attempt.params.clone()).map_err(|error| {
            JobError::permanent("invalid_params", format!("the payload cannot be read: {error}"))
        })
    }

    /// [`JobError::Stopped`] once the attempt is to stop.
    ///
    /// # Errors
    /// [`JobError::Stopped`].
    pub fn check_stop(&self) -> Result<(), JobError> {
        if self.stop.is_tripped() { Err(JobError::Stopped) } else { Ok(()) }
    }

    /// Stores how far the attempt is.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job was cancelled or is not ours any more.
    pub async fn progress(&self, progress: &Progress) -> Result<(), JobError> {
        match db::queue::mark_progress(self.db(), self.attempt.job_id, self.attempt.fence, progress, None)
            .await
        {
            Ok(hold) => self.heed(hold),
            // Progress is a courtesy: an outage is met by what must be stored.
            Err(error) if error.is_transient() => self.check_stop(),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores how far the attempt is, and what a later one would go on from, as the last statement of a
    /// transaction, which counts only if the attempt still holds its job.
    ///
    /// # Errors
    /// [`JobError::Stopped`]; the transaction must then be rolled back.
    pub async fn progress_in(
        &self,
        tx: &mut PgConnection,
        progress: &Progress,
        checkpoint: &Value,
    ) -> Result<(), JobError> {
        let (job, fence) = (self.attempt.job_id, self.attempt.fence);
        self.heed(db::queue::mark_progress(tx, job, fence, progress, Some(checkpoint)).await?)
    }

    /// Ends the job with `result` as the last statement of a transaction.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job was cancelled or is not ours any more; the transaction must then be
    /// rolled back.
    pub async fn succeed_in(&self, tx: &mut PgConnection, result: &impl Serialize) -> Result<(), JobError> {
        let value = serde_json::to_value(result).expect("a result is plain data");
        let finish = Finish {
            job_id: self.attempt.job_id,
            fence: self.attempt.fence,
            ending: Ending::Succeeded(value),
        };
        match db::queue::finish_jobs(tx, &[finish]).await?.first() {
            Some((_, JobState::Succeeded)) => Ok(()),
            Some(_) => self.heed(Hold::Cancelling),
            None => self.heed(Hold::Lost),
        }
    }

    /// Does something with the database, again and again while it cannot be reached.
    ///
    /// # Errors
    /// What else goes wrong; [`JobError::Stopped`] when the attempt is to stop meanwhile.
    pub async fn through_outages<T, F>(&self, store: impl Fn() -> F) -> Result<T, JobError>
    where
        F: Future<Output = Result<T, DbError>>,
    {
        let mut tries = 0;
        loop {
            // What is under way when the attempt is to stop has a moment to end.
            let late = async {
                self.stop.tripped().await;
                tokio::time::sleep(LAST_MOMENT).await;
            };
            let error = tokio::select! {
                stored = store() => match stored {
                    Err(error) if error.is_transient() => error,
                    stored => return Ok(stored?),
                },
                () = late => return Err(JobError::Stopped),
            };
            tries += 1;
            tracing::warn!(job.id = %self.attempt.job_id, %error, tries, "a job waits for the database");
            tokio::select! {
                () = tokio::time::sleep(backoff(tries.min(3), rand::random())) => {}
                () = self.stop.tripped() => return Err(JobError::Stopped),
            }
        }
    }

    /// Says something in the job's log, up to the bound per attempt.
    pub async fn log(&self, level: LogLevel, message: impl AsRef<str>) {
        let line = self.lines.fetch_add(1, Ordering::Relaxed);
        let message = match line {
            line if line < db::logs::MAX_LINES => message.as_ref(),
            line if line == db::logs::MAX_LINES => {
                "the log of this attempt is full; later lines are not kept"
            }
            _ => return,
        };
        let (job, fence) = (self.attempt.job_id, self.attempt.fence);
        if let Err(error) = db::logs::insert_line(self.db(), job, fence, level.as_str(), message).await {
            tracing::warn!(job.id = %job, %error, message, "a line of a job's log was not stored");
        }
    }

    fn heed(&self, hold: Hold) -> Result<(), JobError> {
        match hold {
            Hold::Held => return self.check_stop(),
            Hold::Cancelling => self.stop.trip(StopReason::Cancelled),
            Hold::Pausing => self.stop.trip(StopReason::Paused),
            Hold::Lost => self.stop.trip(StopReason::Lost),
        }
        Err(JobError::Stopped)
    }
}

/// How much a line of a job's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// For information.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

//! What a job is and how its state may move.
//!
//! [`JobState::exits`] is the one table of transitions; the CHECK on `jobs.state` and the diagram in
//! ARCHITECTURE.md are held to it by tests. Nothing here reads a clock or a database.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::UnknownValue;

/// The id of a job (UUIDv7). apalis carries the same 128 bits written as a ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// A new id, ordered by the time it was made.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as apalis writes it: the same 128 bits in Crockford's base 32.
    pub fn delivery_id(self) -> String {
        ulid::Ulid(self.0.as_u128()).to_string()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a job stands. See [`JobState::exits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for the time it was scheduled for.
    Scheduled,
    /// Waits for a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// The last attempt failed; waits for its back-off.
    Retrying,
    /// A cancel was asked for; the attempt has not stopped yet.
    Cancelling,
    /// Done; the result is stored.
    Succeeded,
    /// Ended without a result; the error says why.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The states a job may go to from here. The exits of the final states are user actions (`retry`).
    pub fn exits(self) -> &'static [Self] {
        match self {
            Self::Scheduled => &[Self::Queued, Self::Running, Self::Cancelled],
            Self::Queued => &[Self::Running, Self::Failed, Self::Cancelled],
            Self::Running => &[Self::Queued, Self::Retrying, Self::Cancelling, Self::Succeeded, Self::Failed],
            Self::Retrying => &[Self::Queued, Self::Running, Self::Failed, Self::Cancelled],
            Self::Cancelling => &[Self::Cancelled],
            Self::Succeeded => &[],
            Self::Failed | Self::Cancelled => &[Self::Queued],
        }
    }

    /// Whether the job has ended.
    pub fn is_final(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Scheduled | Self::Queued | Self::Running | Self::Retrying | Self::Cancelling => false,
        }
    }

    /// The name used in SQL, JSON, logs and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for JobState {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| UnknownValue::new("state", value, Self::ALL.iter().map(|s| s.as_str())))
    }
}

/// What kind of work a job asks for. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Trains a model on labelled pictures.
    Train,
    /// Fills an index from a source.
    Index,
    /// Finds look-alikes of a picture.
    Search,
    /// Measures an index with labelled queries.
    Evaluate,
    /// Fills a new generation of an index with another model.
    Rebuild,
    /// Reports on a labelled set of pictures.
    Validate,
    /// Does nothing: measures and checks the queue itself.
    Noop,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Train, Self::Index, Self::Search, Self::Evaluate, Self::Rebuild, Self::Validate, Self::Noop];

    /// The queue that jobs of this kind wait in.
    pub fn queue(self) -> Queue {
        match self {
            Self::Train => Queue::Train,
            Self::Index | Self::Evaluate | Self::Rebuild => Queue::Index,
            Self::Search => Queue::Search,
            Self::Validate | Self::Noop => Queue::Maintenance,
        }
    }

    /// How many attempts a job gets when its request names none.
    pub fn default_max_attempts(self) -> i32 {
        3
    }

    /// How long one attempt may take before it is stopped, in seconds.
    pub fn timeout_seconds(self) -> i32 {
        match self {
            Self::Train | Self::Index | Self::Rebuild => 14 * 86_400,
            Self::Evaluate | Self::Validate => 86_400,
            Self::Search | Self::Noop => 60,
        }
    }

    /// The name used in SQL, JSON, logs and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Index => "index",
            Self::Search => "search",
            Self::Evaluate => "evaluate",
            Self::Rebuild => "rebuild",
            Self::Validate => "validate",
            Self::Noop => "noop",
        }
    }
}

impl FromStr for JobKind {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == value)
            .ok_or_else(|| UnknownValue::new("kind", value, Self::ALL.iter().map(|k| k.as_str())))
    }
}

/// A named line that jobs wait in; each is taken by its own loop of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Training, one at a time per worker.
    Train,
    /// Bulk work that reads sources: indexing, rebuilds, evaluation.
    Index,
    /// Interactive searches, many at a time, batched.
    Search,
    /// Short housekeeping.
    Maintenance,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 4] = [Self::Train, Self::Index, Self::Search, Self::Maintenance];

    /// The name used in SQL, JSON, logs and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Index => "index",
            Self::Search => "search",
            Self::Maintenance => "maintenance",
        }
    }
}

impl FromStr for Queue {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|queue| queue.as_str() == value)
            .ok_or_else(|| UnknownValue::new("queue", value, Self::ALL.iter().map(|q| q.as_str())))
    }
}

/// How far a running job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// What is being done now, e.g. `decoding`, `training`.
    pub phase: String,
    /// How much of it is done, in `unit`s.
    pub done: u64,
    /// How much there is; null while it is not known yet.
    pub total: Option<u64>,
    /// What is counted, e.g. `pictures`.
    pub unit: String,
    /// How many of `done` failed.
    pub failed: u64,
    /// Units per second, smoothed.
    pub rate: Option<f64>,
    /// Seconds until the end at that rate; null until it can be told.
    pub eta_seconds: Option<f64>,
}

/// Why a job, or an attempt of it, ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobFailure {
    /// A stable name of the reason, e.g. `model_not_found`.
    pub code: String,
    /// What happened, and what would help.
    pub detail: String,
}

impl JobFailure {
    /// The longest detail that is kept, in bytes.
    pub const MAX_DETAIL_BYTES: usize = 4_096;

    /// The code for a database that does not answer.
    pub const DATABASE_UNAVAILABLE: &str = "database_unavailable";
    /// The code for a store that does not answer.
    pub const STORAGE_UNAVAILABLE: &str = "storage_unavailable";

    /// Whether it was something that the job needs, and not the job, that failed.
    pub fn is_outage(&self) -> bool {
        [Self::DATABASE_UNAVAILABLE, Self::STORAGE_UNAVAILABLE].contains(&self.code.as_str())
    }

    /// A failure whose detail is cut to [`Self::MAX_DETAIL_BYTES`] and freed of NULs, which PostgreSQL
    /// cannot store.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into().replace('\0', "\u{fffd}");
        if detail.len() > Self::MAX_DETAIL_BYTES {
            let end = detail.floor_char_boundary(Self::MAX_DETAIL_BYTES);
            detail.truncate(end);
        }
        Self { code: code.into(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_are_left_only_by_retry() {
        for state in JobState::ALL.into_iter().filter(|s| s.is_final()) {
            assert!(state.exits().iter().all(|exit| *exit == JobState::Queued), "{state:?}");
        }
    }

    #[test]
    fn every_state_but_the_first_is_reachable() {
        for state in JobState::ALL.into_iter().filter(|s| *s != JobState::Scheduled) {
            assert!(JobState::ALL.iter().any(|from| from.exits().contains(&state)), "{state:?}");
        }
    }

    #[test]
    fn names_parse_back() {
        assert!(JobState::ALL.iter().all(|s| s.as_str().parse() == Ok(*s)));
        assert!(JobKind::ALL.iter().all(|k| k.as_str().parse() == Ok(*k)));
        assert!(Queue::ALL.iter().all(|q| q.as_str().parse() == Ok(*q)));
        assert_eq!(
            "done".parse::<JobState>().unwrap_err().to_string(),
            "unknown state \"done\", one of scheduled, queued, running, retrying, cancelling, succeeded, failed, cancelled expected"
        );
    }

    #[test]
    fn a_failure_is_cut_at_a_character_and_holds_no_nul() {
        let failure = JobFailure::new("x", format!("a\0{}", "é".repeat(4_096)));
        assert!(failure.detail.len() <= JobFailure::MAX_DETAIL_BYTES);
        assert!(!failure.detail.contains('\0'));
    }

    #[test]
    fn the_delivery_id_holds_the_same_bits() {
        let id = JobId::generate();
        let back: ulid::Ulid = id.delivery_id().parse().unwrap();
        assert_eq!(back.0, id.0.as_u128());
    }
}

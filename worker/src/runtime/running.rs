//! The attempts this process runs now, so that leases are renewed and stops reach them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lookalike_shared::domain::job::{JobId, JobKind};

use super::stop::{StopReason, StopToken};

/// The running attempts; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Running {
    attempts: Arc<Mutex<HashMap<JobId, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    kind: JobKind,
    fence: i64,
    stop: StopToken,
}

/// Keeps an attempt among the running ones until dropped.
#[derive(Debug)]
pub struct RunningGuard {
    running: Running,
    job: JobId,
    fence: i64,
}

impl Running {
    /// Adds an attempt, which leaves when the guard is dropped.
    pub fn enter(&self, job: JobId, kind: JobKind, fence: i64, stop: StopToken) -> RunningGuard {
        let before = self.lock().insert(job, Entry { kind, fence, stop });
        if let Some(before) = before {
            // The database gave the job to a later attempt, so the earlier one has lost it.
            before.stop.trip(StopReason::Lost);
        }
        RunningGuard { running: self.clone(), job, fence }
    }

    /// The jobs and fencing tokens of all attempts.
    pub fn held(&self) -> Vec<(JobId, i64)> {
        self.lock().iter().map(|(job, entry)| (*job, entry.fence)).collect()
    }

    /// Asks one job's attempt to stop, if it runs here.
    pub fn trip(&self, job: JobId, reason: StopReason) {
        if let Some(entry) = self.lock().get(&job) {
            entry.stop.trip(reason);
        }
    }

    /// Asks one job's attempt to stop, if it is that one.
    pub fn trip_attempt(&self, job: JobId, fence: i64, reason: StopReason) {
        if let Some(entry) = self.lock().get(&job).filter(|entry| entry.fence == fence) {
            entry.stop.trip(reason);
        }
    }

    /// Asks every attempt to stop whose kind passes.
    pub fn trip_where(&self, reason: StopReason, kind: impl Fn(JobKind) -> bool) {
        self.lock().values().filter(|entry| kind(entry.kind)).for_each(|entry| entry.stop.trip(reason));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut attempts = self.running.lock();
        if attempts.get(&self.job).is_some_and(|entry| entry.fence == self.fence) {
            attempts.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_attempt_stops_the_earlier_and_survives_its_guard() {
        let (running, job) = (Running::default(), JobId::generate());
        let (first, second) = (StopToken::default(), StopToken::default());
        let guard = running.enter(job, JobKind::Index, 1, first.clone());
        let _later = running.enter(job, JobKind::Index, 2, second.clone());
        assert_eq!(first.reason(), Some(StopReason::Lost));
        drop(guard);
        assert_eq!(running.held(), [(job, 2)]);
        assert!(!second.is_tripped());
    }
}

//! How a running attempt is told to stop, and why.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why an attempt is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled the job.
    Cancelled,
    /// Another attempt, or nobody, has the job: store nothing more.
    Lost,
    /// The worker stops: leave the job so that another attempt can go on.
    Shutdown,
    /// Somebody paused the job: leave it as for a shutdown; it goes on once it is resumed.
    Paused,
    /// The attempt took longer than it may.
    Timeout,
}

/// A token that threads and tasks of one attempt share. The first reason given stays.
#[derive(Debug, Clone, Default)]
pub struct StopToken {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl StopToken {
    /// Asks the attempt to stop.
    pub fn trip(&self, reason: StopReason) {
        // A later reason changes nothing: the attempt stops already.
        _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Why to stop, if so. Cheap: look at every batch.
    pub fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Whether to stop.
    pub fn is_tripped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Ends once the attempt is to stop.
    pub async fn tripped(&self) {
        self.token.cancelled().await;
    }
}

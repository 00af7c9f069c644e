//! The wish to stop, as signals express it.
//!
//! The first SIGINT, SIGTERM or SIGHUP asks for an orderly end; a second one hurries it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether to stop, and whether in a hurry. Clones share the wish.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    orderly: CancellationToken,
    hurried: CancellationToken,
}

impl Stop {
    /// A wish that the process's signals express from now on.
    ///
    /// # Errors
    /// When the system does not let signals be caught.
    pub fn on_signals() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let stop = Self::default();
        let signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?;
        tokio::spawn(stop.clone().listen(signals));
        Ok(stop)
    }

    /// A wish of its own, asked for separately, that is hurried with this one.
    pub fn later(&self) -> Self {
        Self { orderly: CancellationToken::new(), hurried: self.hurried.clone() }
    }

    /// Asks for an orderly end.
    pub fn ask(&self) {
        self.orderly.cancel();
    }

    /// Whether an end was asked for.
    pub fn is_asked(&self) -> bool {
        self.orderly.is_cancelled()
    }

    /// Waits until an end is asked for.
    pub async fn asked(&self) {
        self.orderly.cancelled().await;
    }

    /// The same wish for an orderly end, as others know it.
    pub fn token(&self) -> CancellationToken {
        self.orderly.clone()
    }

    /// Waits until the end is hurried.
    pub async fn hurried(&self) {
        self.hurried.cancelled().await;
    }

    async fn listen(self, mut signals: Vec<Signal>) {
        loop {
            futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
            if self.orderly.is_cancelled() {
                tracing::warn!("asked twice to stop: not waiting any longer");
                self.hurried.cancel();
            } else {
                tracing::info!("stopping; a second signal hurries");
                self.orderly.cancel();
            }
        }
    }
}

//! What every request may reach.

use lookalike_shared::config::{Limits, Retention};
use lookalike_shared::db::PgPool;
use lookalike_shared::storage::Storage;
use tokio_util::sync::CancellationToken;

use crate::auth::KeyCache;
use crate::feed::EventFeed;
use crate::metrics::Metrics;
use crate::together::Together;

/// Handed to handlers as `web::Data<State>`; one per process.
pub struct State {
    /// The database.
    pub db: PgPool,
    /// Sources of pictures, and artifacts.
    pub storage: Storage,
    /// Bounds on requests.
    pub limits: Limits,
    /// How long things are kept.
    pub retention: Retention,
    /// From how many entries on a partition gets a graph; none: never.
    pub graph_from: Option<i64>,
    /// Whether session cookies need TLS.
    pub secure_cookies: bool,
    /// Changes of jobs, as they happen.
    pub feed: EventFeed,
    /// Statements that requests share.
    pub together: Together,
    /// Keys that were looked up a moment ago.
    pub keys: KeyCache,
    /// What `/metrics` tells.
    pub metrics: Metrics,
    /// Cancelled when the service stops: streams and waiting requests then end.
    pub stop: CancellationToken,
}

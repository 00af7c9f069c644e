//! Hears of new deliveries, on one connection for all queues, and wakes whoever takes from the queue they came to.
//!
//! apalis' own listener wakes every loop at every delivery, whatever its queue, and each then asks the database in vain.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use lookalike_shared::db::taking::DELIVERIES_CHANNEL;
use lookalike_shared::db::{ListenError, PgListener, PgPool};
use lookalike_shared::domain::job::Queue;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Cheap to clone; clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    bells: Arc<[Notify; Queue::ALL.len()]>,
}

impl Arrivals {
    /// Completes when something came to the queue since it last completed.
    pub async fn at(&self, queue: Queue) {
        self.bell(queue).notified().await;
    }

    /// The same as a stream that never ends.
    pub fn stream(&self, queue: Queue) -> Pin<Box<dyn Stream<Item = ()> + Send>> {
        Box::pin(stream::unfold(self.clone(), move |arrivals| async move {
            arrivals.at(queue).await;
            Some(((), arrivals))
        }))
    }

    /// Listens until `stop`, whatever happens to the database.
    pub async fn hear(self, db: PgPool, stop: CancellationToken) {
        while let Some(heard) = stop.run_until_cancelled(self.listen(&db)).await {
            if let Err(error) = heard {
                tracing::warn!(%error, "listening for deliveries failed; trying again");
                _ = stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
            }
        }
    }

    async fn listen(&self, db: &PgPool) -> Result<(), ListenError> {
        let mut listener = PgListener::connect_with(db).await?;
        listener.listen(DELIVERIES_CHANNEL).await?;
        loop {
            let notice = listener.recv().await?;
            let delivery: Value = serde_json::from_str(notice.payload()).unwrap_or_default();
            let queue = delivery["job_type"].as_str().and_then(|queue| queue.parse().ok());
            if let Some(queue) = queue {
                self.bell(queue).notify_one();
            }
        }
    }

    fn bell(&self, queue: Queue) -> &Notify {
        &self.bells[queue as usize]
    }
}

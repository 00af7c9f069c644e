//! Hears of cancelled and paused jobs at once. The heartbeat is the backstop for what is missed while the connection is
//! down.

use std::time::Duration;

use lookalike_shared::db::{CANCEL_CHANNEL, PAUSE_CHANNEL, PgListener, PgPool};
use lookalike_shared::domain::job::JobId;
use tokio_util::sync::CancellationToken;

use super::running::Running;
use super::stop::StopReason;

/// Stops the attempts of cancelled and paused jobs until `stop`.
pub async fn hear_stops(db: PgPool, running: Running, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            heard = hear(&db, &running) => {
                if let Err(error) = heard {
                    tracing::warn!(%error, "listening for cancels and pauses failed; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            () = stop.cancelled() => {}
        }
    }
}

async fn hear(db: &PgPool, running: &Running) -> Result<(), lookalike_shared::db::ListenError> {
    let mut listener = PgListener::connect_with(db).await?;
    listener.listen_all([CANCEL_CHANNEL, PAUSE_CHANNEL]).await?;
    loop {
        let notice = listener.recv().await?;
        if let Ok(job) = notice.payload().parse() {
            let paused = notice.channel() == PAUSE_CHANNEL;
            let reason = if paused { StopReason::Paused } else { StopReason::Cancelled };
            running.trip(JobId(job), reason);
        }
    }
}

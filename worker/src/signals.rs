//! When the process is to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that trips on SIGINT or SIGTERM, and, if asked for, once standard input closes: the parent is gone.
///
/// # Errors
/// The system lets no signal be heard.
pub fn stop_token(with_parent: bool) -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    });
    if with_parent {
        let token = stop.clone();
        // A blocking read of standard input would keep the runtime from ending, so it gets a plain thread.
        let (closed, heard) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            // Whatever ends the copy, the parent is gone.
            _ = std::io::copy(&mut input, &mut std::io::sink());
            _ = closed.send(());
        });
        tokio::spawn(async move {
            if heard.await.is_ok() {
                token.cancel();
            }
        });
    }
    Ok(stop)
}

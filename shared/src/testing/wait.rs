//! Waiting for a condition with a deadline: what a test does where there is no signal to await.

use std::future::Future;
use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` gives a value.
///
/// # Panics
/// When it does not within `deadline`; the message says that `what` did not happen.
pub async fn wait_until<T, F>(what: &str, deadline: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(begun.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

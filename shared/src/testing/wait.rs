//! Waiting for a condition with a deadline: what a test does where there is no signal to await.

use std::future::Future;
use std::time::{Duration, Instant};

/// Time between the first two looks; it doubles with every look.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// Looks again and again until `look` gives a value.
///
/// # Panics
/// When it does not within `deadline`; the message says that `what` did not happen.
pub async fn wait_until<T, F>(what: &str, deadline: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(begun.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

//! When a failed attempt is tried again.

use std::time::Duration;

/// The longest wait between two attempts.
pub const MAX_BACKOFF: Duration = Duration::from_secs(600);

/// The wait after attempt number `attempt` (from 1): `2^attempt` seconds, at most [`MAX_BACKOFF`], of which
/// a random half is taken off ("equal jitter", Brooker, *Exponential Backoff And Jitter*, 2015).
/// `random` is a number of `0..1`.
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let full = 2_f64.powi(attempt.min(10) as i32).min(MAX_BACKOFF.as_secs_f64());
    Duration::from_secs_f64(full / 2.0 + full / 2.0 * random.clamp(0.0, 1.0))
}

/// How many attempts up to number `attempt` have got nowhere since number `last_stored`, at least 1: what failed after it
/// had got somewhere is tried again as soon as what failed for the first time.
pub fn fruitless(attempt: i32, last_stored: i32) -> u32 {
    u32::try_from(attempt - last_stored).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_bounded() {
        assert_eq!(backoff(1, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff(3, 1.0), Duration::from_secs(8));
        assert_eq!(backoff(1_000, 1.0), MAX_BACKOFF);
    }

    #[test]
    fn only_attempts_that_got_nowhere_make_the_wait_longer() {
        assert_eq!(fruitless(3, 0), 3);
        assert_eq!(fruitless(30, 29), 1);
        assert_eq!(fruitless(30, 30), 1);
        // One that was given back is numbered anew.
        assert_eq!(fruitless(30, 31), 1);
    }
}

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
}

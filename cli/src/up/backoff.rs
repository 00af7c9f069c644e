//! How long to wait before a process that died is started again.

use std::time::Duration;

/// Doubling waits, which start over once a process has lived for a while.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// The first wait.
    const FIRST: Duration = Duration::from_millis(200);
    /// The longest wait.
    const LONGEST: Duration = Duration::from_secs(10);
    /// A process that lived this long was well.
    const HEALTHY: Duration = Duration::from_secs(60);

    /// The wait after a process that had lived for `lived`.
    pub fn after(&mut self, lived: Duration) -> Duration {
        self.deaths = if lived >= Self::HEALTHY { 1 } else { self.deaths.saturating_add(1) };
        (Self::FIRST * 2_u32.pow((self.deaths - 1).min(16))).min(Self::LONGEST)
    }

    /// How many died in a row.
    pub fn deaths(&self) -> u32 {
        self.deaths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.after(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(backoff.after(Duration::from_secs(61)).as_millis(), 200);
        assert_eq!(backoff.deaths(), 1);
    }
}

//! The smoothed rate and the remaining time of a running job.

use super::job::Progress;

/// Turns counts seen over time into [`Progress`]. Time is handed in, so that this reads no clock.
///
/// The rate is an exponential moving average over about [`Meter::WINDOW_SECONDS`]; an ETA is given only
/// after [`Meter::MIN_SAMPLES`] samples, since an early one is worse than none.
#[derive(Debug, Clone)]
pub struct Meter {
    progress: Progress,
    last: Option<(f64, u64)>,
    samples: u32,
}

impl Meter {
    /// The time constant of the average, in seconds.
    pub const WINDOW_SECONDS: f64 = 15.0;
    /// Samples needed before a rate turns into an ETA.
    pub const MIN_SAMPLES: u32 = 3;

    /// A meter for `phase`, counting `unit`s of which there are `total`, if that is known.
    pub fn new(phase: &str, unit: &str, total: Option<u64>) -> Self {
        let progress =
            Progress { phase: phase.to_owned(), unit: unit.to_owned(), total, ..Progress::default() };
        Self { progress, last: None, samples: 0 }
    }

    /// Notes that `done` units, `failed` of them in vain, were done at `now_seconds` of any steady clock.
    pub fn update(&mut self, now_seconds: f64, done: u64, failed: u64) -> &Progress {
        if let Some((then, before)) = self.last {
            let elapsed = now_seconds - then;
            if elapsed > 0.0 && done >= before {
                let rate = (done - before) as f64 / elapsed;
                let weight = 1.0 - (-elapsed / Self::WINDOW_SECONDS).exp();
                let smoothed = self.progress.rate.map_or(rate, |old| old + weight * (rate - old));
                self.progress.rate = Some(smoothed);
                self.samples += 1;
            }
        }
        self.last = Some((now_seconds, done));
        self.progress.done = done;
        self.progress.failed = failed;
        self.progress.eta_seconds = self.eta();
        &self.progress
    }

    /// Sets how much there is once that is known.
    pub fn set_total(&mut self, total: u64) {
        self.progress.total = Some(total);
    }

    /// What was last noted.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    fn eta(&self) -> Option<f64> {
        let left = self.progress.total?.saturating_sub(self.progress.done);
        let rate = self.progress.rate.filter(|rate| *rate > 0.0)?;
        (self.samples >= Self::MIN_SAMPLES).then(|| left as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_gives_a_true_eta() {
        let mut meter = Meter::new("decoding", "pictures", Some(1_000));
        for second in 0..10 {
            meter.update(f64::from(second), u64::from(second as u32) * 50, 0);
        }
        let progress = meter.progress();
        assert_eq!(progress.rate, Some(50.0));
        assert_eq!(progress.eta_seconds, Some(11.0));
    }

    #[test]
    fn no_eta_before_enough_samples_or_without_a_total() {
        let mut meter = Meter::new("listing", "objects", None);
        for second in 0..10 {
            meter.update(f64::from(second), u64::from(second as u32), 0);
        }
        assert_eq!(meter.progress().eta_seconds, None);
        let mut meter = Meter::new("decoding", "pictures", Some(10));
        meter.update(0.0, 0, 0);
        meter.update(1.0, 1, 0);
        assert_eq!(meter.progress().eta_seconds, None);
    }

    #[test]
    fn one_stall_does_not_throw_the_rate_away() {
        let mut meter = Meter::new("decoding", "pictures", Some(10_000));
        for second in 0..20 {
            meter.update(f64::from(second), u64::from(second as u32) * 100, 0);
        }
        meter.update(21.0, 1_900, 0);
        let rate = meter.progress().rate.unwrap();
        assert!((70.0..100.0).contains(&rate), "{rate}");
    }
}

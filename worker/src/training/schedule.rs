//! The learning rate of each step.

use std::f64::consts::PI;

use super::config::{ScheduleKind, TrainConfig};

/// The rate at `step`, counted from 0 over the whole run, of `steps` per epoch.
pub(super) fn learning_rate(config: &TrainConfig, step: u64, steps: u32) -> f64 {
    let epochs = f64::from(config.epochs);
    // A short run spends at most a fifth of itself on warming up.
    let warmup = config.warmup_epochs.min(epochs / 5.0);
    let at = (step as f64 + 0.5) / f64::from(steps);
    if at < warmup {
        return config.learning_rate * at / warmup;
    }
    let passed = ((at - warmup) / (epochs - warmup)).min(1.0);
    let factor = match config.schedule {
        ScheduleKind::Constant => 1.0,
        ScheduleKind::Cosine => (1.0 + (PI * passed).cos()) / 2.0,
        ScheduleKind::Step => 0.1_f64.powi((passed * 3.0).floor().min(2.0) as i32),
    };
    config.learning_rate * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: ScheduleKind) -> Vec<f64> {
        let config = TrainConfig {
            epochs: 10,
            learning_rate: 1.0,
            warmup_epochs: 1.0,
            schedule,
            ..Default::default()
        };
        (0..40).map(|step| learning_rate(&config, step, 4)).collect()
    }

    #[test]
    fn the_rate_rises_during_warm_up_and_then_follows_its_schedule() {
        let cosine = rates(ScheduleKind::Cosine);
        assert!(cosine[..4].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(cosine[4..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(cosine[4] > 0.99 && cosine[39] < 0.01);
        let step = rates(ScheduleKind::Step);
        assert_eq!((step[4], step[15], step[16], step[39]), (1.0, 1.0, 0.1, 0.1_f64.powi(2)));
        assert!(rates(ScheduleKind::Constant)[4..].iter().all(|rate| *rate == 1.0));
    }
}

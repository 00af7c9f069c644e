//! The parts of a training run on their own, for the benchmark.

use std::time::Instant;

use super::TrainError;
use super::config::TrainConfig;
use super::dataset::Dataset;
use super::optimizer::Optimizer;
use super::predict::cross_entropy;
use super::random::{self, Purpose};
use super::source::Source;
use crate::network::{Mode, Network, Precision};

/// Pictures per second through steps of `network` and nothing else: forward, backward and optimiser on one batch that
/// is on the device already, whose figures nobody asks for.
///
/// # Errors
/// When the device fails.
pub fn step_rate(
    network: &mut Network,
    dataset: &Dataset,
    config: &TrainConfig,
    precision: Precision,
    steps: u32,
) -> Result<f64, TrainError> {
    network.freeze(config.freeze.at(1, network.backbone()))?;
    let source = Source::new(network, dataset, config)?;
    let mut optimizer = Optimizer::new(network, config)?;
    let batch = source.batches().batch(&source.batches().order(1), 1, 0);
    let input = source.shown(network, &batch)?;
    let mut started = Instant::now();
    for number in 0..=steps {
        let mut rng = random::stream(config.seed, Purpose::Dropout, 1, number);
        let logits = network.forward(&input.values, Mode::Train { rng: &mut rng, precision })?.logits;
        let loss = cross_entropy(&logits, &input.labels, config.label_smoothing)?;
        optimizer.accumulate(&loss)?;
        optimizer.step(1e-6)?;
        if number == 0 || number == steps {
            // Reading the loss waits for the device; the first step warms it up.
            _ = loss.f_double_value(&[])?;
        }
        if number == 0 {
            started = Instant::now();
        }
    }
    Ok(f64::from(steps) * input.len() as f64 / started.elapsed().as_secs_f64())
}

/// Pictures per second through augmentation alone, from the stored pictures to normalised ones on the device.
///
/// # Errors
/// When the device fails.
pub fn augment_rate(network: &Network, dataset: &Dataset, config: &TrainConfig) -> Result<f64, TrainError> {
    let source = Source::new(network, dataset, config)?;
    let order = source.batches().order(1);
    let started = Instant::now();
    let mut pictures = 0;
    for step in 0..source.batches().steps() {
        let input = source.shown(network, &source.batches().batch(&order, 1, step))?;
        pictures += input.len();
        _ = input.values.f_select(0, 0)?.f_max()?.f_double_value(&[])?;
    }
    Ok(pictures as f64 / started.elapsed().as_secs_f64())
}

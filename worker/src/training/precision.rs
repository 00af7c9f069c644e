//! Finding out which numbers a step is faster with.

use std::time::Instant;

use tch::Tensor;

use super::TrainError;
use super::average::copies;
use super::optimizer::Optimizer;
use super::predict::cross_entropy;
use super::random::{self, Purpose};
use crate::network::{Mode, Network, Precision};

/// Steps of each kind that are timed, after one that is not.
const TIMED: u32 = 3;

/// 16 bits must save at least this share of a step's time to be worth their coarseness.
const WORTH: f64 = 0.15;

/// The numbers that make a step of `network` on these pictures `[N, 3, S, S]` and labels `[N]` faster, and how much
/// faster 16 bits are than 32. Nothing of `network` changes.
///
/// # Errors
/// When the device fails.
pub(super) fn measure(
    network: &mut Network,
    optimizer: &mut Optimizer,
    pictures: &Tensor,
    labels: &Tensor,
) -> Result<(Precision, f64), TrainError> {
    let own = copies(network)?;
    let full = seconds(network, optimizer, pictures, labels, Precision::F32)?;
    let half = seconds(network, optimizer, pictures, labels, Precision::Bf16)?;
    network.restore(&own)?;
    let speed = full / half;
    let precision = if half < full * (1.0 - WORTH) { Precision::Bf16 } else { Precision::F32 };
    Ok((precision, speed))
}

/// The shortest of some steps, without changing weights.
fn seconds(
    network: &Network,
    optimizer: &mut Optimizer,
    pictures: &Tensor,
    labels: &Tensor,
    precision: Precision,
) -> Result<f64, TrainError> {
    let mut shortest = f64::INFINITY;
    for number in 0..=TIMED {
        let started = Instant::now();
        let mut rng = random::stream(0, Purpose::Dropout, 0, number);
        let logits = network.forward(pictures, Mode::Train { rng: &mut rng, precision })?.logits;
        let loss = cross_entropy(&logits, labels, 0.0)?;
        optimizer.accumulate(&loss)?;
        optimizer.discard();
        // Reading the loss waits for the device.
        _ = loss.f_double_value(&[])?;
        if number > 0 {
            shortest = shortest.min(started.elapsed().as_secs_f64());
        }
    }
    Ok(shortest)
}

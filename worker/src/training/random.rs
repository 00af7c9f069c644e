//! Where randomness comes from: a stream for each purpose, epoch and step.
//!
//! Because no stream depends on how many numbers another one has given, nothing random needs to be stored in a
//! checkpoint.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What random numbers are for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// The order of pictures in an epoch.
    Order = 1,
    /// Crops, mirrors and colours of a batch.
    Augment = 2,
    /// What dropout zeroes in a step.
    Dropout = 3,
    /// Who is mixed with whom in a batch.
    Mixing = 4,
}

/// The stream of a purpose in one step of one epoch.
pub(super) fn stream(seed: u64, purpose: Purpose, epoch: u32, step: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    key[12..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..20].copy_from_slice(&step.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// A value from the normal distribution of mean 0 and deviation 1, by the method of Box and Muller.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    // 1 - u lies in (0, 1], where the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

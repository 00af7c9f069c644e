//! The running mean of a network's weights, which often judges better than the weights themselves.

use tch::{TchError, Tensor};

use crate::network::Network;

/// An exponential moving average of every tensor, batch norms' statistics included (Polyak and Juditsky 1992; Tan and Le
/// 2019 use it for training).
///
/// `mean = d * mean + (1 - d) * weight` after every step, with `d = min(decay, (1 + step) / (10 + step))`: the start
/// values are forgotten soon, however slow the decay (as in TensorFlow's `ExponentialMovingAverage`).
pub(super) struct Average {
    decay: f64,
    tensors: Vec<(String, Tensor)>,
}

impl Average {
    /// The mean of `network` as it is.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(network: &Network, decay: f64) -> Result<Self, TchError> {
        Ok(Self { decay, tensors: copies(network)? })
    }

    /// Takes in the weights after a step, counted from 1.
    ///
    /// # Errors
    /// When the device fails.
    pub fn update(&mut self, network: &Network, step: u64) -> Result<(), TchError> {
        let share = 1.0 - self.decay.min((1 + step) as f64 / (10 + step) as f64);
        tch::no_grad(|| {
            for ((_, mean), (_, weight)) in self.tensors.iter_mut().zip(network.tensors().named()) {
                _ = mean.f_lerp_(weight, share)?;
            }
            Ok(())
        })
    }

    /// The mean, by name.
    pub fn tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// Goes on from a stored mean. False when a tensor is missing.
    ///
    /// # Errors
    /// When the device fails.
    pub fn restore(&mut self, find: impl Fn(&str) -> Option<Tensor>) -> Result<bool, TchError> {
        for (name, mean) in &mut self.tensors {
            let Some(stored) = find(name) else { return Ok(false) };
            mean.f_copy_(&stored)?;
        }
        Ok(true)
    }
}

/// A copy of every tensor, by name.
///
/// # Errors
/// When the device fails.
pub(super) fn copies(network: &Network) -> Result<Vec<(String, Tensor)>, TchError> {
    copy(network.tensors().named())
}

/// A copy of tensors that have names already.
///
/// # Errors
/// When the device fails.
pub(super) fn copies_of(tensors: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>, TchError> {
    copy(tensors.iter().map(|(name, tensor)| (&**name, tensor)))
}

fn copy<'a>(tensors: impl Iterator<Item = (&'a str, &'a Tensor)>) -> Result<Vec<(String, Tensor)>, TchError> {
    let mut copies = Vec::new();
    for (name, tensor) in tensors {
        let mut copy = tensor.f_detach()?.f_empty_like()?;
        copy.f_copy_(&tensor.f_detach()?)?;
        copies.push((name.to_owned(), copy));
    }
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use lookalike_shared::domain::backbone;
    use tch::Device;

    use super::*;

    #[test]
    fn the_mean_follows_by_its_formula() {
        let network = Network::new(backbone::by_name("squeezenet1_1").unwrap(), 3, 1, Device::Cpu).unwrap();
        let (name, weight) =
            network.tensors().named().next().map(|(n, t)| (n.to_owned(), t.shallow_clone())).unwrap();
        let mut average = Average::new(&network, 0.5).unwrap();
        let mut expected = weight.double_value(&[0, 0, 0, 0]);
        for step in 1..=3_u64 {
            tch::no_grad(|| _ = weight.shallow_clone().fill_(step as f64));
            average.update(&network, step).unwrap();
            // Decays of 2/11, 3/12 and 4/13 come before 0.5.
            let decay = [2.0 / 11.0, 0.25, 4.0 / 13.0][step as usize - 1];
            expected = decay * expected + (1.0 - decay) * step as f64;
        }
        let found =
            average.tensors().iter().find(|(other, _)| *other == name).unwrap().1.double_value(&[0, 0, 0, 0]);
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        average.update(&network, 1000).unwrap();
        let found = average.tensors()[0].1.double_value(&[0, 0, 0, 0]);
        assert!((found - (0.5 * expected + 1.5)).abs() < 1e-5, "from then on the decay itself counts");
    }
}

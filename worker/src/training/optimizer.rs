//! SGD with momentum and AdamW on tch tensors.
//!
//! Both keep their state in named tensors, so that a checkpoint can hold it.

use tch::{TchError, Tensor};

use super::config::{OptimizerKind, TrainConfig};
use crate::network::Network;
use lookalike_shared::domain::backbone::ParameterKind;

/// Decay of AdamW's two averages, and what keeps its divisor from 0: the constants of its authors.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPS: f64 = 1e-8;

/// One weight tensor and what the optimiser remembers about it.
struct Slot {
    name: String,
    tensor: Tensor,
    decay: f64,
    /// SGD: the momentum. AdamW: the averages of gradients and of their squares.
    state: Vec<Tensor>,
}

/// Changes a network's learnt tensors step by step.
pub(super) struct Optimizer {
    kind: OptimizerKind,
    momentum: f64,
    slots: Vec<Slot>,
    steps: u64,
}

impl Optimizer {
    /// An optimiser for what `network` learns, its state zero.
    pub fn new(network: &Network, config: &TrainConfig) -> Result<Self, TchError> {
        let states = match config.optimizer {
            OptimizerKind::Sgd => 1,
            OptimizerKind::AdamW => 2,
        };
        let mut slots = Vec::new();
        for named in network.learnt() {
            let tensor = named.tensor.shallow_clone();
            let zeroes = || tensor.f_detach()?.f_zeros_like();
            let state = (0..states).map(|_| zeroes()).collect::<Result<_, _>>()?;
            let decays = named.parameter.kind == ParameterKind::Weight;
            let decay = if decays { config.weight_decay } else { 0.0 };
            slots.push(Slot { name: named.parameter.name.clone(), tensor, decay, state });
        }
        Ok(Self { kind: config.optimizer, momentum: config.momentum, slots, steps: 0 })
    }

    /// One step down the gradients of `loss`.
    pub fn step(&mut self, loss: &Tensor, rate: f64) -> Result<(), TchError> {
        let tensors: Vec<&Tensor> = self.slots.iter().map(|slot| &slot.tensor).collect();
        let gradients = Tensor::f_run_backward(&[loss], &tensors, false, false)?;
        self.steps += 1;
        tch::no_grad(|| {
            for (slot, gradient) in self.slots.iter_mut().zip(&gradients) {
                match self.kind {
                    OptimizerKind::Sgd => sgd(slot, gradient, rate, self.momentum)?,
                    OptimizerKind::AdamW => adamw(slot, gradient, rate, self.steps)?,
                }
            }
            Ok(())
        })
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state as tensors named `{parameter}/{place}`.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.slots.iter().flat_map(|slot| {
            let named = |(place, tensor)| (format!("{}/{place}", slot.name), tensor);
            slot.state.iter().enumerate().map(named)
        })
    }

    /// Goes on from a state taken after `steps` steps. False when a tensor is missing.
    pub fn restore(&mut self, steps: u64, find: impl Fn(&str) -> Option<Tensor>) -> Result<bool, TchError> {
        for slot in &mut self.slots {
            for (place, tensor) in slot.state.iter_mut().enumerate() {
                let Some(stored) = find(&format!("{}/{place}", slot.name)) else { return Ok(false) };
                tensor.f_copy_(&stored)?;
            }
        }
        self.steps = steps;
        Ok(true)
    }
}

/// `m = momentum * m + gradient + decay * w; w = w - rate * m`, as in PyTorch.
fn sgd(slot: &mut Slot, gradient: &Tensor, rate: f64, momentum: f64) -> Result<(), TchError> {
    let change = &mut slot.state[0];
    let _ = change.f_multiply_scalar_(momentum)?.f_add_(gradient)?;
    if slot.decay != 0.0 {
        let _ = change.f_addcmul_(&slot.tensor, &scalar(slot.decay, change)?)?;
    }
    let _ = slot.tensor.f_addcmul_(change, &scalar(-rate, change)?)?;
    Ok(())
}

/// Loshchilov and Hutter 2019, algorithm 2, with the decay scaled by the rate as in PyTorch.
fn adamw(slot: &mut Slot, gradient: &Tensor, rate: f64, step: u64) -> Result<(), TchError> {
    let [mean, square] = slot.state.as_mut_slice() else { unreachable!("AdamW keeps two averages") };
    let _ = mean.f_lerp_(gradient, 1.0 - BETAS[0])?;
    let _ = square.f_lerp_(&gradient.f_square()?, 1.0 - BETAS[1])?;
    let correction = BETAS.map(|beta| 1.0 - beta.powf(step as f64));
    let _ = slot.tensor.f_multiply_scalar_(1.0 - rate * slot.decay)?;
    let mut divisor = square.f_multiply_scalar(1.0 / correction[1])?;
    let divisor = divisor.f_sqrt_()?.f_add_scalar_(EPS)?.f_multiply_scalar_(-correction[0] / rate)?;
    let _ = slot.tensor.f_addcdiv_(mean, &divisor)?;
    Ok(())
}

fn scalar(value: f64, like: &Tensor) -> Result<Tensor, TchError> {
    Tensor::f_full(&[] as &[i64], value, (like.f_kind()?, like.device()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// One weight of 1, its gradient 0.5 at every step.
    fn run(kind: OptimizerKind, decay: f64, steps: u64) -> f64 {
        let tensor = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let states = if kind == OptimizerKind::Sgd { 1 } else { 2 };
        let state = (0..states).map(|_| Tensor::zeros([1], (Kind::Float, Device::Cpu))).collect();
        let slot = Slot { name: "w".to_owned(), tensor, decay, state };
        let mut optimizer = Optimizer { kind, momentum: 0.9, slots: vec![slot], steps: 0 };
        for _ in 0..steps {
            let loss = (&optimizer.slots[0].tensor * 0.5).sum(Kind::Float);
            optimizer.step(&loss, 0.1).unwrap();
        }
        optimizer.slots[0].tensor.double_value(&[0])
    }

    #[test]
    fn sgd_repeats_a_share_of_its_last_change() {
        // Without decay: m = 0.5, then 0.95; w = 1 - 0.05 - 0.095.
        assert!((run(OptimizerKind::Sgd, 0.0, 2) - 0.855).abs() < 1e-6);
        // With a decay of 0.2: m = 0.5 + 0.2, w = 0.93; m = 0.63 + 0.5 + 0.186, w = 0.93 - 0.1316.
        assert!((run(OptimizerKind::Sgd, 0.2, 2) - 0.7984).abs() < 1e-6);
    }

    #[test]
    fn adamw_steps_by_its_rate_and_decays_apart_from_it() {
        // A steady gradient gives steps of the rate itself, after correction of both averages.
        assert!((run(OptimizerKind::AdamW, 0.0, 3) - 0.7).abs() < 1e-5);
        // Decay: w = 1 * 0.98 - 0.1.
        assert!((run(OptimizerKind::AdamW, 0.2, 1) - 0.88).abs() < 1e-5);
    }
}

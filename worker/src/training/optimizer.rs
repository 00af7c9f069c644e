//! SGD with momentum and AdamW on tch tensors.
//!
//! Both keep their state in named tensors, so that a checkpoint can hold it.

use tch::{Device, Kind, TchError, Tensor};

use super::config::{FreezePolicy, OptimizerKind, TrainConfig};
use crate::network::{NamedTensor, Network};
use lookalike_shared::domain::backbone::ParameterKind;

/// Decay of AdamW's two averages, and what keeps its divisor from 0: the constants of its authors.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPS: f64 = 1e-8;

/// One weight tensor and what the optimiser remembers about it.
struct Slot {
    name: String,
    tensor: Tensor,
    decay: f64,
    /// SGD: the momentum. AdamW: the averages of gradients and of their squares, and how many steps these are of.
    state: Vec<Tensor>,
}

/// Changes a network's learnt tensors step by step.
pub(super) struct Optimizer {
    kind: OptimizerKind,
    momentum: f64,
    clip: Option<f64>,
    slots: Vec<Slot>,
    /// By slot, what the parts of this step have added up to; nothing where a tensor does not learn now.
    gradients: Vec<Option<Tensor>>,
    steps: u64,
}

impl Optimizer {
    /// An optimiser for what `network` may ever learn under `config`, its state zero.
    pub fn new(network: &Network, config: &TrainConfig) -> Result<Self, TchError> {
        let only_head = config.freeze == FreezePolicy::Backbone;
        let learns = |named: &&NamedTensor| {
            if only_head { named.tensor.requires_grad() } else { named.parameter.kind.is_learnt() }
        };
        let mut slots = Vec::new();
        for named in network.tensors().iter().filter(learns) {
            let tensor = named.tensor.shallow_clone();
            let state = start(config.optimizer, &tensor)?;
            let decays = named.parameter.kind == ParameterKind::Weight;
            let decay = if decays { config.weight_decay } else { 0.0 };
            slots.push(Slot { name: named.parameter.name.clone(), tensor, decay, state });
        }
        let (momentum, clip) = (config.momentum, config.gradient_clip);
        let gradients = slots.iter().map(|_| None).collect();
        Ok(Self { kind: config.optimizer, momentum, clip, slots, gradients, steps: 0 })
    }

    /// Adds the gradients of `loss`, of a part of a step or all of it.
    pub fn accumulate(&mut self, loss: &Tensor) -> Result<(), TchError> {
        let learning: Vec<usize> =
            (0..self.slots.len()).filter(|slot| self.slots[*slot].tensor.requires_grad()).collect();
        let tensors: Vec<&Tensor> = learning.iter().map(|slot| &self.slots[*slot].tensor).collect();
        let gradients = Tensor::f_run_backward(&[loss], &tensors, false, false)?;
        for (slot, gradient) in learning.into_iter().zip(gradients) {
            match &mut self.gradients[slot] {
                Some(sum) => _ = sum.f_add_(&gradient)?,
                empty => *empty = Some(gradient),
            }
        }
        Ok(())
    }

    /// Forgets what was added up, as after a part that failed.
    pub fn discard(&mut self) {
        self.gradients.iter_mut().for_each(|gradient| *gradient = None);
    }

    /// One step down what was added up.
    pub fn step(&mut self, rate: f64) -> Result<(), TchError> {
        self.steps += 1;
        tch::no_grad(|| {
            let scale = self.clip.map(|longest| self.clip_scale(longest)).transpose()?;
            for (slot, gradient) in self.slots.iter_mut().zip(&mut self.gradients) {
                let Some(mut gradient) = gradient.take() else { continue };
                if let Some(scale) = &scale {
                    _ = gradient.f_mul_(scale)?;
                }
                match self.kind {
                    OptimizerKind::Sgd => sgd(slot, &gradient, rate, self.momentum)?,
                    OptimizerKind::AdamW => adamw(slot, &gradient, rate)?,
                }
            }
            Ok(())
        })
    }

    /// What gradients are multiplied with so that their norm over all weights is at most `longest`; stays on the device,
    /// so that nobody waits for it. As `torch.nn.utils.clip_grad_norm_`.
    fn clip_scale(&self, longest: f64) -> Result<Tensor, TchError> {
        let norms = self.gradients.iter().flatten().map(|gradient| gradient.f_norm());
        let norms = norms.collect::<Result<Vec<_>, _>>()?;
        let length = Tensor::f_stack(&norms, 0)?.f_norm()?;
        length.f_add_scalar(1e-6)?.f_reciprocal()?.f_multiply_scalar(longest)?.f_clamp_max(1.0)
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

/// The state of a tensor that has learnt nothing yet.
fn start(kind: OptimizerKind, tensor: &Tensor) -> Result<Vec<Tensor>, TchError> {
    let zeroes = || tensor.f_detach()?.f_zeros_like();
    match kind {
        OptimizerKind::Sgd => Ok(vec![zeroes()?]),
        // The number of steps stays on the CPU, so that nobody waits for the device to read it.
        OptimizerKind::AdamW => {
            Ok(vec![zeroes()?, zeroes()?, Tensor::f_zeros(&[] as &[i64], (Kind::Float, Device::Cpu))?])
        }
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

/// Loshchilov and Hutter 2019, algorithm 2, with the decay scaled by the rate and steps counted by tensor as in PyTorch:
/// what is frozen at first starts with averages of nothing later.
fn adamw(slot: &mut Slot, gradient: &Tensor, rate: f64) -> Result<(), TchError> {
    let [mean, square, steps] = slot.state.as_mut_slice() else { unreachable!("AdamW keeps three") };
    let step = steps.f_add_scalar_(1.0)?.f_double_value(&[])?;
    let _ = mean.f_lerp_(gradient, 1.0 - BETAS[0])?;
    let _ = square.f_lerp_(&gradient.f_square()?, 1.0 - BETAS[1])?;
    let correction = BETAS.map(|beta| 1.0 - beta.powf(step));
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

    /// One weight of 1, its gradient 0.5 at every step.
    fn run(kind: OptimizerKind, decay: f64, steps: u64) -> f64 {
        let tensor = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let state = start(kind, &tensor).unwrap();
        let slot = Slot { name: "w".to_owned(), tensor, decay, state };
        let mut optimizer = of(kind, None, vec![slot]);
        for _ in 0..steps {
            let loss = (&optimizer.slots[0].tensor * 0.5).sum(Kind::Float);
            optimizer.accumulate(&loss).unwrap();
            optimizer.step(0.1).unwrap();
        }
        optimizer.slots[0].tensor.double_value(&[0])
    }

    fn of(kind: OptimizerKind, clip: Option<f64>, slots: Vec<Slot>) -> Optimizer {
        let gradients = slots.iter().map(|_| None).collect();
        Optimizer { kind, momentum: 0.9, clip, slots, gradients, steps: 0 }
    }

    fn slot(values: &[f32], kind: OptimizerKind, decay: f64) -> Slot {
        let tensor = Tensor::from_slice(values).set_requires_grad(true);
        let state = start(kind, &tensor).unwrap();
        Slot { name: "w".to_owned(), tensor, decay, state }
    }

    /// Five steps with gradients `2 w + (1, -2, 3) / (step + 1)`, at a rate of `0.1 / (step + 1)`.
    fn journey(mut optimizer: Optimizer) -> Vec<f32> {
        for step in 0..5 {
            let slope = Tensor::from_slice(&[1.0_f32, -2.0, 3.0]) / f64::from(step + 1);
            let w = &optimizer.slots[0].tensor;
            let loss = (w.square() + w * slope).sum(Kind::Float);
            optimizer.accumulate(&loss).unwrap();
            optimizer.step(0.1 / f64::from(step + 1)).unwrap();
        }
        Vec::try_from(optimizer.slots[0].tensor.detach()).unwrap()
    }

    const W: [f32; 3] = [0.5, -0.25, 1.0];
    const SGD: [f32; 3] = [-0.097_812_1, 0.390_280_35, -0.423_207_08];
    const ADAMW: [f32; 3] = [0.274_778_9, -0.035_467_9, 0.768_280_6];
    const CLIPPED: [f32; 3] = [0.172_595_49, 0.079_259_97, 0.234_819_17];

    fn near(found: &[f32], expected: &[f32]) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 2e-6, "{found:?} is not {expected:?}");
    }

    // The expected values of the next three tests were worked out in double precision with numpy, by the update rules
    // of torch.optim.SGD, torch.optim.AdamW and torch.nn.utils.clip_grad_norm_, without libtorch.

    #[test]
    fn sgd_goes_the_way_of_pytorchs_rule() {
        near(&journey(of(OptimizerKind::Sgd, None, vec![slot(&W, OptimizerKind::Sgd, 0.01)])), &SGD);
    }

    #[test]
    fn adamw_goes_the_way_of_pytorchs_rule() {
        near(&journey(of(OptimizerKind::AdamW, None, vec![slot(&W, OptimizerKind::AdamW, 0.05)])), &ADAMW);
    }

    #[test]
    fn clipping_shortens_what_is_longer() {
        near(&journey(of(OptimizerKind::Sgd, Some(2.0), vec![slot(&W, OptimizerKind::Sgd, 0.0)])), &CLIPPED);
    }

    #[test]
    fn parts_of_a_step_add_up_and_what_does_not_learn_stays() {
        let frozen = slot(&[3.0], OptimizerKind::Sgd, 0.5);
        let mut optimizer = of(OptimizerKind::Sgd, None, vec![slot(&[1.0], OptimizerKind::Sgd, 0.0), frozen]);
        _ = optimizer.slots[1].tensor.set_requires_grad(false);
        for part in [0.25, 0.75] {
            let loss = (&optimizer.slots[0].tensor * part).sum(Kind::Float);
            optimizer.accumulate(&loss).unwrap();
        }
        optimizer.step(0.5).unwrap();
        assert_eq!(optimizer.slots[0].tensor.double_value(&[0]), 0.5);
        assert_eq!(optimizer.slots[1].tensor.double_value(&[0]), 3.0);
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

    #[test]
    fn adamw_counts_the_steps_of_each_tensor() {
        let kind = OptimizerKind::AdamW;
        let mut optimizer = of(kind, None, vec![slot(&[1.0], kind, 0.0), slot(&[1.0], kind, 0.0)]);
        _ = optimizer.slots[1].tensor.set_requires_grad(false);
        for slope in [0.5, 0.5, 0.5, 0.5, -1.0] {
            let [first, late] = [0, 1].map(|slot| &optimizer.slots[slot].tensor);
            let loss = (first * 0.5 + late * slope).sum(Kind::Float);
            optimizer.accumulate(&loss).unwrap();
            optimizer.step(0.1).unwrap();
            let is_open = optimizer.slots[0].state[2].double_value(&[]) >= 3.0;
            _ = optimizer.slots[1].tensor.set_requires_grad(is_open);
        }
        // Of the late one these are the first two steps. After 0.5: 1 - 0.1. After -1:
        // m = (0.9 * 0.05 - 0.1) / (1 - 0.9^2) = -0.289474, v = (0.999 * 0.00025 + 0.001) / (1 - 0.999^2) = 0.625188,
        // w = 0.9 + 0.1 * 0.289474 / 0.790688.
        assert!((optimizer.slots[1].tensor.double_value(&[0]) - 0.936_610_4).abs() < 1e-5);
        assert!((optimizer.slots[0].tensor.double_value(&[0]) - 0.5).abs() < 1e-5);
        assert_eq!([0, 1].map(|slot| optimizer.slots[slot].state[2].double_value(&[])), [5.0, 2.0]);
    }
}

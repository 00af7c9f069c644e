//! Start values of weights that are not loaded.
//!
//! Each tensor has its own random stream, so its values depend on the seed and its place only.

use std::f64::consts::TAU;

use lookalike_shared::domain::backbone::{Backbone, Conv2d, Init, Linear, Op, Parameter, ParameterKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, TchError, Tensor};

use super::layout;
use super::tensors::{NamedTensor, Tensors};

/// Every tensor of a new network.
pub(super) fn tensors(
    backbone: &Backbone,
    classes: usize,
    seed: u64,
    device: Device,
) -> Result<Tensors, TchError> {
    let mut list = Vec::new();
    for (stream, parameter) in backbone.parameters(classes).into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        let values = values(backbone, &parameter, &mut rng);
        let tensor = on_device(&values, &parameter, device)?;
        list.push(NamedTensor { parameter, tensor });
    }
    Ok(Tensors::new(backbone, list))
}

fn on_device(values: &[f32], parameter: &Parameter, device: Device) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = parameter.shape.iter().map(|&length| length as i64).collect();
    let tensor = Tensor::f_from_slice(values)?.f_view(&*shape)?;
    layout::preferred(&tensor.f_to_device(device)?, device)
}

fn values(backbone: &Backbone, parameter: &Parameter, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let init = match &backbone.layer(parameter.layer).op {
        Op::Conv2d(Conv2d { init, .. }) | Op::Linear(Linear { init, .. }) => Some(*init),
        Op::Input
        | Op::BatchNorm2d(_)
        | Op::LocalResponseNorm(_)
        | Op::Relu
        | Op::Relu6
        | Op::Silu
        | Op::Sigmoid
        | Op::MaxPool2d(_)
        | Op::AvgPool2d { .. }
        | Op::AdaptiveAvgPool2d { .. }
        | Op::Flatten
        | Op::Dropout { .. }
        | Op::Add
        | Op::Scale
        | Op::Concat => None,
    };
    match (parameter.kind, init) {
        (ParameterKind::Weight, Some(init)) => weights(init, &parameter.shape, rng),
        (ParameterKind::Bias, Some(Init::KaimingNormal { bias })) => vec![bias as f32; parameter.len()],
        (ParameterKind::NormScale | ParameterKind::NormVariance, _) => vec![1.0; parameter.len()],
        (
            ParameterKind::Weight | ParameterKind::Bias | ParameterKind::NormShift | ParameterKind::NormMean,
            _,
        ) => vec![0.0; parameter.len()],
    }
}

fn weights(init: Init, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let receptive: usize = shape[2..].iter().product();
    let fan_in = (shape[1] * receptive) as f64;
    let fan_out = (shape[0] * receptive) as f64;
    let count = shape.iter().product();
    match init {
        Init::KaimingNormal { .. } => normal(count, (2.0 / fan_in).sqrt(), rng),
        Init::KaimingNormalFanOut => normal(count, (2.0 / fan_out).sqrt(), rng),
        Init::Normal { std } => normal(count, std, rng),
        Init::KaimingUniform => {
            let bound = (6.0 / fan_in).sqrt() as f32;
            (0..count).map(|_| rng.random_range(-bound..bound)).collect()
        }
    }
}

/// `count` values of mean 0, by the method of Box and Muller.
fn normal(count: usize, std: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = std * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (TAU * rng.random::<f64>()).sin_cos();
        values.push((radius * cos) as f32);
        values.push((radius * sin) as f32);
    }
    values.truncate(count);
    values
}

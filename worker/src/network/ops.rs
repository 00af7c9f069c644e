//! The operations of layers, on tensors.

use lookalike_shared::domain::backbone::{BatchNorm2d, Conv2d, LocalResponseNorm, MaxPool2d};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tch::{Cuda, Device, Kind, TchError, Tensor};

use super::layout;
use super::tensors::NamedTensor;

/// Computes with the numbers of `x`, into which weight and bias are converted.
pub(super) fn conv2d(x: &Tensor, conv: &Conv2d, own: &[NamedTensor]) -> Result<Tensor, TchError> {
    let (weight, bias) = weight_and_bias(own, x.f_kind()?)?;
    let stride = conv.stride as i64;
    let padding = conv.padding as i64;
    x.f_conv2d(&weight, bias, [stride, stride], [padding, padding], [1, 1], conv.groups as i64)
}

/// Computes with the numbers of `x`, into which weight and bias are converted.
pub(super) fn linear(x: &Tensor, own: &[NamedTensor]) -> Result<Tensor, TchError> {
    let (weight, bias) = weight_and_bias(own, x.f_kind()?)?;
    x.f_linear(&weight, bias)
}

fn weight_and_bias(own: &[NamedTensor], kind: Kind) -> Result<(Tensor, Option<Tensor>), TchError> {
    let weight = own[0].tensor.f_to_kind(kind)?;
    let bias = own.get(1).map(|named| named.tensor.f_to_kind(kind)).transpose()?;
    Ok((weight, bias))
}

/// Normalises with the batch's own statistics, and moves the running ones, when `measures`; otherwise with the running
/// ones.
pub(super) fn batch_norm2d(
    x: &Tensor,
    norm: &BatchNorm2d,
    own: &[NamedTensor],
    measures: bool,
) -> Result<Tensor, TchError> {
    let [scale, shift, mean, variance] = [0, 1, 2, 3].map(|place| Some(&own[place].tensor));
    x.f_batch_norm(scale, shift, mean, variance, measures, norm.momentum, norm.eps, true)
}

/// Krizhevsky et al. 2012, section 3.3, with Caffe's `alpha / size`: the mean of squares over the window comes from a
/// pooling along the channels, laid last. Always `f32` inside: with 16 bits `k` would swallow the sum.
pub(super) fn local_response_norm(x: &Tensor, norm: &LocalResponseNorm) -> Result<Tensor, TchError> {
    let (n, c, h, w) = x.size4()?;
    let squares = x.f_to_kind(Kind::Float)?.f_square()?.f_permute([0, 2, 3, 1])?.f_reshape([n, h * w, c])?;
    let half = (norm.size / 2) as i64;
    // Beyond the first and last channel the window sees zeroes, which count: the mean is the sum over `size`.
    let mean = squares.f_avg_pool1d([norm.size as i64], [1], [half], false, true)?;
    let divisor =
        mean.f_multiply_scalar(norm.alpha)?.f_add_scalar(norm.k)?.f_pow_tensor_scalar(-norm.beta)?;
    x.f_mul(&divisor.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])?)?.f_to_kind(x.f_kind()?)
}

pub(super) fn max_pool2d(x: &Tensor, pool: &MaxPool2d) -> Result<Tensor, TchError> {
    let square = |side: usize| [side as i64, side as i64];
    x.f_max_pool2d(square(pool.kernel), square(pool.stride), square(pool.padding), [1, 1], pool.ceil)
}

pub(super) fn avg_pool2d(x: &Tensor, kernel: usize, stride: usize) -> Result<Tensor, TchError> {
    let square = |side: usize| [side as i64, side as i64];
    x.f_avg_pool2d(square(kernel), square(stride), [0, 0], false, true, None)
}

pub(super) fn adaptive_avg_pool2d(x: &Tensor, size: usize) -> Result<Tensor, TchError> {
    let size = size as i64;
    let (_, _, h, w) = x.size4()?;
    if (h, w) == (size, size) {
        return Ok(x.shallow_clone());
    }
    x.f_adaptive_avg_pool2d([size, size])
}

/// Zeroes values with probability `p` and scales the others so that the mean stays.
///
/// On CPUs the choice is drawn from `rng` byte by byte, so `p` is rounded to 1/256 and training is repeatable whatever
/// else runs in the process; on GPUs `rng` seeds the device's own generator.
pub(super) fn dropout(x: &Tensor, p: f64, rng: &mut ChaCha8Rng) -> Result<Tensor, TchError> {
    let kept = if x.device() == Device::Cpu { kept_by_bytes(x, p, rng)? } else { kept_by_device(x, p, rng)? };
    x.f_mul(&kept.f_to_kind(x.f_kind()?)?)
}

/// 0 where a value is dropped, the scale where it is kept; shape and layout of `x`.
fn kept_by_bytes(x: &Tensor, p: f64, rng: &mut ChaCha8Rng) -> Result<Tensor, TchError> {
    let threshold = (p * 256.0).round() as i64;
    let mut bytes = vec![0; x.numel()];
    rng.fill_bytes(&mut bytes);
    let size = x.size();
    let kept = Tensor::f_from_slice(&bytes)?.f_ge(threshold)?.f_to_kind(Kind::Float)?;
    let kept = kept.f_multiply_scalar(256.0 / (256 - threshold) as f64)?;
    match *size.as_slice() {
        [n, c, h, w] if layout::prefers_channels_last(x.device()) => {
            kept.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])
        }
        _ => kept.f_view(&*size),
    }
}

fn kept_by_device(x: &Tensor, p: f64, rng: &mut ChaCha8Rng) -> Result<Tensor, TchError> {
    Cuda::manual_seed_all(rng.next_u64());
    let mut kept = x.f_empty_like()?;
    kept.f_bernoulli_float_(1.0 - p)?.f_multiply_scalar(1.0 / (1.0 - p))
}

/// Each row of `[N, D]` divided by its Euclidean length; rows of zeroes stay.
///
/// # Errors
/// When the device fails.
pub fn unit_length(rows: &Tensor) -> Result<Tensor, TchError> {
    let length = rows.f_norm_scalaropt_dim(2.0, [1], true)?.f_clamp_min(1e-12)?;
    rows.f_div(&length)
}

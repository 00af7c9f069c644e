//! Giving folded batch norms true statistics again.
//!
//! Some published weights have their batch norms folded into the convolutions: mean 0 and variance 1 stand where
//! statistics were. They answer well but cannot be trained as they are, for the first measured batch replaces the
//! statistics and with them the function.

use lookalike_shared::domain::backbone::Op;
use tch::{Kind, TchError, Tensor};

use super::tensors::NamedTensor;
use super::{Network, NetworkError};

impl Network {
    /// Whether any batch norm was folded.
    ///
    /// # Errors
    /// When the device fails.
    pub fn has_folded_norms(&self) -> Result<bool, NetworkError> {
        for index in 0..self.backbone.layers.len() {
            if self.is_norm(index) && is_folded(self.tensors.of_layer(index))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Measures what arrives at every folded batch norm on a batch of normalised pictures `[N, 3, S, S]`, makes that
    /// its running statistics and adapts scale and shift so that the network's answers stay the same.
    ///
    /// # Errors
    /// When the device fails.
    pub fn settle(&mut self, pictures: &Tensor) -> Result<(), NetworkError> {
        let mut measured: Vec<(usize, [Tensor; 2])> = Vec::new();
        self.watch(pictures, &mut |index, inputs| {
            if self.is_norm(index) && is_folded(self.tensors.of_layer(index))? {
                measured.push((index, statistics(&inputs[0])?));
            }
            Ok(())
        })?;
        for (index, statistics) in &measured {
            let Op::BatchNorm2d(norm) = &self.backbone.layers[*index].op else { continue };
            tch::no_grad(|| adopt(self.tensors.of_layer(*index), statistics, norm.eps))?;
        }
        self.freeze(self.frozen)
    }

    fn is_norm(&self, index: usize) -> bool {
        matches!(self.backbone.layers[index].op, Op::BatchNorm2d(_))
    }
}

/// Whether a batch norm has the statistics of one that has seen nothing and yet shifts what it sees.
pub(super) fn is_folded(norm: &[NamedTensor]) -> Result<bool, TchError> {
    let [_, shift, mean, variance] = norm else { return Ok(false) };
    let deviation = |tensor: &Tensor, from: f64| -> Result<f64, TchError> {
        tensor.f_sub_scalar(from)?.f_abs()?.f_max()?.f_double_value(&[])
    };
    Ok(deviation(&mean.tensor, 0.0)? == 0.0
        && deviation(&variance.tensor, 1.0)? == 0.0
        && deviation(&shift.tensor, 0.0)? > 0.0)
}

/// Mean and variance of each channel of a map.
fn statistics(x: &Tensor) -> Result<[Tensor; 2], TchError> {
    let over: &[i64] = &[0, 2, 3];
    let mean = x.f_mean_dim(over, false, Kind::Float)?;
    let centred = x.f_sub(&mean.f_view([1, -1, 1, 1])?)?;
    Ok([mean, centred.f_square()?.f_mean_dim(over, false, Kind::Float)?])
}

/// From `scale / sqrt(1 + eps) * x + shift` to the same line in terms of the measured mean and variance.
fn adopt(norm: &[NamedTensor], [mean, variance]: &[Tensor; 2], eps: f64) -> Result<(), TchError> {
    let [scale, shift, running_mean, running_variance] =
        [0, 1, 2, 3].map(|place| norm[place].tensor.shallow_clone());
    let slope = scale.f_multiply_scalar(1.0 / (1.0 + eps).sqrt())?;
    let new_shift = shift.f_add(&slope.f_mul(mean)?)?;
    let new_scale = slope.f_mul(&variance.f_add_scalar(eps)?.f_sqrt()?)?;
    for (mut target, value) in
        [(scale, &new_scale), (shift, &new_shift), (running_mean, mean), (running_variance, variance)]
    {
        target.f_copy_(value)?;
    }
    Ok(())
}

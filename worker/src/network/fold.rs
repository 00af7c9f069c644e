//! Merging batch norms into the convolutions before them, for inference.

use std::borrow::Cow;
use std::collections::HashMap;

use lookalike_shared::domain::backbone::{BatchNorm2d, Op};
use tch::{Kind, TchError, Tensor};

use super::tensors::{NamedTensor, Tensors};
use super::{Network, NetworkError, layout};

impl Network {
    /// The same function with fewer steps: every batch norm is merged into the convolution before it. The result is
    /// for [`super::Mode::Eval`] only; its tensors are not the published ones, so it is not to be saved.
    ///
    /// # Errors
    /// When the device fails.
    pub fn folded(&self) -> Result<Network, NetworkError> {
        let folding = self.backbone.folded();
        let mut merged: HashMap<String, [Tensor; 2]> = HashMap::new();
        for pair in &folding.merged {
            let conv = self.tensors.of_layer(pair.conv.index());
            let norm = self.tensors.of_layer(pair.norm.index());
            let Op::BatchNorm2d(constants) = &self.backbone.layer(pair.norm).op else { continue };
            let name = self.backbone.layer(pair.conv).name.clone();
            merged.insert(name, tch::no_grad(|| merge(conv, norm, constants))?);
        }
        let mut known: HashMap<&str, &Tensor> = self.tensors.named().collect();
        let merged: Vec<(String, Tensor)> = merged
            .into_iter()
            .flat_map(|(name, [weight, bias])| {
                [(format!("{name}.weight"), weight), (format!("{name}.bias"), bias)]
            })
            .collect();
        known.extend(merged.iter().map(|(name, tensor)| (&**name, tensor)));
        let mut list = Vec::new();
        for parameter in folding.backbone.parameters(self.classes) {
            let tensor = known[&*parameter.name].f_detach()?;
            list.push(NamedTensor { tensor: layout::preferred(&tensor, self.device)?, parameter });
        }
        let tensors = Tensors::new(&folding.backbone, list);
        Ok(Self::assemble(Cow::Owned(folding.backbone), self.classes, self.device, tensors))
    }
}

impl Network {
    /// The same network that computes its answers in bf16: weights of convolutions and matrix products are converted once, for
    /// good, and maps lie channels last. For [`super::Mode::Eval`] only, and not to be saved.
    ///
    /// # Errors
    /// When the device fails.
    pub fn in_bf16(mut self) -> Result<Network, NetworkError> {
        let mut list = Vec::new();
        for NamedTensor { parameter, tensor } in self.tensors.iter() {
            // Statistics, scale and shift of batch norms stay as they are.
            let multiplies = matches!(self.backbone.layer(parameter.layer).op, Op::Conv2d(_) | Op::Linear(_));
            let tensor = match multiplies {
                true => layout::channels_last(&tensor.f_to_kind(Kind::BFloat16)?)?,
                false => tensor.shallow_clone(),
            };
            list.push(NamedTensor { tensor, parameter: parameter.clone() });
        }
        self.tensors = Tensors::new(&self.backbone, list);
        self.kind = Kind::BFloat16;
        Ok(self)
    }
}

/// Weight and bias of a convolution that computes what `conv` and then `norm` compute: with
/// `f = scale / sqrt(variance + eps)`, the weight times `f` and `shift + (bias - mean) * f`.
fn merge(
    conv: &[NamedTensor],
    norm: &[NamedTensor],
    constants: &BatchNorm2d,
) -> Result<[Tensor; 2], TchError> {
    let [scale, shift, mean, variance] = [0, 1, 2, 3].map(|place| &norm[place].tensor);
    let factor = scale.f_mul(&variance.f_add_scalar(constants.eps)?.f_rsqrt()?)?;
    let weight = conv[0].tensor.f_mul(&factor.f_view([-1, 1, 1, 1])?)?;
    let offset = match conv.get(1) {
        Some(bias) => bias.tensor.f_sub(mean)?,
        None => mean.f_neg()?,
    };
    Ok([weight, shift.f_add(&offset.f_mul(&factor)?)?])
}

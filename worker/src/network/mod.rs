//! Networks on a device: a backbone's layers interpreted with tch.
//!
//! A [`Network`] owns the tensors of one model on one device and runs them forward, for training or for inference.
//! It knows layers and tensors only: pictures become tensors elsewhere, and gradients are applied elsewhere.
//! Invariants: tensors stand in the backbone's order under torchvision's names; only fallible calls of tch are used,
//! so that a failing device is an error and not a panic.

pub mod cuda;
mod fold;
mod forward;
mod layout;
mod ops;
mod pixels;
mod settle;
mod start;
mod tensors;
mod weights;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use lookalike_shared::domain::backbone::{Backbone, Mismatch, Op, ShapeError};
use tch::{Device, Kind, TchError, Tensor};

pub use forward::{Mode, Output, Precision};
pub use ops::unit_length;
pub use pixels::{Normalisation, Pictures, PicturesError};
pub use tensors::{NamedTensor, Tensors};
pub use weights::{header, read_tensors, write_tensors};

/// Reasons why a network cannot be made, loaded, saved or run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The device or libtorch refused.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] TchError),
    /// The bytes are no safetensors file.
    #[error("the weights are not a readable safetensors file: {0}")]
    File(#[from] safetensors::SafeTensorError),
    /// The file's tensors are not those of the backbone.
    #[error("the weights do not fit {backbone}: {}", first(mismatches))]
    Mismatch {
        /// The backbone's name.
        backbone: &'static str,
        /// Every difference.
        mismatches: Vec<Mismatch>,
    },
    /// The pictures are too small for the backbone.
    #[error(transparent)]
    ImageSize(#[from] ShapeError),
    /// A model without classes was asked for.
    #[error("a model needs at least one class")]
    NoClasses,
}

/// What training leaves as it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// Nothing: every weight learns, batch norms measure their statistics anew.
    #[default]
    None,
    /// Everything except the head and, where there is one, the projection before it.
    Backbone,
    /// The statistics of batch norms; their scale and shift and all else learn.
    Norm,
    /// Every layer whose number is below this one.
    Before(usize),
}

/// One model on one device.
#[derive(Debug)]
pub struct Network {
    backbone: Cow<'static, Backbone>,
    classes: usize,
    device: Device,
    tensors: Tensors,
    frozen: Freeze,
    /// What a pass in [`Mode::Eval`] computes with.
    kind: Kind,
    /// By layer: whether a batch norm measures its batch while training.
    measures: Vec<bool>,
    plan: forward::Plan,
}

impl Network {
    /// A network whose weights start at random, as the backbone prescribes, the same for the same `seed`.
    ///
    /// # Errors
    /// When `classes` is 0 or the device lacks memory.
    pub fn new(
        backbone: &'static Backbone,
        classes: usize,
        seed: u64,
        device: Device,
    ) -> Result<Self, NetworkError> {
        if classes == 0 {
            return Err(NetworkError::NoClasses);
        }
        let tensors = start::tensors(backbone, classes, seed, device)?;
        let mut network = Self::assemble(Cow::Borrowed(backbone), classes, device, tensors);
        network.freeze(Freeze::None)?;
        Ok(network)
    }

    /// The network that a safetensors file holds; the number of classes is read from its head.
    ///
    /// # Errors
    /// When the file is damaged or holds anything but the backbone's tensors.
    pub fn from_weights(
        backbone: &'static Backbone,
        weights: &[u8],
        device: Device,
    ) -> Result<Self, NetworkError> {
        let (classes, tensors) = weights::read_all(backbone, weights, device)?;
        let mut network = Self::assemble(Cow::Borrowed(backbone), classes, device, tensors);
        network.freeze(Freeze::None)?;
        Ok(network)
    }

    fn assemble(backbone: Cow<'static, Backbone>, classes: usize, device: Device, tensors: Tensors) -> Self {
        let measures = vec![false; backbone.layers.len()];
        let plan = forward::Plan::new(&backbone);
        let (frozen, kind) = (Freeze::None, Kind::Float);
        Self { backbone, classes, device, tensors, frozen, kind, measures, plan }
    }

    /// The architecture.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// Number of classes, the width of the head.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Where the tensors are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Every tensor, in the backbone's order.
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// Chooses what training changes; nothing else of the network changes.
    ///
    /// A batch norm that was folded into its convolution before its weights were published (statistics of mean 0 and
    /// variance 1 beside shifts that are not 0) keeps its statistics in any case: measured ones would replace what
    /// the weights rely on. [`Network::settle`] gives such a batch norm true statistics.
    ///
    /// # Errors
    /// When the device fails.
    pub fn freeze(&mut self, freeze: Freeze) -> Result<(), NetworkError> {
        self.frozen = freeze;
        for named in self.tensors.iter() {
            let learns = match freeze {
                Freeze::None | Freeze::Norm => named.parameter.kind.is_learnt(),
                Freeze::Backbone => {
                    let layer = named.parameter.layer;
                    layer == self.backbone.head || Some(layer) == self.backbone.projection
                }
                Freeze::Before(layer) => {
                    named.parameter.kind.is_learnt() && named.parameter.layer.index() >= layer
                }
            };
            let _same = named.tensor.f_set_requires_grad(learns)?;
        }
        for (index, layer) in self.backbone.layers.iter().enumerate() {
            let is_norm = matches!(layer.op, Op::BatchNorm2d(_));
            let learns = match freeze {
                Freeze::None => true,
                Freeze::Backbone | Freeze::Norm => false,
                Freeze::Before(first) => index >= first,
            };
            self.measures[index] = is_norm && learns && !settle::is_folded(self.tensors.of_layer(index))?;
        }
        Ok(())
    }

    /// The tensors that training changes.
    pub fn learnt(&self) -> impl Iterator<Item = &NamedTensor> {
        self.tensors.iter().filter(|named| named.tensor.requires_grad())
    }

    /// Name and value of what training changes: the learnt tensors, and the statistics of batch norms that measure.
    pub fn changing(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let changes = |named: &&NamedTensor| {
            named.tensor.requires_grad() || self.measures[named.parameter.layer.index()]
        };
        self.tensors.iter().filter(changes).map(|named| (&*named.parameter.name, &named.tensor))
    }

    /// Overwrites the tensors of the given names; others stay.
    ///
    /// # Errors
    /// When the network has no such tensor, or one of another shape.
    pub fn restore(&self, tensors: &[(String, Tensor)]) -> Result<(), NetworkError> {
        weights::restore(self.backbone.name, &self.tensors, tensors)
    }
}

/// libtorch's message without the addresses of its stack.
fn first_line(error: &TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The first mismatches in words, and how many follow.
fn first(mismatches: &[Mismatch]) -> String {
    const SHOWN: usize = 5;
    let mut words: Vec<String> = mismatches.iter().take(SHOWN).map(ToString::to_string).collect();
    if mismatches.len() > SHOWN {
        words.push(format!("and {} more", mismatches.len() - SHOWN));
    }
    words.join("; ")
}

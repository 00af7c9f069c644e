//! The tensors of one network, by layer and by name.

use std::ops::Range;

use lookalike_shared::domain::backbone::{Backbone, Parameter};
use tch::Tensor;

/// One parameter and its value.
#[derive(Debug)]
pub struct NamedTensor {
    /// Name, shape and purpose.
    pub parameter: Parameter,
    /// The value, `f32`; `bf16` in a network that answers in it.
    pub tensor: Tensor,
}

/// All tensors in the backbone's order.
#[derive(Debug)]
pub struct Tensors {
    list: Vec<NamedTensor>,
    of_layer: Vec<Range<usize>>,
}

impl Tensors {
    /// `list` must be in the order of [`Backbone::parameters`].
    pub(super) fn new(backbone: &Backbone, list: Vec<NamedTensor>) -> Self {
        let mut of_layer = Vec::with_capacity(backbone.layers.len());
        let mut start = 0;
        for index in 0..backbone.layers.len() {
            let own = list[start..].iter().take_while(|named| named.parameter.layer.index() == index).count();
            of_layer.push(start..start + own);
            start += own;
        }
        Self { list, of_layer }
    }

    /// Every tensor, layer by layer.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &NamedTensor> {
        self.list.iter()
    }

    /// The tensors of the layer at `index`: weight and bias, then a batch norm's mean and variance.
    pub(super) fn of_layer(&self, index: usize) -> &[NamedTensor] {
        &self.list[self.of_layer[index].clone()]
    }

    /// Name and value of every tensor.
    pub fn named(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.list.iter().map(|named| (&*named.parameter.name, &named.tensor))
    }
}

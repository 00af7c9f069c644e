//! The tensors that a backbone keeps, by name.

use super::layer::{BatchNorm2d, Conv2d, Layer, Linear, Op};
use super::{Backbone, LayerId};

/// One named tensor of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// torchvision's name, e.g. `layer1.0.conv1.weight`.
    pub name: String,
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// What it is for.
    pub kind: ParameterKind,
    /// The layer that uses it.
    pub layer: LayerId,
}

/// What a tensor is for; decides about weight decay, gradients and the start value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Weight of a convolution or linear layer: learnt, decays.
    Weight,
    /// Bias of a convolution or linear layer: learnt.
    Bias,
    /// Scale of a batch norm: learnt, starts at 1.
    NormScale,
    /// Shift of a batch norm: learnt, starts at 0.
    NormShift,
    /// Running mean of a batch norm: measured, starts at 0.
    NormMean,
    /// Running variance of a batch norm: measured, starts at 1.
    NormVariance,
}

impl ParameterKind {
    /// Whether gradients change it; running statistics are measured instead.
    pub fn is_learnt(self) -> bool {
        match self {
            Self::Weight | Self::Bias | Self::NormScale | Self::NormShift => true,
            Self::NormMean | Self::NormVariance => false,
        }
    }
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values, which no backbone has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Backbone {
    /// Every tensor of a model with `classes` classes, layer by layer.
    pub fn parameters(&self, classes: usize) -> Vec<Parameter> {
        let layers = self.layers.iter().enumerate();
        layers.flat_map(|(index, layer)| layer_parameters(LayerId::new(index), layer, classes)).collect()
    }

    /// Number of values in all tensors of a model with `classes` classes.
    pub fn parameter_count(&self, classes: usize) -> usize {
        self.parameters(classes).iter().map(Parameter::len).sum()
    }
}

fn layer_parameters(id: LayerId, layer: &Layer, classes: usize) -> Vec<Parameter> {
    let tensors = match &layer.op {
        Op::Conv2d(conv) => conv_tensors(conv, classes),
        Op::Linear(linear) => linear_tensors(linear, classes),
        Op::BatchNorm2d(norm) => norm_tensors(norm),
        Op::Input
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
        | Op::Concat => Vec::new(),
    };
    let named = |(suffix, kind, shape)| Parameter {
        name: format!("{}.{suffix}", layer.name),
        shape,
        kind,
        layer: id,
    };
    tensors.into_iter().map(named).collect()
}

type Tensor = (&'static str, ParameterKind, Vec<usize>);

fn conv_tensors(conv: &Conv2d, classes: usize) -> Vec<Tensor> {
    let output = conv.output.channels(classes);
    let shape = vec![output, conv.input / conv.groups, conv.kernel, conv.kernel];
    let mut tensors = vec![("weight", ParameterKind::Weight, shape)];
    if conv.bias {
        tensors.push(("bias", ParameterKind::Bias, vec![output]));
    }
    tensors
}

fn linear_tensors(linear: &Linear, classes: usize) -> Vec<Tensor> {
    let output = linear.output.channels(classes);
    vec![
        ("weight", ParameterKind::Weight, vec![output, linear.input]),
        ("bias", ParameterKind::Bias, vec![output]),
    ]
}

fn norm_tensors(norm: &BatchNorm2d) -> Vec<Tensor> {
    let shape = || vec![norm.channels];
    vec![
        ("weight", ParameterKind::NormScale, shape()),
        ("bias", ParameterKind::NormShift, shape()),
        ("running_mean", ParameterKind::NormMean, shape()),
        ("running_var", ParameterKind::NormVariance, shape()),
    ]
}

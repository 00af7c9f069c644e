//! What a layer is: a name, an operation and the layers it reads.

/// Place of a layer in [`super::Backbone::layers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(usize);

impl LayerId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }

    /// The index into [`super::Backbone::layers`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// One named step of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// torchvision's module name, e.g. `features.0`; its parameters are `{name}.weight`, `{name}.bias` and so on.
    pub name: String,
    /// What the layer computes.
    pub op: Op,
    /// The layers it reads, in order.
    pub inputs: Vec<LayerId>,
}

/// A number of output channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Part of the architecture.
    Fixed(usize),
    /// One per class of the model.
    Classes,
}

impl Width {
    /// The number of channels in a model of `classes` classes.
    pub fn channels(self, classes: usize) -> usize {
        match self {
            Self::Fixed(channels) => channels,
            Self::Classes => classes,
        }
    }
}

/// What a layer computes. Maps are `[channels, height, width]` for each picture, vectors `[features]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The normalised picture, a map of 3 channels in the order red, green, blue. Always and only the first layer.
    Input,
    /// Two-dimensional convolution with square kernels.
    Conv2d(Conv2d),
    /// Normalisation of each channel over a batch (Ioffe and Szegedy 2015).
    BatchNorm2d(BatchNorm2d),
    /// Normalisation of each position over neighbouring channels (Krizhevsky et al. 2012, section 3.3).
    LocalResponseNorm(LocalResponseNorm),
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x * sigmoid(x) (Elfwing et al. 2017), also called swish.
    Silu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Largest value under a sliding square window.
    MaxPool2d(MaxPool2d),
    /// Mean under a sliding square window; an incomplete last window is left out.
    AvgPool2d {
        /// Side of the window.
        kernel: usize,
        /// Step between two windows.
        stride: usize,
    },
    /// Mean over a grid of `size` x `size` cells of any map.
    AdaptiveAvgPool2d {
        /// Side of the output map.
        size: usize,
    },
    /// A map as a vector, channel by channel.
    Flatten,
    /// Matrix product of a vector, plus a bias.
    Linear(Linear),
    /// Zeroes each value with probability `p` and scales the rest by 1/(1-p); only while training.
    Dropout {
        /// Probability of a value to be zeroed.
        p: f64,
    },
    /// Sum of two inputs of the same shape.
    Add,
    /// A map times one factor per channel, the second input, a map of side 1 (Hu et al. 2017, section 3).
    Scale,
    /// Inputs one after the other along the channels.
    Concat,
}

/// Convolution weights `[out, in / groups, kernel, kernel]`, bias `[out]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: Width,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between two positions of the kernel.
    pub stride: usize,
    /// Zeroes added on each of the four sides.
    pub padding: usize,
    /// Channels are cut in this many groups that do not see each other.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// How weights start.
    pub init: Init,
}

impl Conv2d {
    /// A dense convolution of stride 1, without padding, with a bias.
    pub(super) fn new(input: usize, output: usize, kernel: usize) -> Self {
        Self {
            input,
            output: Width::Fixed(output),
            kernel,
            stride: 1,
            padding: 0,
            groups: 1,
            bias: true,
            init: Init::KaimingNormal { bias: 0.0 },
        }
    }

    pub(super) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(super) fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    pub(super) fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    pub(super) fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    pub(super) fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    pub(super) fn one_per_class(self) -> Self {
        Self { output: Width::Classes, ..self }
    }
}

/// Batch normalisation: scale and shift are `weight` and `bias`, statistics `running_mean` and `running_var`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm2d {
    /// Channels of the map.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Weight of the newest batch in the running statistics.
    pub momentum: f64,
}

/// `y[c] = x[c] / (k + alpha / size * sum of x[j]^2 over the size channels around c) ^ beta`.
///
/// Caffe and PyTorch divide `alpha` by `size`; the paper does not, and its 1e-4 is 5e-4 here.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalResponseNorm {
    /// Channels in the window, odd.
    pub size: usize,
    /// Strength.
    pub alpha: f64,
    /// Exponent.
    pub beta: f64,
    /// Offset.
    pub k: f64,
}

/// Max pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Side of the window.
    pub kernel: usize,
    /// Step between two windows.
    pub stride: usize,
    /// Border added on each side, never chosen as the maximum.
    pub padding: usize,
    /// Whether a last, incomplete window counts.
    pub ceil: bool,
}

/// Linear weights `[out, in]`, bias `[out]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Input features.
    pub input: usize,
    /// Output features.
    pub output: Width,
    /// How weights start.
    pub init: Init,
}

/// How a layer's weights start when they are not loaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal with standard deviation sqrt(2 / fan_in) (He et al. 2015), and a constant bias.
    KaimingNormal {
        /// Every bias.
        bias: f64,
    },
    /// Normal with standard deviation sqrt(2 / fan_out), zero bias: torchvision's choice where batch norm follows.
    KaimingNormalFanOut,
    /// Uniform within sqrt(6 / fan_in) on either side of 0, zero bias.
    KaimingUniform,
    /// Normal with the given standard deviation, zero bias.
    Normal {
        /// Standard deviation.
        std: f64,
    },
}

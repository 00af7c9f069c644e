//! Backbones: network architectures as data.
//!
//! A backbone is a graph of named layers. The worker interprets the graph on a device; the API reads it to judge an
//! imported weights file without loading libtorch. Parameters carry torchvision's names, so published weights load
//! by name. Adding a backbone means adding one page of layers and one line in [`all`].
//!
//! Nothing here allocates a tensor, opens a file or knows a device.

mod alexnet;
mod densenet;
mod efficientnet;
mod folding;
mod graph;
mod import;
mod layer;
mod mobilenet;
mod parameters;
mod projection;
mod resnet;
mod shapes;
mod squeezenet;
mod vgg;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use super::UnknownValue;
pub use folding::{Folding, Merged};
pub use import::{ImportReport, LoadReport, Mismatch, TensorInfo};
pub use layer::{BatchNorm2d, Conv2d, Init, Layer, LayerId, Linear, LocalResponseNorm, MaxPool2d, Op, Width};
pub use parameters::{Parameter, ParameterKind};
pub use projection::{EMBEDDING_DIMS, VariantError, variant};
pub use shapes::{Shape, ShapeError};

/// Mean of red, green and blue of ImageNet's pixels in 0..1, the constant of torchvision's weights.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of red, green and blue of ImageNet's pixels in 0..1, the constant of torchvision's weights.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// One network architecture.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// The name used in the API, in stored models and on the page, e.g. `squeezenet1_1`.
    pub name: &'static str,
    /// The publication that the layers follow.
    pub source: &'static str,
    /// Side of the square input, in pixels, that the architecture was published with.
    pub default_image_size: u32,
    /// Smallest side, in pixels, that every layer can work with.
    pub min_image_size: u32,
    /// The layers in an order in which each comes after its inputs. The first is the picture, the last gives the
    /// logits.
    pub layers: Vec<Layer>,
    /// The layer whose output is the embedding, of shape `[embedding_dim]` for each picture.
    pub embedding: LayerId,
    /// Number of values in an embedding.
    pub embedding_dim: usize,
    /// The layer that makes the embedding of the network's own features, in a variant with embeddings of a chosen
    /// length; see [`Backbone::with_embedding_dim`].
    pub projection: Option<LayerId>,
    /// The layer with one output channel per class; it is replaced when the classes change.
    pub head: LayerId,
}

static ALL: LazyLock<Vec<Backbone>> = LazyLock::new(|| {
    vec![
        alexnet::alexnet(),
        alexnet::alexnet_owt(),
        squeezenet::squeezenet1_0(),
        squeezenet::squeezenet1_1(),
        mobilenet::mobilenet_v2(),
        efficientnet::efficientnet_b0(),
        resnet::resnet18(),
        resnet::resnet34(),
        resnet::resnet50(),
        densenet::densenet121(),
        vgg::vgg16(),
    ]
});

/// Every backbone, in the order in which lists show them.
pub fn all() -> &'static [Backbone] {
    &ALL
}

/// The names of every backbone, in the same order.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|backbone| backbone.name).collect()
}

/// The backbone called `name`.
///
/// # Errors
/// [`UnknownValue`], whose message lists the accepted names.
pub fn by_name(name: &str) -> Result<&'static Backbone, UnknownValue> {
    let found = all().iter().find(|backbone| backbone.name == name);
    found.ok_or_else(|| UnknownValue::new("backbone", name, names().into_iter()))
}

impl Backbone {
    /// The layer with the given id.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.index()]
    }

    /// The id of the layer that gives the logits.
    pub fn logits(&self) -> LayerId {
        LayerId::new(self.layers.len() - 1)
    }

    /// Whether batch norms keep its activations in bounds: without them it takes smaller steps.
    pub fn has_batch_norms(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer.op, Op::BatchNorm2d(_)))
    }

    /// How many layers read each layer's output, by layer index.
    pub fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.layers.len()];
        for input in self.layers.iter().flat_map(|layer| &layer.inputs) {
            readers[input.index()] += 1;
        }
        readers
    }
}

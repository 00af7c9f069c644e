//! Leaving out batch norms that only scale and shift a convolution's output.
//!
//! Once training is over a batch norm is an affine map per channel, so it can be merged into the convolution before
//! it. This file rewrites the graph; whoever holds the tensors rewrites the numbers.

use super::{Backbone, Layer, LayerId, Op};

/// A backbone without the batch norms that follow a convolution.
#[derive(Debug)]
pub struct Folding {
    /// The smaller graph; convolutions that took a batch norm in have a bias.
    pub backbone: Backbone,
    /// What was merged, as layers of the original graph, in layer order.
    pub merged: Vec<Merged>,
}

/// A convolution and the batch norm that it takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The convolution.
    pub conv: LayerId,
    /// The batch norm that alone reads it.
    pub norm: LayerId,
}

impl Backbone {
    /// The same network with every batch norm merged into the convolution before it, where that has no other reader.
    pub fn folded(&self) -> Folding {
        let readers = self.readers();
        let mut layers: Vec<Layer> = Vec::with_capacity(self.layers.len());
        let mut moved: Vec<LayerId> = Vec::with_capacity(self.layers.len());
        let mut merged = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let source = layer.inputs.first().copied();
            let conv = source.filter(|id| readers[id.index()] == 1 && is_conv(self.layer(*id)));
            if let (Op::BatchNorm2d(_), Some(conv)) = (&layer.op, conv) {
                let target = moved[conv.index()];
                add_bias(&mut layers[target.index()]);
                merged.push(Merged { conv, norm: LayerId::new(index) });
                moved.push(target);
            } else {
                let inputs = layer.inputs.iter().map(|input| moved[input.index()]).collect();
                layers.push(Layer { inputs, ..layer.clone() });
                moved.push(LayerId::new(layers.len() - 1));
            }
        }
        let backbone = Backbone {
            layers,
            embedding: moved[self.embedding.index()],
            projection: self.projection.map(|id| moved[id.index()]),
            head: moved[self.head.index()],
            ..*self
        };
        Folding { backbone, merged }
    }
}

fn is_conv(layer: &Layer) -> bool {
    matches!(layer.op, Op::Conv2d(_))
}

fn add_bias(layer: &mut Layer) {
    if let Op::Conv2d(conv) = &mut layer.op {
        conv.bias = true;
    }
}

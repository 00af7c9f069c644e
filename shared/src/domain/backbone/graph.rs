//! The small language in which backbones are written: each call adds a layer and returns its id.

use super::layer::{
    BatchNorm2d, Conv2d, Init, Layer, LayerId, Linear, LocalResponseNorm, MaxPool2d, Op, Width,
};

/// A graph under construction; the picture is there from the start.
pub(super) struct Graph {
    layers: Vec<Layer>,
}

impl Graph {
    /// The empty graph and the id of its picture.
    pub fn new() -> (Self, LayerId) {
        let picture = Layer { name: "input".to_owned(), op: Op::Input, inputs: Vec::new() };
        (Self { layers: vec![picture] }, LayerId::new(0))
    }

    pub fn layers(self) -> Vec<Layer> {
        self.layers
    }

    fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[LayerId]) -> LayerId {
        self.layers.push(Layer { name: name.into(), op, inputs: inputs.to_vec() });
        LayerId::new(self.layers.len() - 1)
    }

    pub fn conv(&mut self, name: impl Into<String>, x: LayerId, conv: Conv2d) -> LayerId {
        self.push(name, Op::Conv2d(conv), &[x])
    }

    /// Batch norm with PyTorch's constants.
    pub fn batch_norm(&mut self, name: impl Into<String>, x: LayerId, channels: usize) -> LayerId {
        self.push(name, Op::BatchNorm2d(BatchNorm2d { channels, eps: 1e-5, momentum: 0.1 }), &[x])
    }

    pub fn local_response_norm(
        &mut self,
        name: impl Into<String>,
        x: LayerId,
        norm: LocalResponseNorm,
    ) -> LayerId {
        self.push(name, Op::LocalResponseNorm(norm), &[x])
    }

    pub fn relu(&mut self, name: impl Into<String>, x: LayerId) -> LayerId {
        self.push(name, Op::Relu, &[x])
    }

    pub fn relu6(&mut self, name: impl Into<String>, x: LayerId) -> LayerId {
        self.push(name, Op::Relu6, &[x])
    }

    pub fn silu(&mut self, name: impl Into<String>, x: LayerId) -> LayerId {
        self.push(name, Op::Silu, &[x])
    }

    pub fn sigmoid(&mut self, name: impl Into<String>, x: LayerId) -> LayerId {
        self.push(name, Op::Sigmoid, &[x])
    }

    pub fn max_pool(&mut self, name: impl Into<String>, x: LayerId, pool: MaxPool2d) -> LayerId {
        self.push(name, Op::MaxPool2d(pool), &[x])
    }

    /// Mean under windows of `side` x `side` that do not overlap.
    pub fn avg_pool(&mut self, name: impl Into<String>, x: LayerId, side: usize) -> LayerId {
        self.push(name, Op::AvgPool2d { kernel: side, stride: side }, &[x])
    }

    /// Mean over a grid of `size` x `size` cells.
    pub fn avg_pool_to(&mut self, name: impl Into<String>, x: LayerId, size: usize) -> LayerId {
        self.push(name, Op::AdaptiveAvgPool2d { size }, &[x])
    }

    pub fn flatten(&mut self, name: impl Into<String>, x: LayerId) -> LayerId {
        self.push(name, Op::Flatten, &[x])
    }

    pub fn linear(
        &mut self,
        name: impl Into<String>,
        x: LayerId,
        input: usize,
        output: Width,
        init: Init,
    ) -> LayerId {
        self.push(name, Op::Linear(Linear { input, output, init }), &[x])
    }

    pub fn dropout(&mut self, name: impl Into<String>, x: LayerId, p: f64) -> LayerId {
        self.push(name, Op::Dropout { p }, &[x])
    }

    pub fn add(&mut self, name: impl Into<String>, a: LayerId, b: LayerId) -> LayerId {
        self.push(name, Op::Add, &[a, b])
    }

    pub fn scale(&mut self, name: impl Into<String>, map: LayerId, factors: LayerId) -> LayerId {
        self.push(name, Op::Scale, &[map, factors])
    }

    pub fn concat(&mut self, name: impl Into<String>, parts: &[LayerId]) -> LayerId {
        self.push(name, Op::Concat, parts)
    }
}

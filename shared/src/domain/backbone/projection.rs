//! Variants of a backbone whose embeddings have a chosen length.
//!
//! A layer `projection` is put between the network's own features and its head, so that it learns with the head:
//! where the head is a linear layer on the features, a linear layer; where it is a 1x1 convolution on the map whose
//! mean is the embedding, a 1x1 convolution, which gives the same whether the mean is taken before or after it.
//!
//! Variants are made once and kept for the life of the process, some tens of kilobytes each.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::layer::{Conv2d, Init, Layer, LayerId, Linear, Op, Width};
use super::{Backbone, TensorInfo, by_name};
use crate::domain::UnknownValue;

/// The lengths that an embedding may be given.
pub const EMBEDDING_DIMS: RangeInclusive<usize> = 8..=4096;

/// Name of the layer, and of its tensors up to the dot.
pub(super) const NAME: &str = "projection";

type Made = HashMap<(&'static str, usize), &'static Backbone>;
static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);

/// No such variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariantError {
    /// No backbone has the name.
    #[error(transparent)]
    Backbone(#[from] UnknownValue),
    /// Embeddings cannot have that length.
    #[error("embedding_dim {dim} is out of range, {least} to {most} expected", least = EMBEDDING_DIMS.start(), most = EMBEDDING_DIMS.end())]
    OutOfRange {
        /// The length asked for.
        dim: usize,
    },
}

/// The backbone called `name` with embeddings of `dim` values: itself where these are its own, else a variant.
///
/// # Errors
/// [`VariantError`].
pub fn variant(name: &str, dim: usize) -> Result<&'static Backbone, VariantError> {
    by_name(name)?.with_embedding_dim(dim)
}

impl Backbone {
    /// This backbone with embeddings of `dim` values: itself where these are its own, else the variant with a layer
    /// `projection`, `[dim, features]`, before the head. A variant gives what its plain backbone gives.
    ///
    /// # Errors
    /// [`VariantError::OutOfRange`].
    pub fn with_embedding_dim(&'static self, dim: usize) -> Result<&'static Self, VariantError> {
        let plain = if self.projection.is_some() { by_name(self.name)? } else { self };
        if dim == plain.embedding_dim {
            return Ok(plain);
        }
        if !EMBEDDING_DIMS.contains(&dim) {
            return Err(VariantError::OutOfRange { dim });
        }
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(made.entry((plain.name, dim)).or_insert_with(|| Box::leak(Box::new(plain.projected(dim)))))
    }

    /// The variant whose projection has the shape of the one among `tensors`; the plain backbone where there is none,
    /// or none that fits: what does not fit is then told tensor by tensor.
    pub fn variant_of(&'static self, tensors: &[TensorInfo]) -> &'static Self {
        let weight = format!("{NAME}.weight");
        let found = tensors.iter().find(|tensor| tensor.name == weight);
        let dim = found.and_then(|tensor| tensor.shape.first()).copied();
        dim.and_then(|dim| self.with_embedding_dim(dim).ok()).unwrap_or(self)
    }

    /// The variant: all that reads the features, the head and the mean over the map alike, reads the projection.
    fn projected(&self, dim: usize) -> Self {
        let features = self.features();
        let mut layers: Vec<Layer> = Vec::with_capacity(self.layers.len() + 1);
        let mut moved: Vec<LayerId> = Vec::with_capacity(self.layers.len());
        let mut projection = features;
        for (index, layer) in self.layers.iter().enumerate() {
            let read = |input: &LayerId| if *input == features { projection } else { moved[input.index()] };
            let inputs = layer.inputs.iter().map(read).collect();
            layers.push(Layer { name: layer.name.clone(), op: self.reading(index, dim), inputs });
            moved.push(LayerId::new(layers.len() - 1));
            if index == features.index() {
                let input = moved[index];
                let op = self.projection_op(dim);
                layers.push(Layer { name: NAME.to_owned(), op, inputs: vec![input] });
                projection = LayerId::new(layers.len() - 1);
            }
        }
        let embedding = if self.embedding == features { projection } else { moved[self.embedding.index()] };
        Self {
            layers,
            embedding,
            embedding_dim: dim,
            projection: Some(projection),
            head: moved[self.head.index()],
            ..*self
        }
    }

    /// The layer whose output the head reads, dropout left aside.
    pub fn features(&self) -> LayerId {
        let mut features = self.layer(self.head).inputs[0];
        while matches!(self.layer(features).op, Op::Dropout { .. }) {
            features = self.layer(features).inputs[0];
        }
        features
    }

    /// What the layer at `index` computes when the head reads `dim` channels.
    fn reading(&self, index: usize, dim: usize) -> Op {
        let mut op = self.layers[index].op.clone();
        if index == self.head.index() {
            if let Op::Linear(linear) = &mut op {
                linear.input = dim;
            } else if let Op::Conv2d(conv) = &mut op {
                conv.input = dim;
            }
        }
        op
    }

    /// A layer of the head's kind from the backbone's own features to `dim`.
    fn projection_op(&self, dim: usize) -> Op {
        let input = self.embedding_dim;
        // Lengths stay about the same (Johnson and Lindenstrauss 1984), so that embeddings are of use from the start.
        let init = Init::Normal { std: (input as f64).sqrt().recip() };
        if matches!(self.layer(self.head).op, Op::Conv2d(_)) {
            Op::Conv2d(Conv2d::new(input, dim, 1).init(init))
        } else {
            Op::Linear(Linear { input, output: Width::Fixed(dim), init })
        }
    }
}

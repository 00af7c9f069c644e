//! Shape inference: what each layer gives for a picture of a given size.

use super::Backbone;
use super::layer::{Conv2d, Layer, MaxPool2d, Op};

/// The shape of one layer's output for one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[channels, side, side]`.
    Map {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// `[features]`.
    Vector(usize),
}

/// A picture size that a backbone cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The picture is smaller than the backbone's minimum.
    #[error("image size {size} is too small for {backbone}, which needs at least {min}")]
    TooSmall {
        /// The backbone's name.
        backbone: &'static str,
        /// The side asked for.
        size: u32,
        /// The smallest side accepted.
        min: u32,
    },
    /// A layer cannot take what the layers before it give.
    #[error("layer `{layer}` cannot take {found}, image size {size}")]
    Mismatch {
        /// The layer's name.
        layer: String,
        /// What arrives, in words.
        found: String,
        /// The side asked for.
        size: u32,
    },
}

impl Backbone {
    /// The output shape of every layer for square pictures of `image_size` pixels and `classes` classes.
    ///
    /// # Errors
    /// When the pictures are smaller than the backbone's minimum, or a layer does not fit its inputs.
    pub fn shapes(&self, image_size: u32, classes: usize) -> Result<Vec<Shape>, ShapeError> {
        self.check_image_size(image_size)?;
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let inputs: Vec<Shape> = layer.inputs.iter().map(|input| shapes[input.index()]).collect();
            let shape = output(layer, &inputs, image_size, classes).ok_or_else(|| ShapeError::Mismatch {
                layer: layer.name.clone(),
                found: format!("{inputs:?}"),
                size: image_size,
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// Whether pictures of `image_size` pixels are large enough.
    ///
    /// # Errors
    /// [`ShapeError::TooSmall`].
    pub fn check_image_size(&self, image_size: u32) -> Result<(), ShapeError> {
        if image_size < self.min_image_size {
            return Err(ShapeError::TooSmall {
                backbone: self.name,
                size: image_size,
                min: self.min_image_size,
            });
        }
        Ok(())
    }
}

/// The layer's output shape, or nothing when its inputs do not suit it.
fn output(layer: &Layer, inputs: &[Shape], image_size: u32, classes: usize) -> Option<Shape> {
    match (&layer.op, inputs) {
        (Op::Input, []) => Some(Shape::Map { channels: 3, side: usize::try_from(image_size).ok()? }),
        (Op::Conv2d(conv), [Shape::Map { channels, side }]) if *channels == conv.input => {
            Some(Shape::Map { channels: conv.output.channels(classes), side: conv_side(conv, *side)? })
        }
        (Op::BatchNorm2d(norm), [Shape::Map { channels, .. }]) if *channels == norm.channels => {
            Some(inputs[0])
        }
        (Op::LocalResponseNorm(_), [Shape::Map { .. }]) => Some(inputs[0]),
        (Op::Relu | Op::Relu6 | Op::Silu | Op::Sigmoid | Op::Dropout { .. }, [shape]) => Some(*shape),
        (Op::MaxPool2d(pool), [Shape::Map { channels, side }]) => {
            Some(Shape::Map { channels: *channels, side: pool_side(pool, *side)? })
        }
        (Op::AvgPool2d { kernel, stride }, [Shape::Map { channels, side }]) => {
            Some(Shape::Map { channels: *channels, side: side.checked_sub(*kernel)? / stride + 1 })
        }
        (Op::AdaptiveAvgPool2d { size }, [Shape::Map { channels, .. }]) => {
            Some(Shape::Map { channels: *channels, side: *size })
        }
        (Op::Flatten, [Shape::Map { channels, side }]) => Some(Shape::Vector(channels * side * side)),
        (Op::Linear(linear), [Shape::Vector(features)]) if *features == linear.input => {
            Some(Shape::Vector(linear.output.channels(classes)))
        }
        (Op::Add, [a, b]) if a == b => Some(*a),
        (Op::Scale, [Shape::Map { channels, .. }, Shape::Map { channels: factors, side: 1 }])
            if channels == factors =>
        {
            Some(inputs[0])
        }
        (Op::Concat, [first, ..]) => concat(*first, inputs),
        (_, _) => None,
    }
}

/// (side + 2 padding - kernel) / stride + 1, rounded down.
fn conv_side(conv: &Conv2d, side: usize) -> Option<usize> {
    Some((side + 2 * conv.padding).checked_sub(conv.kernel)? / conv.stride + 1)
}

/// As for convolutions, or rounded up, but no window starts beyond the map and its left border (PyTorch's rule).
fn pool_side(pool: &MaxPool2d, side: usize) -> Option<usize> {
    let room = (side + 2 * pool.padding).checked_sub(pool.kernel)?;
    if !pool.ceil {
        return Some(room / pool.stride + 1);
    }
    let windows = room.div_ceil(pool.stride) + 1;
    let starts_beyond = (windows - 1) * pool.stride >= side + pool.padding;
    Some(if starts_beyond { windows - 1 } else { windows })
}

fn concat(first: Shape, inputs: &[Shape]) -> Option<Shape> {
    let Shape::Map { side, .. } = first else { return None };
    let mut total = 0;
    for shape in inputs {
        match *shape {
            Shape::Map { channels, side: other } if other == side => total += channels,
            Shape::Map { .. } | Shape::Vector(_) => return None,
        }
    }
    Some(Shape::Map { channels: total, side })
}

//! Models as ONNX files, made of the same layers and tensors that workers run.
//!
//! A file needs nothing beside itself: pixels are normalised, probabilities and embeddings finished inside of it. It is
//! operator set 13, IR version 7 (ONNX 1.8), which ONNX Runtime has read since 1.6 and OpenVINO since 2021.
//!
//! Input `pixels`: `f32` `[N, 3, S, S]`, red, green, blue, in 0..1, S the model's picture size. Outputs for any N:
//! `logits` and `probabilities` `[N, classes]`, `embedding` `[N, embedding_dim]` of length 1. `metadata_props` holds
//! `model`, `classes` (a JSON array of names in the order of the outputs), `backbone`, `image_size`, `embedding_dim`.
//!
//! Weights are not loaded: an [`Encoder`] takes the data of a safetensors file as it streams by and gives the bytes of
//! the ONNX file.

mod encoder;
mod graph;
mod proto;

#[cfg(test)]
mod tests;

use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;

use self::encoder::Part;
use self::proto::{Message, tensor_head, value_info};
use crate::domain::backbone::{Backbone, Mismatch, ShapeError, TensorInfo};

pub use encoder::{Encoder, WrongLength};

/// Changes when the same model gives another file.
pub const FORMAT: u32 = 1;

const PIXELS: &str = "pixels";
const LOGITS: &str = "logits";
const PROBABILITIES: &str = "probabilities";
const EMBEDDING: &str = "embedding";

const IR_VERSION: i64 = 7;
const OPERATOR_SET: i64 = 13;

/// What a file says beside the weights.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    /// `name@version`.
    pub reference: &'a str,
    /// The architecture, the variant with the model's embeddings.
    pub backbone: &'a Backbone,
    /// Class names in the order of the outputs.
    pub classes: &'a [String],
    /// Side of the pictures in pixels.
    pub image_size: u32,
    /// Mean of red, green, blue, of pixels in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of red, green, blue, of pixels in 0..1.
    pub std: [f32; 3],
}

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The weights are not those of the architecture.
    #[error("the weights do not fit {backbone}: {} mismatches, the first: {}", mismatches.len(), first(mismatches))]
    Mismatch {
        /// The backbone's name.
        backbone: &'static str,
        /// Every difference.
        mismatches: Vec<Mismatch>,
    },
    /// The weights tell another number of classes apart.
    #[error("the weights tell {weights} classes apart, the model has {model}")]
    OtherClasses {
        /// Width of the head.
        weights: usize,
        /// Classes of the model.
        model: usize,
    },
    /// The pictures do not suit the network.
    #[error(transparent)]
    ImageSize(#[from] ShapeError),
    /// The weights are no safetensors file.
    #[error(transparent)]
    File(#[from] SafeTensorError),
    /// The weights are cut off.
    #[error(transparent)]
    WrongLength(#[from] WrongLength),
}

fn first(mismatches: &[Mismatch]) -> String {
    mismatches.first().map(ToString::to_string).unwrap_or_default()
}

/// Begins the file of a model whose weights have the header `weights`.
///
/// # Errors
/// [`ExportError`], all but the last.
pub fn encoder(model: &Model<'_>, weights: &Metadata) -> Result<Encoder, ExportError> {
    check(model, weights)?;
    let shapes = model.backbone.shapes(model.image_size, model.classes.len())?;
    let graph = graph::graph(model, &shapes);
    let mut head = Message::new().text(2, model.reference);
    head = graph.nodes.iter().fold(head, |head, node| head.message(1, node));
    head = graph.constants.iter().fold(head, |head, constant| head.message(5, constant));
    let side = model.image_size as usize;
    head = head.message(11, &value_info(PIXELS, &[3, side, side]));
    let (classes, dim) = (model.classes.len(), model.backbone.embedding_dim);
    for (output, width) in [(LOGITS, classes), (PROBABILITIES, classes), (EMBEDDING, dim)] {
        head = head.message(12, &value_info(output, &[width]));
    }
    let mut parts = vec![Part::Bytes(head.0)];
    let used = model.backbone.parameters(classes);
    for name in weights.offset_keys() {
        if let (Some(info), true) = (weights.info(&name), used.iter().any(|own| own.name == name)) {
            let tensor = tensor_head(&name, &info.shape);
            let bytes = tensor.0.len() as u64 + 4 * info.shape.iter().product::<usize>() as u64;
            parts.push(Part::Bytes([Message::new().begin(5, bytes).0, tensor.0].concat()));
            parts.push(Part::of(info));
        }
    }
    let graph_bytes = parts.iter().map(Part::len).sum();
    parts.insert(0, Part::Bytes(preamble(model).begin(7, graph_bytes).0));
    Ok(Encoder::new(parts))
}

/// The ONNX file of a model whose weights are the safetensors file `weights`.
///
/// # Errors
/// [`ExportError`].
pub fn encode(model: &Model<'_>, weights: &[u8]) -> Result<Vec<u8>, ExportError> {
    let (header, metadata) = safetensors::SafeTensors::read_metadata(weights)?;
    let mut encoder = encoder(model, &metadata)?;
    let mut file = encoder.push(&weights[size_of::<u64>() + header..]);
    file.extend(encoder.finish()?);
    Ok(file)
}

fn check(model: &Model<'_>, weights: &Metadata) -> Result<(), ExportError> {
    let infos: Vec<TensorInfo> = weights
        .tensors()
        .into_iter()
        .map(|(name, info)| TensorInfo {
            name,
            dtype: format!("{:?}", info.dtype),
            shape: info.shape.clone(),
        })
        .collect();
    let backbone = model.backbone.name;
    let report = model.backbone.check_import(&infos);
    let report = report.map_err(|mismatches| ExportError::Mismatch { backbone, mismatches })?;
    let (weights, model) = (report.classes, model.classes.len());
    if weights == model { Ok(()) } else { Err(ExportError::OtherClasses { weights, model }) }
}

/// Everything of the `ModelProto` but its graph.
fn preamble(model: &Model<'_>) -> Message {
    let about = "Input `pixels`: float [N, 3, S, S], red, green, blue, in 0..1. Outputs: `logits` and `probabilities` \
                 [N, classes], `embedding` [N, embedding_dim] of length 1.";
    let operators = Message::new().text(1, "").int(2, OPERATOR_SET);
    let preamble = Message::new()
        .int(1, IR_VERSION)
        .text(2, "lookalike")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, about)
        .message(8, &operators);
    let classes = serde_json::to_string(model.classes).expect("texts are JSON");
    let properties = [
        ("model", model.reference.to_owned()),
        ("classes", classes),
        ("backbone", model.backbone.name.to_owned()),
        ("image_size", model.image_size.to_string()),
        ("embedding_dim", model.backbone.embedding_dim.to_string()),
    ];
    properties.iter().fold(preamble, |preamble, (key, value)| {
        preamble.message(14, &Message::new().text(1, key).text(2, value))
    })
}

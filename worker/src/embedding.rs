//! A picture's vectors, as jobs use them.

use crate::inference::{Inference, Priority};
use crate::models::StoredModel;
use crate::network::Pictures;
use crate::runtime::context::JobError;

/// What a model says of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// Softmax output, one value per class.
    pub probabilities: Vec<f32>,
    /// Penultimate feature, L2-normalised.
    pub embedding: Vec<f32>,
}

impl Vector {
    /// The class with the highest probability, the first of equals.
    pub fn class(&self) -> usize {
        let p = &self.probabilities;
        (1..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best })
    }
}

/// The vectors of prepared pictures (RGB, `[S, S, 3]`, of the model's size), in order.
///
/// # Errors
/// A failure of the device, which another attempt may not meet; values that are no numbers.
pub async fn embed(
    inference: &Inference,
    model: &StoredModel,
    pixels: Vec<Vec<u8>>,
    priority: Priority,
) -> Result<Vec<Vector>, JobError> {
    embed_each(inference, model, pixels, priority).await?.into_iter().collect()
}

/// As [`embed`], for pictures that have nothing to do with each other: values that are no numbers are the failure of one.
///
/// # Errors
/// A failure of the device, which another attempt may not meet.
pub async fn embed_each(
    inference: &Inference,
    model: &StoredModel,
    pixels: Vec<Vec<u8>>,
    priority: Priority,
) -> Result<Vec<Result<Vector, JobError>>, JobError> {
    if pixels.is_empty() {
        return Ok(Vec::new());
    }
    let pictures = Pictures::apart(model.spec.image_size, pixels)
        .map_err(|error| JobError::permanent("invalid_pictures", error.to_string()))?;
    let answers = inference.embed(&model.spec, pictures, priority).await;
    let answers = answers.map_err(|error| JobError::retry("device_failed", error.to_string()))?;
    let vector = |picture| {
        let vector = Vector {
            probabilities: answers.probabilities(picture).to_vec(),
            embedding: answers.embedding(picture).to_vec(),
        };
        if vector.embedding.iter().chain(&vector.probabilities).all(|value| value.is_finite()) {
            return Ok(vector);
        }
        let model = model.row.reference();
        let detail = format!("model {model} gives values that are no numbers: its weights are damaged");
        Err(JobError::permanent("model_not_finite", detail))
    };
    Ok((0..answers.len()).map(vector).collect())
}

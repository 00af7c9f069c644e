//! What a network says of many pictures.

use std::ops::ControlFlow;

use tch::{Kind, TchError, Tensor};

use super::batches;
use super::config::TrainConfig;
use crate::network::{Mode, Network, NetworkError, Pictures, unit_length};

/// Answers for N pictures, on the network's device.
#[derive(Debug)]
pub struct Predictions {
    /// `[N, classes]`, before softmax.
    pub logits: Tensor,
    /// `[N, embedding_dim]`, of length 1 each.
    pub embeddings: Tensor,
}

/// PyTorch's label of things that do not count; no class has it.
const IGNORE_INDEX: i64 = -100;

/// The network's answers for the pictures chosen, scaled to `size` pixels, normalised and batched as `config` says;
/// `done` hears how many are done and may stop the work, which gives nothing then.
///
/// # Errors
/// When the device fails.
pub fn predict(
    network: &Network,
    pictures: &Pictures,
    chosen: &[usize],
    size: usize,
    config: &TrainConfig,
    done: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Predictions>, NetworkError> {
    let _guard = tch::no_grad_guard();
    let mut logits = Vec::new();
    let mut embeddings = Vec::new();
    for (batch, chosen) in chosen.chunks(config.judging_batch()).enumerate() {
        if done(batch * config.judging_batch()).is_break() {
            return Ok(None);
        }
        let pixels = batches::whole(pictures, chosen, size);
        let input = config.normalisation.tensor(&pixels, size, network.device())?;
        let output = network.forward(&input, Mode::Eval)?;
        logits.push(output.logits);
        embeddings.push(unit_length(&output.embedding)?);
    }
    Ok(Some(Predictions { logits: Tensor::f_cat(&logits, 0)?, embeddings: Tensor::f_cat(&embeddings, 0)? }))
}

impl Predictions {
    /// `[N, classes]`, each row sums to 1.
    ///
    /// # Errors
    /// When the device fails.
    pub fn probabilities(&self) -> Result<Tensor, TchError> {
        self.logits.f_softmax(1, Kind::Float)
    }

    /// The most probable class of each picture.
    ///
    /// # Errors
    /// When the device fails.
    pub fn classes(&self) -> Result<Vec<i64>, TchError> {
        classes(&self.logits)
    }
}

/// Share of `found` that equals `labels`.
pub(super) fn accuracy(found: &[i64], labels: &[i64]) -> f64 {
    let correct = found.iter().zip(labels).filter(|(found, label)| found == label).count();
    correct as f64 / labels.len() as f64
}

/// The most probable class of each row of `[N, classes]`.
pub(super) fn classes(logits: &Tensor) -> Result<Vec<i64>, TchError> {
    Vec::try_from(logits.f_argmax(1, false)?)
}

/// Mean cross entropy of `logits` `[N, classes]` with the true classes.
pub(super) fn loss(logits: &Tensor, labels: &[i64]) -> Result<f64, TchError> {
    let labels = Tensor::f_from_slice(labels)?.f_to_device(logits.device())?;
    cross_entropy(logits, &labels, 0.0)?.f_double_value(&[])
}

/// Mean cross entropy, as a tensor that gradients go through; `smoothing` of the target goes to all classes alike.
pub(super) fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor, TchError> {
    let weights: Option<Tensor> = None;
    logits.f_cross_entropy_loss(labels, weights, tch::Reduction::Mean, IGNORE_INDEX, smoothing)
}

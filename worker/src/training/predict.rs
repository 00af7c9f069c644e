//! What a network says of many pictures.

use std::ops::ControlFlow;

use tch::{Kind, TchError, Tensor};

use super::batches;
use crate::network::{Mode, Network, NetworkError, Normalisation, Pictures};

/// Answers for N pictures, on the network's device.
#[derive(Debug)]
pub struct Predictions {
    /// `[N, classes]`, before softmax.
    pub logits: Tensor,
    /// `[N, embedding_dim]`, of length 1 each.
    pub embeddings: Tensor,
}

/// Pictures in a batch while only answers are wanted.
const BATCH: usize = 64;

/// The network's answers for the centres, `size` pixels wide, of the pictures chosen; `done` hears how many are done
/// and may stop the work, which gives nothing then.
///
/// # Errors
/// When the device fails.
pub fn predict(
    network: &Network,
    pictures: &Pictures,
    chosen: &[usize],
    size: usize,
    normalisation: &Normalisation,
    done: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Predictions>, NetworkError> {
    let _guard = tch::no_grad_guard();
    let mut logits = Vec::new();
    let mut embeddings = Vec::new();
    for (batch, chosen) in chosen.chunks(BATCH).enumerate() {
        if done(batch * BATCH).is_break() {
            return Ok(None);
        }
        let pixels = batches::centres(pictures, chosen, size);
        let output = network.forward(&normalisation.tensor(&pixels, size, network.device())?, Mode::Eval)?;
        logits.push(output.logits);
        embeddings.push(unit_length(&output.embedding)?);
    }
    Ok(Some(Predictions { logits: Tensor::f_cat(&logits, 0)?, embeddings: Tensor::f_cat(&embeddings, 0)? }))
}

/// Each row divided by its Euclidean length; rows of zeroes stay.
pub(crate) fn unit_length(rows: &Tensor) -> Result<Tensor, TchError> {
    let length = rows.f_norm_scalaropt_dim(2.0, [1], true)?.f_clamp_min(1e-12)?;
    rows.f_div(&length)
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
        Vec::try_from(self.logits.f_argmax(1, false)?)
    }

    /// Mean cross entropy with the true classes.
    ///
    /// # Errors
    /// When the device fails.
    pub fn loss(&self, labels: &[i64]) -> Result<f64, TchError> {
        let labels = Tensor::f_from_slice(labels)?.f_to_device(self.logits.device())?;
        let none: Option<Tensor> = None;
        let loss = self.logits.f_cross_entropy_loss(&labels, none, tch::Reduction::Mean, -100, 0.0)?;
        loss.f_double_value(&[])
    }
}

/// Share of `found` that equals `labels`.
pub(super) fn accuracy(found: &[i64], labels: &[i64]) -> f64 {
    let correct = found.iter().zip(labels).filter(|(found, label)| found == label).count();
    correct as f64 / labels.len() as f64
}

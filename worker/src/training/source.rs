//! Where the logits of a step come from: pictures through the whole network, or stored features through the head.

use std::ops::ControlFlow;

use tch::Tensor;

use super::TrainError;
use super::augment::Viewer;
use super::batches::{Batch, Batches, Mixing};
use super::colour::PrincipalColours;
use super::config::{FreezePolicy, TrainConfig};
use super::dataset::Dataset;
use super::features::Features;
use super::predict::predict;
use super::show;
use crate::network::{Mode, Network};

/// The pictures of a run on their way into the network.
pub(super) struct Source<'a> {
    dataset: &'a Dataset,
    config: &'a TrainConfig,
    batches: Batches<'a>,
    features: Option<Features>,
}

/// What the network learns from in one step, or in a part of one.
pub(super) struct Input {
    /// Normalised pictures `[N, 3, S, S]`, or what the head reads of them.
    pub values: Tensor,
    /// Classes, `[N]`.
    pub labels: Tensor,
    /// Classes of those that the pictures are mixed with, and the share of the pictures themselves.
    pub mixed: Option<(Tensor, f64)>,
    /// Whether `values` are what the head reads.
    pub is_features: bool,
}

impl Input {
    /// N.
    pub fn len(&self) -> usize {
        self.labels.size().first().copied().unwrap_or(0) as usize
    }

    /// A part of it, sharing memory.
    ///
    /// # Errors
    /// When the device fails.
    pub fn part(&self, part: u32, parts: u32) -> Result<Self, TrainError> {
        let bound = |part: u32| (self.len() * part as usize / parts as usize) as i64;
        let (first, count) = (bound(part), bound(part + 1) - bound(part));
        let mixed = match &self.mixed {
            Some((labels, share)) => Some((labels.f_narrow(0, first, count)?, *share)),
            None => None,
        };
        let (values, labels) =
            (self.values.f_narrow(0, first, count)?, self.labels.f_narrow(0, first, count)?);
        Ok(Self { values, labels, mixed, is_features: self.is_features })
    }
}

impl<'a> Source<'a> {
    /// The source that suits what is to learn.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(network: &Network, dataset: &'a Dataset, config: &'a TrainConfig) -> Result<Self, TrainError> {
        let part = dataset.train();
        let colours = config.augment.color_pca.then(|| PrincipalColours::of(&part.pictures)).transpose()?;
        let (side, size) = (part.pictures.side(), dataset.image_size());
        let viewer = Viewer { augment: config.augment, colours, side, size };
        let batches = Batches { part, batch_size: config.batch_size, viewer, seed: config.seed };
        let features = match config.freeze {
            FreezePolicy::Backbone => Features::plan(network, dataset, config)?,
            FreezePolicy::None | FreezePolicy::Norm | FreezePolicy::Gradual => None,
        };
        Ok(Self { dataset, config, batches, features })
    }

    /// Batches of pictures.
    pub fn batches(&self) -> &Batches<'a> {
        &self.batches
    }

    /// Whether the steps learn from stored features.
    pub fn has_features(&self) -> bool {
        self.features.is_some()
    }

    /// Computes what an epoch needs; breaks when `progress`, told pictures done, does.
    ///
    /// # Errors
    /// When the device fails.
    pub fn prepare(
        &mut self,
        network: &Network,
        epoch: u32,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        match &mut self.features {
            Some(features) => features.prepare(network, &self.batches, self.config, epoch, progress),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// What a batch shows, on the device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn shown(&self, network: &Network, batch: &Batch) -> Result<Input, TrainError> {
        let device = network.device();
        let values = show::pictures(batch, self.batches.viewer.size, &self.config.normalisation, device)?;
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(device)?;
        let mixed = partners(&labels, batch.mixing.as_ref())?;
        Ok(Input { values, labels, mixed, is_features: false })
    }

    /// What is stored for a step; nothing when there are no features.
    ///
    /// # Errors
    /// When the device fails.
    pub fn stored(&self, order: &[usize], epoch: u32, step: u32) -> Result<Option<Input>, TrainError> {
        let Some(features) = &self.features else { return Ok(None) };
        let chosen = self.batches.chosen(order, step);
        let mut values = features.select(epoch, chosen)?;
        let labels = Tensor::f_from_slice(&self.batches.labels(chosen))?.f_to_device(values.device())?;
        let mixing = self.batches.mixing(chosen.len(), epoch, step);
        if let Some(mixing) = &mixing {
            values = show::mixed(&values, mixing)?;
        }
        let mixed = partners(&labels, mixing.as_ref())?;
        Ok(Some(Input { values, labels, mixed, is_features: true }))
    }

    /// The network's answers `[N, classes]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn logits(&self, network: &Network, input: &Input, mode: Mode<'_>) -> Result<Tensor, TrainError> {
        if input.is_features {
            return Ok(network.head(&input.values, mode)?);
        }
        Ok(network.forward(&input.values, mode)?.logits)
    }

    /// The logits of all validation pictures; nothing when `progress`, told how many are done, breaks.
    ///
    /// # Errors
    /// When the device fails.
    pub fn validate(
        &mut self,
        network: &Network,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Tensor>, TrainError> {
        if let Some(features) = &mut self.features {
            return features.validate(network, self.dataset, self.config, progress);
        }
        let pictures = &self.dataset.validation().pictures;
        let all: Vec<usize> = (0..pictures.len()).collect();
        let size = self.dataset.image_size();
        let predictions = predict(&network.folded()?, pictures, &all, size, self.config, progress)?;
        Ok(predictions.map(|predictions| predictions.logits))
    }
}

/// The partners' classes and the share of the pictures themselves.
fn partners(labels: &Tensor, mixing: Option<&Mixing>) -> Result<Option<(Tensor, f64)>, TrainError> {
    let Some(mixing) = mixing else { return Ok(None) };
    let partners = Tensor::f_from_slice(&mixing.partners)?.f_to_device(labels.device())?;
    Ok(Some((labels.f_index_select(0, &partners)?, mixing.share)))
}

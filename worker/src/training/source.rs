//! Where the logits of a step come from: pictures through the whole network, or stored features through the head.

use std::ops::ControlFlow;

use tch::Tensor;

use super::TrainError;
use super::batches::Batches;
use super::colour::PrincipalColours;
use super::config::TrainConfig;
use super::dataset::Dataset;
use super::features::Features;
use super::predict::predict;
use super::random::{self, Purpose};
use crate::network::{Freeze, Mode, Network};

/// The pictures of a run on their way into the network.
pub(super) struct Source<'a> {
    dataset: &'a Dataset,
    config: &'a TrainConfig,
    batches: Batches<'a>,
    features: Option<Features>,
}

/// One step's answers, with gradients.
pub(super) struct Answered {
    /// `[N, classes]`.
    pub logits: Tensor,
    /// `[N]`, on the same device.
    pub labels: Tensor,
    /// N.
    pub pictures: usize,
}

impl<'a> Source<'a> {
    /// The source that suits what is to learn.
    pub fn new(network: &Network, dataset: &'a Dataset, config: &'a TrainConfig) -> Result<Self, TrainError> {
        let part = dataset.train();
        let colours = config.augment.color_pca.then(|| PrincipalColours::of(&part.pictures)).transpose()?;
        let batches = Batches {
            part,
            size: dataset.image_size(),
            batch_size: config.batch_size,
            augment: config.augment,
            colours,
            seed: config.seed,
        };
        let features = match config.freeze {
            Freeze::Backbone => Features::plan(network, dataset, config)?,
            Freeze::None | Freeze::Norm => None,
        };
        Ok(Self { dataset, config, batches, features })
    }

    /// Steps in an epoch.
    pub fn steps(&self) -> u32 {
        self.batches.steps()
    }

    /// The order of pictures in an epoch, once what the epoch needs is there; nothing when `progress` breaks.
    pub fn start(
        &mut self,
        network: &Network,
        epoch: u32,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<usize>>, TrainError> {
        if let Some(features) = &mut self.features
            && features.prepare(network, &self.batches, self.config, epoch, progress)?.is_break()
        {
            return Ok(None);
        }
        Ok(Some(self.batches.order(epoch)))
    }

    /// The network's answers for the pictures of one step.
    pub fn answer(
        &self,
        network: &Network,
        order: &[usize],
        epoch: u32,
        step: u32,
    ) -> Result<Answered, TrainError> {
        let mut rng = random::stream(self.config.seed, Purpose::Dropout, epoch, step);
        let mode = Mode::Train { rng: &mut rng, precision: self.config.precision };
        let chosen = self.batches.chosen(order, step);
        let logits = match &self.features {
            Some(features) => network.head(&features.select(epoch, chosen)?, mode)?,
            None => {
                let batch = self.batches.batch(order, epoch, step);
                let normalisation = &self.config.normalisation;
                let pictures = normalisation.shifted(
                    &batch.pixels,
                    self.batches.size,
                    &batch.shifts,
                    network.device(),
                )?;
                network.forward(&pictures, mode)?.logits
            }
        };
        let labels = Tensor::f_from_slice(&self.batches.labels(chosen))?.f_to_device(network.device())?;
        Ok(Answered { logits, labels, pictures: chosen.len() })
    }

    /// The logits of all validation pictures; nothing when `progress`, told how many are done, breaks.
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
        let (size, normalisation) = (self.dataset.image_size(), &self.config.normalisation);
        let predictions = predict(&network.folded()?, pictures, &all, size, normalisation, progress)?;
        Ok(predictions.map(|predictions| predictions.logits))
    }
}

//! What a frozen backbone makes of the pictures, computed once and learnt from again and again.
//!
//! Where only the head learns, the layers before it give the same in every epoch. They are run over a few augmented
//! views of each training picture and over the validation pictures, and what the head reads is kept as `f16`: an epoch
//! then costs seconds. Epochs take the views in turn. Views do not depend on the order of an epoch, so a resumed run
//! computes the same ones again. Mixup mixes what was kept (Verma et al. 2019, Manifold Mixup), anew in every epoch.

use std::ops::ControlFlow;

use tch::{Kind, TchError, Tensor};

use super::TrainError;
use super::batches::{self, Batch, Batches};
use super::config::TrainConfig;
use super::dataset::Dataset;
use super::show;
use crate::network::{Network, NetworkError};

/// Views of each training picture, where pictures vary at all.
const VIEWS: usize = 2;

/// Memory that features may take on the device.
const LIMIT_BYTES: usize = 2 << 30;

/// Features of the pictures of one run.
pub(super) struct Features {
    /// By view, once computed: what the head reads of every training picture.
    views: Vec<Option<Stored>>,
    validation: Option<Stored>,
}

impl Features {
    /// A place for features, or nothing when they would not fit into memory.
    pub fn plan(
        network: &Network,
        dataset: &Dataset,
        config: &TrainConfig,
    ) -> Result<Option<Self>, TrainError> {
        let size = dataset.image_size();
        let one = batches::whole(&dataset.validation().pictures, &[0], size);
        let one = config.normalisation.tensor(&one, size, network.device())?;
        let bytes = network.before_head(&one)?.numel() * Kind::Half.elt_size_in_bytes();
        let (train, validation) = (dataset.train().labels.len(), dataset.validation().labels.len());
        let wanted = if config.augment.varies() { VIEWS } else { 1 };
        let fitting = (LIMIT_BYTES / bytes).saturating_sub(validation) / train;
        let views = wanted.min(fitting);
        Ok((views > 0).then(|| Self { views: (0..views).map(|_| None).collect(), validation: None }))
    }

    /// Computes the view that an epoch takes, unless it is there; `progress` hears of pictures done.
    pub fn prepare(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        config: &TrainConfig,
        epoch: u32,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        let view = self.view(epoch);
        if self.views[view].is_some() {
            return Ok(ControlFlow::Continue(()));
        }
        let network = network.folded()?;
        let order: Vec<usize> = (0..batches.part.labels.len()).collect();
        let mut stored = Store::new(order.len());
        for step in 0..batches.steps() {
            if progress(stored.filled).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            // Each picture by itself: who is mixed with whom is another question in every epoch.
            let batch = Batch { mixing: None, ..batches.batch(&order, view as u32, step) };
            let size = batches.viewer.size;
            let pictures = show::pictures(&batch, size, &config.normalisation, network.device())?;
            stored.add(&network.before_head(&pictures)?)?;
        }
        self.views[view] = Some(stored.full());
        Ok(ControlFlow::Continue(()))
    }

    /// What the head reads of the training pictures chosen, in an epoch that was prepared.
    pub fn select(&self, epoch: u32, chosen: &[usize]) -> Result<Tensor, TchError> {
        let view = self.views[self.view(epoch)].as_ref().expect("the epoch was prepared");
        let chosen: Vec<i64> = chosen.iter().map(|&index| index as i64).collect();
        let chosen = Tensor::f_from_slice(&chosen)?.f_to_device(view.values.device())?;
        view.restore(&view.values.f_index_select(0, &chosen)?)
    }

    /// The logits of all validation pictures; `progress` hears of pictures done, and nothing comes when it breaks.
    pub fn validate(
        &mut self,
        network: &Network,
        dataset: &Dataset,
        config: &TrainConfig,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Tensor>, TrainError> {
        if progress(0).is_break() {
            return Ok(None);
        }
        let stored = match self.validation.take() {
            Some(stored) => stored,
            None => match validation(network, dataset, config, progress)? {
                Some(stored) => stored,
                None => return Ok(None),
            },
        };
        let mut logits = Vec::new();
        for rows in stored.values.f_split(config.judging_batch() as i64, 0)? {
            logits.push(network.head(&stored.restore(&rows)?, crate::network::Mode::Eval)?);
        }
        self.validation = Some(stored);
        Ok(Some(Tensor::f_cat(&logits, 0)?))
    }

    fn view(&self, epoch: u32) -> usize {
        epoch as usize % self.views.len()
    }
}

fn validation(
    network: &Network,
    dataset: &Dataset,
    config: &TrainConfig,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Stored>, TrainError> {
    let network = network.folded()?;
    let (pictures, size) = (&dataset.validation().pictures, dataset.image_size());
    let all: Vec<usize> = (0..pictures.len()).collect();
    let mut stored = Store::new(all.len());
    for chosen in all.chunks(config.judging_batch()) {
        if progress(stored.filled).is_break() {
            return Ok(None);
        }
        let pixels = batches::whole(pictures, chosen, size);
        let batch = config.normalisation.tensor(&pixels, size, network.device())?;
        stored.add(&network.before_head(&batch)?)?;
    }
    Ok(Some(stored.full()))
}

/// Features of many pictures, `f16`: vectors `[N, F]`, maps channels last, `[N, H, W, C]`.
struct Stored {
    values: Tensor,
}

impl Stored {
    /// Rows of `values` as the head reads them.
    fn restore(&self, rows: &Tensor) -> Result<Tensor, TchError> {
        let rows = rows.f_to_kind(Kind::Float)?;
        if rows.dim() == 4 { rows.f_permute([0, 3, 1, 2]) } else { Ok(rows) }
    }
}

/// Features being filled in.
struct Store {
    values: Option<Tensor>,
    count: usize,
    filled: usize,
}

impl Store {
    fn new(count: usize) -> Self {
        Self { values: None, count, filled: 0 }
    }

    /// Adds what the head reads of the next pictures.
    fn add(&mut self, features: &Tensor) -> Result<(), NetworkError> {
        let rows =
            if features.dim() == 4 { features.f_permute([0, 2, 3, 1])? } else { features.shallow_clone() };
        let mut size = rows.size();
        let added = size[0];
        if self.values.is_none() {
            size[0] = self.count as i64;
            self.values = Some(Tensor::f_empty(&*size, (Kind::Half, rows.device()))?);
        }
        let values = self.values.as_ref().expect("it was just made");
        values.f_narrow(0, self.filled as i64, added)?.f_copy_(&rows)?;
        self.filled += added as usize;
        Ok(())
    }

    fn full(self) -> Stored {
        assert_eq!(self.filled, self.count, "every picture was added");
        Stored { values: self.values.expect("a part has pictures") }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use lookalike_shared::domain::backbone;
    use tch::Device;

    use super::*;
    use crate::network::{Mode, Pictures, Precision};
    use crate::training::random::{self, Purpose};
    use crate::training::source::Source;
    use crate::training::{Augment, FreezePolicy, Labelled};

    fn part(count: usize) -> Labelled {
        let pixels: Vec<u8> = (0..count * 40 * 40 * 3).map(|at| (at * at / 7 % 256) as u8).collect();
        Labelled { pictures: Pictures::new(40, pixels).unwrap(), labels: vec![0; count] }
    }

    #[test]
    fn stored_features_give_the_logits_of_the_whole_network() {
        let dataset = Dataset::new(3, 36, part(5), part(3)).unwrap();
        let (freeze, augment) = (FreezePolicy::Backbone, Augment::NONE);
        let config = TrainConfig { freeze, augment, batch_size: 2, ..TrainConfig::default() };
        for name in ["resnet18", "squeezenet1_1"] {
            let network = Network::new(backbone::by_name(name).unwrap(), 3, 1, Device::Cpu).unwrap();
            let mut source = Source::new(&network, &dataset, &config).unwrap();
            let found = source.validate(&network, &mut |_| ControlFlow::Continue(())).unwrap().unwrap();
            let pixels = batches::whole(&dataset.validation().pictures, &[0, 1, 2], 36);
            let pictures = config.normalisation.tensor(&pixels, 36, Device::Cpu).unwrap();
            let expected = network.forward(&pictures, Mode::Eval).unwrap().logits;
            let off = (&found - &expected).abs().max().double_value(&[]);
            assert!(off < 2e-3 * expected.abs().max().double_value(&[]), "{name}: {off}");
        }
        // Without dropout what is learnt from is the same too, for the pictures of the step.
        let network = Network::new(backbone::by_name("resnet18").unwrap(), 3, 1, Device::Cpu).unwrap();
        let mut source = Source::new(&network, &dataset, &config).unwrap();
        assert!(source.prepare(&network, 1, &mut |_| ControlFlow::Continue(())).unwrap().is_continue());
        let order = source.batches().order(1);
        let input = source.stored(&order, 1, 1).unwrap().unwrap();
        let mut rng = random::stream(1, Purpose::Dropout, 1, 1);
        let mode = Mode::Train { rng: &mut rng, precision: Precision::F32 };
        let found = source.logits(&network, &input, mode).unwrap();
        let pixels = batches::whole(&dataset.train().pictures, &order[1..3], 36);
        let pictures = config.normalisation.tensor(&pixels, 36, Device::Cpu).unwrap();
        let expected = network.forward(&pictures, Mode::Eval).unwrap().logits;
        let off = (&found - &expected).abs().max().double_value(&[]);
        assert!(off < 2e-3 * expected.abs().max().double_value(&[]), "{off}");
    }

    #[test]
    fn what_is_stored_of_each_picture_is_mixed_in_every_epoch() {
        let dataset = Dataset::new(3, 36, part(6), part(3)).unwrap();
        let augment = Augment { mixup: 1.0, ..Augment::NONE };
        let config =
            TrainConfig { freeze: FreezePolicy::Backbone, augment, batch_size: 4, ..TrainConfig::default() };
        let network = Network::new(backbone::by_name("resnet18").unwrap(), 3, 1, Device::Cpu).unwrap();
        let mut source = Source::new(&network, &dataset, &config).unwrap();
        assert!(source.prepare(&network, 1, &mut |_| ControlFlow::Continue(())).unwrap().is_continue());
        let order = source.batches().order(1);
        let input = source.stored(&order, 1, 1).unwrap().unwrap();
        let mixing = source.batches().mixing(3, 1, 1).unwrap();

        let pixels = batches::whole(&dataset.train().pictures, &order[3..], 36);
        let pictures = config.normalisation.tensor(&pixels, 36, Device::Cpu).unwrap();
        let alone = network.folded().unwrap().before_head(&pictures).unwrap();
        let partners = alone.index_select(0, &Tensor::from_slice(&mixing.partners));
        let expected = &alone * mixing.share + partners * (1.0 - mixing.share);
        let off = (&input.values - &expected).abs().max().double_value(&[]);
        assert!(off < 2e-3 * expected.abs().max().double_value(&[]), "{off}");
        assert_eq!(input.mixed.unwrap().1, mixing.share);
        assert_ne!(source.batches().mixing(3, 2, 1).unwrap(), mixing);
    }
}

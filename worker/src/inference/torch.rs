//! The engine that runs networks with libtorch, on CPUs and GPUs.

use lookalike_shared::domain::backbone;
use tch::{Device, Kind, TchError, Tensor};

use super::engine::{Answers, Engine, EngineError, EngineInfo, Feed, ModelSpec};
use crate::network::{Mode, Network, Normalisation, Pictures, Precision, unit_length};

/// A network in evaluation mode, its batch norms merged into its convolutions.
#[derive(Debug)]
pub struct TorchEngine {
    network: Network,
    precision: Precision,
    normalisation: Normalisation,
    image_size: usize,
}

impl TorchEngine {
    /// Loads a model on a device.
    ///
    /// # Errors
    /// When the architecture is unknown, the weights are not its weights or have another number of classes, or the
    /// device lacks memory.
    pub fn load(spec: &ModelSpec, device: Device) -> Result<Self, EngineError> {
        Self::load_in(spec, device, Precision::F32)
    }

    /// Loads a model that computes in these numbers.
    ///
    /// # Errors
    /// As [`TorchEngine::load`], or when the device does not know the numbers.
    pub fn load_in(spec: &ModelSpec, device: Device, precision: Precision) -> Result<Self, EngineError> {
        let backbone = backbone::variant(&spec.backbone, spec.embedding_dim)?;
        let network = Network::from_weights(backbone, &spec.weights, device)?;
        if network.classes() != spec.classes {
            return Err(EngineError::OtherClasses { weights: network.classes(), model: spec.classes });
        }
        let folded = network.folded()?;
        let network = match precision {
            Precision::F32 => folded,
            Precision::Bf16 => tch::no_grad(|| folded.in_bf16())?,
        };
        Ok(Self { network, precision, normalisation: spec.normalisation, image_size: spec.image_size })
    }

    /// Answers a batch.
    fn forward(&self, pictures: &Pictures) -> Result<Answers, EngineError> {
        let (found, expected) = (pictures.side(), self.image_size);
        if found != expected {
            return Err(EngineError::OtherSize { found, expected });
        }
        let _guard = tch::no_grad_guard();
        let device = self.network.device();
        let batch = self.normalisation.tensor(&pictures.pixels(), self.image_size, device)?;
        let output = self.network.forward(&batch, Mode::Eval)?;
        let probabilities = output.logits.f_softmax(1, Kind::Float)?;
        let embeddings = unit_length(&output.embedding)?;
        let backbone = self.network.backbone();
        Ok(Answers::new(
            self.network.classes(),
            backbone.embedding_dim,
            values(&probabilities)?,
            values(&embeddings)?,
        ))
    }
}

impl Engine for TorchEngine {
    fn run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError> {
        while let Some(pictures) = feed.next(usize::MAX) {
            feed.answer(self.forward(&pictures)?);
        }
        Ok(())
    }

    fn describe(&self) -> EngineInfo {
        EngineInfo {
            engine: "torch",
            precision: match self.precision {
                Precision::F32 => "f32",
                Precision::Bf16 => "bf16",
            },
            device: match self.network.device() {
                Device::Cpu => "cpu".to_owned(),
                Device::Cuda(index) => format!("cuda:{index}"),
                Device::Mps => "mps".to_owned(),
                Device::Vulkan => "vulkan".to_owned(),
            },
            backbone: self.network.backbone().name.to_owned(),
            classes: self.network.classes(),
            dimensions: self.network.backbone().embedding_dim,
            image_size: self.image_size,
            pictures_per_second: None,
            reason: None,
            tuning: None,
        }
    }
}

/// A tensor's values, row by row.
fn values(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    Vec::try_from(tensor.f_contiguous()?.f_view([-1])?)
}

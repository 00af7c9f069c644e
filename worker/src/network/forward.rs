//! Running a network: one pass over its layers, in order.

use lookalike_shared::domain::backbone::{Backbone, Op};
use rand_chacha::ChaCha8Rng;
use tch::{TchError, Tensor};

use super::tensors::NamedTensor;
use super::{Network, NetworkError, layout, ops};

/// Whether a pass is for learning or for answers.
#[derive(Debug)]
pub enum Mode<'a> {
    /// No gradients, no dropout, batch norms use their running statistics.
    Eval,
    /// Gradients, dropout drawn from `rng`, batch norms measure the batch unless frozen.
    Train {
        /// Decides which values dropout zeroes.
        rng: &'a mut ChaCha8Rng,
    },
}

/// What a pass gives for a batch of N pictures.
#[derive(Debug)]
pub struct Output {
    /// `[N, classes]`, before softmax.
    pub logits: Tensor,
    /// `[N, embedding_dim]`, as the layer gives it, not normalised.
    pub embedding: Tensor,
}

/// What can be said of a pass before it starts.
#[derive(Debug)]
pub(super) struct Plan {
    /// By layer: how often its output is read, one more for the two outputs of the network.
    readers: Vec<usize>,
    /// By layer: which of its inputs it may overwrite.
    overwrites: Vec<Option<usize>>,
}

impl Plan {
    pub fn new(backbone: &Backbone) -> Self {
        let mut readers = backbone.readers();
        readers[backbone.embedding.index()] += 1;
        readers[backbone.logits().index()] += 1;
        let overwrites = (0..backbone.layers.len()).map(|index| overwrites(backbone, &readers, index)).collect();
        Self { readers, overwrites }
    }
}

/// An input may be overwritten when nothing else reads it and the layer that made it does not need its own output to
/// compute gradients.
fn overwrites(backbone: &Backbone, readers: &[usize], index: usize) -> Option<usize> {
    let layer = &backbone.layers[index];
    if !matches!(layer.op, Op::Relu | Op::Relu6 | Op::Add) {
        return None;
    }
    layer.inputs.iter().position(|input| {
        let maker = &backbone.layer(*input).op;
        readers[input.index()] == 1
            && matches!(maker, Op::Conv2d(_) | Op::BatchNorm2d(_) | Op::Linear(_) | Op::Add)
    })
}

impl Network {
    /// Runs a batch of normalised pictures, `f32` `[N, 3, S, S]` on the network's device.
    ///
    /// In training mode the running statistics of batch norms that are not frozen change.
    ///
    /// # Errors
    /// When the pictures have another shape or are too small, or the device fails.
    pub fn forward(&self, pictures: &Tensor, mode: Mode<'_>) -> Result<Output, NetworkError> {
        let (_, _, side, _) = pictures.size4()?;
        self.backbone.check_image_size(u32::try_from(side).unwrap_or(0))?;
        let _guard = matches!(mode, Mode::Eval).then(tch::no_grad_guard);
        let mut pass = Pass::new(self, mode);
        pass.run(pictures, &mut |_, _| Ok(()))?;
        let embedding = pass.take(self.backbone.embedding.index());
        Ok(Output { logits: pass.take(self.backbone.logits().index()), embedding })
    }

    /// Runs a batch as [`Network::forward`] does in [`Mode::Eval`] and shows `inspect` the input of every layer.
    pub(super) fn watch(
        &self,
        pictures: &Tensor,
        inspect: &mut dyn FnMut(usize, &[Tensor]) -> Result<(), TchError>,
    ) -> Result<(), NetworkError> {
        let _guard = tch::no_grad_guard();
        Ok(Pass::new(self, Mode::Eval).run(pictures, inspect)?)
    }
}

/// One pass: the outputs that are still to be read.
struct Pass<'a> {
    network: &'a Network,
    mode: Mode<'a>,
    outputs: Vec<Option<Tensor>>,
    readers: Vec<usize>,
}

impl<'a> Pass<'a> {
    fn new(network: &'a Network, mode: Mode<'a>) -> Self {
        let readers = network.plan.readers.clone();
        Self { network, mode, outputs: Vec::with_capacity(readers.len()), readers }
    }

    fn run(
        &mut self,
        pictures: &Tensor,
        inspect: &mut dyn FnMut(usize, &[Tensor]) -> Result<(), TchError>,
    ) -> Result<(), TchError> {
        self.outputs.push(Some(layout::preferred(pictures, self.network.device)?));
        for index in 1..self.network.backbone.layers.len() {
            let inputs: Vec<Tensor> =
                self.network.backbone.layers[index].inputs.iter().map(|input| self.take(input.index())).collect();
            inspect(index, &inputs)?;
            let output = self.layer(index, inputs)?;
            self.outputs.push(Some(output));
        }
        Ok(())
    }

    /// The output of a layer; its last reader takes it away, so that its memory is free early.
    fn take(&mut self, index: usize) -> Tensor {
        self.readers[index] -= 1;
        let output = self.outputs[index].take().expect("an output stays until its last reader");
        if self.readers[index] > 0 {
            self.outputs[index] = Some(output.shallow_clone());
        }
        output
    }

    fn layer(&mut self, index: usize, mut inputs: Vec<Tensor>) -> Result<Tensor, TchError> {
        let network = self.network;
        let own = network.tensors.of_layer(index);
        let overwritten = network.plan.overwrites[index];
        if let Some(place) = overwritten {
            inputs.swap(0, place);
        }
        let x = &mut inputs[0];
        match &network.backbone.layers[index].op {
            Op::Input => Ok(x.shallow_clone()),
            Op::Conv2d(conv) => ops::conv2d(x, conv, &own[0].tensor, own.get(1).map(value)),
            Op::BatchNorm2d(norm) => {
                let measures = network.measures[index] && matches!(self.mode, Mode::Train { .. });
                ops::batch_norm2d(x, norm, own, measures)
            }
            Op::LocalResponseNorm(norm) => ops::local_response_norm(x, norm),
            Op::Relu if overwritten.is_some() => x.f_relu_(),
            Op::Relu => x.f_relu(),
            Op::Relu6 if overwritten.is_some() => x.f_relu6_(),
            Op::Relu6 => x.f_relu6(),
            Op::MaxPool2d(pool) => ops::max_pool2d(x, pool),
            Op::AdaptiveAvgPool2d { size } => ops::adaptive_avg_pool2d(x, *size),
            Op::Flatten => x.f_flatten(1, -1),
            Op::Linear(_) => x.f_linear(&own[0].tensor, own.get(1).map(value)),
            Op::Dropout { p } => match &mut self.mode {
                Mode::Eval => Ok(x.shallow_clone()),
                Mode::Train { rng } => ops::dropout(x, *p, rng),
            },
            Op::Add if overwritten.is_some() => {
                let other = inputs[1].shallow_clone();
                inputs[0].f_add_(&other)
            }
            Op::Add => inputs[0].f_add(&inputs[1]),
            Op::Concat => Tensor::f_cat(&inputs, 1),
        }
    }
}

fn value(named: &NamedTensor) -> &Tensor {
    &named.tensor
}

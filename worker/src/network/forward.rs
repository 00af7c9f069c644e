//! Running a network: one pass over its layers, in order.

use lookalike_shared::domain::backbone::{Backbone, Op};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, TchError, Tensor};

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
        /// The numbers that convolutions and matrix products compute with.
        precision: Precision,
    },
}

/// Numbers to compute with; weights, statistics, gradients and results are `f32` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the range of 32: about twice as fast on GPUs since Ampere, and on CPUs that have instructions for
    /// it; slow elsewhere.
    Bf16,
}

impl Mode<'_> {
    /// What a pass computes with through a network that answers in `eval`.
    fn kind(&self, eval: Kind) -> Kind {
        match self {
            Self::Eval => eval,
            Self::Train { precision: Precision::F32, .. } => Kind::Float,
            Self::Train { precision: Precision::Bf16, .. } => Kind::BFloat16,
        }
    }
}

/// What a pass gives for a batch of N pictures.
#[derive(Debug)]
pub struct Output {
    /// `[N, classes]`, before softmax.
    pub logits: Tensor,
    /// `[N, embedding_dim]`, as the layer gives it, not normalised.
    pub embedding: Tensor,
}

/// Is shown the index of every layer and its inputs, before the layer runs.
type Inspect<'a> = dyn FnMut(usize, &[Tensor]) -> Result<(), TchError> + 'a;

/// What can be said of a pass before it starts.
#[derive(Debug)]
pub(super) struct Plan {
    /// By layer: how often its output is read, one more for the two outputs of the network.
    readers: Vec<usize>,
    /// By layer: which of its inputs it may overwrite.
    overwrites: Vec<Option<usize>>,
    /// The layer whose output the head reads, dropout and projection left aside.
    frontier: usize,
    /// The layers that depend on the frontier through the head, in order: the projection, dropout, the head, what
    /// follows them.
    head: Vec<usize>,
}

impl Plan {
    pub fn new(backbone: &Backbone) -> Self {
        let mut readers = backbone.readers();
        readers[backbone.embedding.index()] += 1;
        readers[backbone.logits().index()] += 1;
        let overwrites =
            (0..backbone.layers.len()).map(|index| overwrites(backbone, &readers, index)).collect();
        let (frontier, head) = head_part(backbone);
        Self { readers, overwrites, frontier, head }
    }
}

/// The layer before the head, its dropout and its projection, and the layers from there to the logits.
fn head_part(backbone: &Backbone) -> (usize, Vec<usize>) {
    let mut entry = backbone.head.index();
    let mut frontier = backbone.layers[entry].inputs[0].index();
    while matches!(backbone.layers[frontier].op, Op::Dropout { .. })
        || backbone.projection.is_some_and(|projection| projection.index() == frontier)
    {
        entry = frontier;
        frontier = backbone.layers[entry].inputs[0].index();
    }
    let mut head = vec![entry];
    for index in entry + 1..backbone.layers.len() {
        if backbone.layers[index].inputs.iter().any(|input| head.contains(&input.index())) {
            head.push(index);
        }
    }
    (frontier, head)
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
        pass.start(pictures)?;
        pass.run(1..self.backbone.layers.len(), &mut |_, _| Ok(()))?;
        let embedding = pass.take(self.backbone.embedding.index()).f_to_kind(Kind::Float)?;
        let logits = pass.take(self.backbone.logits().index()).f_to_kind(Kind::Float)?;
        Ok(Output { logits, embedding })
    }

    /// Runs a batch as [`Network::forward`] does in [`Mode::Eval`] and shows `inspect` the input of every layer.
    pub(super) fn watch(&self, pictures: &Tensor, inspect: &mut Inspect<'_>) -> Result<(), NetworkError> {
        let _guard = tch::no_grad_guard();
        let mut pass = Pass::new(self, Mode::Eval);
        pass.start(pictures)?;
        Ok(pass.run(1..self.backbone.layers.len(), inspect)?)
    }

    /// What the head reads of a batch of normalised pictures, `[N, F]` or `[N, C, H, W]`, in [`Mode::Eval`]. With it,
    /// [`Network::head`] gives the logits, so that a head can learn without running the layers before it again.
    ///
    /// # Errors
    /// When the pictures have another shape, or the device fails.
    pub fn before_head(&self, pictures: &Tensor) -> Result<Tensor, NetworkError> {
        let _guard = tch::no_grad_guard();
        let mut pass = Pass::new(self, Mode::Eval);
        pass.start(pictures)?;
        let needed = (1..=self.plan.frontier).filter(|index| !self.plan.head.contains(index));
        pass.run(needed, &mut |_, _| Ok(()))?;
        Ok(pass.take(self.plan.frontier))
    }

    /// The logits `[N, classes]` for what [`Network::before_head`] gave.
    ///
    /// # Errors
    /// When the features have another shape, or the device fails.
    pub fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, NetworkError> {
        let _guard = matches!(mode, Mode::Eval).then(tch::no_grad_guard);
        let mut pass = Pass::new(self, mode);
        pass.outputs[self.plan.frontier] = Some(features.f_to_kind(pass.kind)?);
        pass.run(self.plan.head.iter().copied(), &mut |_, _| Ok(()))?;
        Ok(pass.take(self.backbone.logits().index()).f_to_kind(Kind::Float)?)
    }
}

/// One pass: the outputs that are still to be read.
struct Pass<'a> {
    network: &'a Network,
    mode: Mode<'a>,
    kind: Kind,
    outputs: Vec<Option<Tensor>>,
    readers: Vec<usize>,
}

impl<'a> Pass<'a> {
    fn new(network: &'a Network, mode: Mode<'a>) -> Self {
        let readers = network.plan.readers.clone();
        let outputs = readers.iter().map(|_| None).collect();
        let kind = mode.kind(network.kind);
        Self { network, mode, kind, outputs, readers }
    }

    fn start(&mut self, pictures: &Tensor) -> Result<(), TchError> {
        let pictures = pictures.f_to_kind(self.kind)?;
        self.outputs[0] = Some(match self.network.kind == Kind::BFloat16 {
            true => layout::channels_last(&pictures)?,
            false => layout::preferred(&pictures, self.network.device)?,
        });
        Ok(())
    }

    fn run(
        &mut self,
        layers: impl Iterator<Item = usize>,
        inspect: &mut Inspect<'_>,
    ) -> Result<(), TchError> {
        for index in layers {
            let layer = &self.network.backbone.layers[index];
            let inputs: Vec<Tensor> = layer.inputs.iter().map(|input| self.take(input.index())).collect();
            inspect(index, &inputs)?;
            self.outputs[index] = Some(self.layer(index, inputs)?);
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
            Op::Input => unreachable!("a pass starts with the picture in place"),
            Op::Conv2d(conv) => ops::conv2d(x, conv, own),
            Op::BatchNorm2d(norm) => {
                let measures = network.measures[index] && matches!(self.mode, Mode::Train { .. });
                ops::batch_norm2d(x, norm, own, measures)
            }
            Op::LocalResponseNorm(norm) => ops::local_response_norm(x, norm),
            Op::Relu if overwritten.is_some() => x.f_relu_(),
            Op::Relu => x.f_relu(),
            Op::Relu6 if overwritten.is_some() => x.f_relu6_(),
            Op::Relu6 => x.f_relu6(),
            Op::Silu => x.f_silu(),
            Op::Sigmoid => x.f_sigmoid(),
            Op::MaxPool2d(pool) => ops::max_pool2d(x, pool),
            Op::AvgPool2d { kernel, stride } => ops::avg_pool2d(x, *kernel, *stride),
            Op::AdaptiveAvgPool2d { size } => ops::adaptive_avg_pool2d(x, *size),
            Op::Flatten => x.f_flatten(1, -1),
            Op::Linear(_) => ops::linear(x, own),
            Op::Dropout { p } => match &mut self.mode {
                Mode::Eval => Ok(x.shallow_clone()),
                Mode::Train { rng, .. } => ops::dropout(x, *p, rng),
            },
            Op::Add if overwritten.is_some() => {
                let other = inputs[1].shallow_clone();
                inputs[0].f_add_(&other)
            }
            Op::Add => inputs[0].f_add(&inputs[1]),
            Op::Scale => inputs[0].f_mul(&inputs[1]),
            Op::Concat => Tensor::f_cat(&inputs, 1),
        }
    }
}

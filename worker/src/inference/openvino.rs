//! The engine that runs networks with OpenVINO, on CPUs.
//!
//! A model's layers and weights become an ONNX file in memory, as the export makes it, which OpenVINO compiles twice:
//! for one picture on all processors, which answers soonest, and for small batches on several streams of their own
//! processors, which answers most per second (small, so that what flows between layers stays in the caches). Pixels go
//! in as they are, `u8` `[N, S, S, 3]`; they are normalised inside. The libraries are opened at run time, from where
//! the bootstrap or an installation puts them: see [`open`].

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lookalike_shared::domain::backbone;
use lookalike_shared::onnx;
use openvino::prepostprocess::Pipeline;
use openvino::{
    CompiledModel, Core, DeviceType, ElementType, InferRequest, InferenceError, Layout, Model, PartialShape,
    PropertyKey, RwPropertyKey, Shape, Tensor,
};

use super::engine::{Answers, Engine, EngineError, EngineInfo, Feed, ModelSpec, Tuning};
use crate::network::Pictures;

/// The library; the program's search path says where it is.
const LIBRARY: &str = "libopenvino_c.so";

/// Pictures that one stream works on at a time: what is faster is measured, since it depends on the network. The smallest
/// first: beside decoding, which takes its share of the caches, the smaller of two that are as fast alone is the faster one.
const STREAM_BATCHES: [usize; 2] = [4, 8];
/// What a larger batch may take at most of the time of a smaller one.
const CLEARLY: f64 = 0.95;
/// Fewest and most rounds that every size is timed for, and how long that may take when the fewest are done.
const FEWEST_TURNS: usize = 3;
const MOST_TURNS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests for each stream: one is worked on while the next one waits.
const REQUESTS: usize = 2;

/// Outputs by number, in the order of the ONNX file.
const PROBABILITIES: usize = 1;
const EMBEDDING: usize = 2;

/// What sums and products are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// 16 bits, where the processor has instructions for it.
    Bf16,
    /// 32 bits.
    F32,
}

impl Arithmetic {
    /// Its name in settings and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
        }
    }
}

/// A model compiled for this machine's processors.
pub struct OpenVinoEngine {
    one: Compiled,
    many: Compiled,
    /// From how many left over pictures on a batch that is not full is faster than one picture after the other.
    pad_from: usize,
    arithmetic: Arithmetic,
    backbone: &'static str,
    classes: usize,
    dimensions: usize,
    image_size: usize,
}

/// A network of fixed shape, with its requests.
struct Compiled {
    batch: usize,
    requests: Vec<InferRequest>,
    /// The request that gets the next batch: they take turns.
    next: usize,
    /// Pictures of the batches under way, the oldest first.
    under_way: VecDeque<usize>,
    _model: CompiledModel,
}

/// Opens the libraries, once for the process.
///
/// # Errors
/// Why they cannot be used, in words.
pub fn open() -> Result<(), String> {
    static OPENED: OnceLock<Result<(), String>> = OnceLock::new();
    OPENED.get_or_init(|| openvino_sys::library::load_from(PathBuf::from(LIBRARY))).clone()
}

/// What the processors have instructions for, the fastest first.
///
/// # Errors
/// The libraries cannot be used.
pub fn arithmetics() -> Result<Vec<Arithmetic>, EngineError> {
    open().map_err(EngineError::NoOpenVino)?;
    let core = Core::new().map_err(|error| EngineError::NoOpenVino(error.to_string()))?;
    let able = core.get_property(&DeviceType::CPU, &PropertyKey::DeviceCapabilities)?;
    let bf16 = able.split_whitespace().any(|word| word == "BF16").then_some(Arithmetic::Bf16);
    Ok(bf16.into_iter().chain([Arithmetic::F32]).collect())
}

impl OpenVinoEngine {
    /// Compiles a model.
    ///
    /// # Errors
    /// The libraries cannot be used, the weights are not those of the architecture, or OpenVINO refuses the network.
    pub fn load(spec: &ModelSpec, arithmetic: Arithmetic) -> Result<Self, EngineError> {
        Self::load_tuned(spec, arithmetic, None)
    }

    /// As [`OpenVinoEngine::load`], with sizes of batches that were measured before.
    ///
    /// # Errors
    /// As [`OpenVinoEngine::load`].
    pub fn load_tuned(
        spec: &ModelSpec,
        arithmetic: Arithmetic,
        tuning: Option<Tuning>,
    ) -> Result<Self, EngineError> {
        open().map_err(EngineError::NoOpenVino)?;
        let backbone = backbone::variant(&spec.backbone, spec.embedding_dim)?;
        let classes: Vec<String> = (0..spec.classes).map(|class| class.to_string()).collect();
        let exported = onnx::Model {
            reference: "",
            backbone,
            classes: &classes,
            image_size: u32::try_from(spec.image_size).unwrap_or(u32::MAX),
            // The file's pixels are in 0..1, ours in 0..255.
            mean: spec.normalisation.mean.map(|mean| mean * 255.0),
            std: spec.normalisation.std.map(|std| std * 255.0),
        };
        let file = onnx::encode(&exported, &spec.weights).map_err(Box::new)?;
        let mut core = Core::new().map_err(|error| EngineError::NoOpenVino(error.to_string()))?;
        let own = RwPropertyKey::HintInferencePrecision;
        core.set_property(&DeviceType::CPU, &own, arithmetic.as_str())?;
        // Decoding and the database share the processors: the system may move threads to where there is room.
        core.set_property(&DeviceType::CPU, &RwPropertyKey::HintEnableCpuPinning, "NO")?;
        let mut model = with_pixels(core.read_model_from_buffer(&file, None)?, spec.image_size)?;
        drop(file);
        let one = Compiled::new(&mut core, &mut model, 1, spec.image_size, "LATENCY")?;
        let known = tuning.filter(|tuning| STREAM_BATCHES.contains(&tuning.batch));
        let many = match known {
            Some(tuning) => {
                Compiled::new(&mut core, &mut model, tuning.batch, spec.image_size, "THROUGHPUT")?
            }
            None => fastest(&mut core, &mut model, spec.image_size)?,
        };
        let mut engine = Self {
            one,
            many,
            pad_from: 1,
            arithmetic,
            backbone: backbone.name,
            classes: spec.classes,
            dimensions: backbone.embedding_dim,
            image_size: spec.image_size,
        };
        engine.pad_from = match known {
            Some(tuning) => tuning.pad_from.clamp(1, tuning.batch),
            None => engine.measure_padding()?,
        };
        Ok(engine)
    }

    fn measure_padding(&mut self) -> Result<usize, EngineError> {
        let (mut one, mut many) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..FEWEST_TURNS {
            one = one.min(self.one.time()?.as_secs_f64());
            many = many.min(self.many.time()?.as_secs_f64());
        }
        Ok(((many / one).ceil() as usize).clamp(1, self.many.batch))
    }

    fn try_run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError> {
        let Self { one, many, .. } = self;
        loop {
            let next = if many.is_full() { None } else { feed.next(many.batch) };
            match next {
                Some(pictures) if pictures.side() != self.image_size => {
                    let (found, expected) = (pictures.side(), self.image_size);
                    return Err(EngineError::OtherSize { found, expected });
                }
                Some(pictures) if pictures.len() >= self.pad_from => many.begin(&pictures)?,
                // Few are left over: they come after those that are under way.
                Some(pictures) => {
                    while many.is_busy() {
                        feed.answer(many.end()?);
                    }
                    for picture in 0..pictures.len() {
                        one.begin(&pictures.slice(picture, 1))?;
                        feed.answer(one.end()?);
                    }
                }
                None if many.is_busy() => feed.answer(many.end()?),
                None => return Ok(()),
            }
        }
    }
}

impl Engine for OpenVinoEngine {
    /// Streams get their next batches while others are at work.
    fn run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError> {
        let ran = self.try_run(feed);
        if ran.is_err() {
            // Nothing may be under way when the next pictures come.
            self.one.stop();
            self.many.stop();
        }
        ran
    }

    fn describe(&self) -> EngineInfo {
        EngineInfo {
            engine: "openvino",
            precision: self.arithmetic.as_str(),
            device: "cpu".to_owned(),
            backbone: self.backbone.to_owned(),
            classes: self.classes,
            dimensions: self.dimensions,
            image_size: self.image_size,
            pictures_per_second: None,
            reason: None,
            tuning: Some(Tuning { batch: self.many.batch, pad_from: self.pad_from }),
        }
    }
}

/// The network for batches, of the size that answers most pictures per second. Sizes take turns, so that whatever else
/// the machine does at a time meets all of them.
fn fastest(core: &mut Core, model: &mut Model, side: usize) -> Result<Compiled, EngineError> {
    let mut sizes = Vec::with_capacity(STREAM_BATCHES.len());
    for batch in STREAM_BATCHES {
        let mut compiled = Compiled::new(core, model, batch, side, "THROUGHPUT")?;
        // The first round takes the memory that all need.
        compiled.time()?;
        sizes.push((f64::INFINITY, compiled));
    }
    let started = Instant::now();
    for turn in 0..MOST_TURNS {
        if turn >= FEWEST_TURNS && started.elapsed() > PATIENCE {
            break;
        }
        for (least, compiled) in &mut sizes {
            let seconds = compiled.time()?.as_secs_f64() / compiled.batch as f64;
            *least = least.min(seconds);
        }
    }
    let best = sizes.into_iter().reduce(|best, next| if next.0 < best.0 * CLEARLY { next } else { best });
    Ok(best.expect("there is a size to try").1)
}

impl Compiled {
    fn new(
        core: &mut Core,
        model: &mut Model,
        batch: usize,
        side: usize,
        hint: &str,
    ) -> Result<Self, EngineError> {
        core.set_property(&DeviceType::CPU, &RwPropertyKey::HintPerformanceMode, hint)?;
        let [pictures, side] = [batch, side].map(|length| i64::try_from(length).unwrap_or(i64::MAX));
        model.reshape_single_input(&PartialShape::new_static(4, &[pictures, side, side, 3])?)?;
        let mut model = core.compile_model(model, DeviceType::CPU)?;
        let streams = model.get_property(&PropertyKey::OptimalNumberOfInferRequests)?;
        let streams = streams.parse().unwrap_or(1).max(1);
        let requests = if batch == 1 { 1 } else { REQUESTS * streams };
        let requests = (0..requests).map(|_| model.create_infer_request()).collect::<Result<_, _>>()?;
        Ok(Self { batch, requests, next: 0, under_way: VecDeque::new(), _model: model })
    }

    /// Whether no further batch can be given before one has ended.
    fn is_full(&self) -> bool {
        self.under_way.len() == self.requests.len()
    }

    /// Whether there is a batch under way.
    fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Gives a batch to the next request; what these pictures do not fill of it keeps what was there.
    fn begin(&mut self, pictures: &Pictures) -> Result<(), InferenceError> {
        let request = &mut self.requests[self.next];
        let mut input = request.get_input_tensor()?;
        let bytes = input.get_raw_data_mut()?;
        let length = pictures.side() * pictures.side() * 3;
        for (index, place) in bytes.chunks_exact_mut(length).take(pictures.len()).enumerate() {
            place.copy_from_slice(pictures.get(index));
        }
        request.infer_async()?;
        self.under_way.push_back(pictures.len());
        self.next = (self.next + 1) % self.requests.len();
        Ok(())
    }

    /// Waits for the batch that has been under way for longest and gives its answers.
    fn end(&mut self) -> Result<Answers, InferenceError> {
        let requests = self.requests.len();
        let request = &mut self.requests[(self.next + requests - self.under_way.len()) % requests];
        request.wait(FOREVER)?;
        let count = self.under_way.pop_front().unwrap_or_default();
        let (classes, probabilities) = rows(request, PROBABILITIES, count)?;
        let (dimensions, embeddings) = rows(request, EMBEDDING, count)?;
        Ok(Answers::new(classes, dimensions, probabilities, embeddings))
    }

    /// Gives up what is under way.
    fn stop(&mut self) {
        self.under_way.clear();
        for request in &mut self.requests {
            _ = request.cancel();
            _ = request.wait(FOREVER);
        }
    }

    /// What a batch takes in a full round of all requests.
    fn time(&mut self) -> Result<Duration, EngineError> {
        let started = Instant::now();
        for request in &mut self.requests {
            request.infer_async()?;
        }
        for request in &mut self.requests {
            request.wait(FOREVER)?;
        }
        Ok(started.elapsed() / u32::try_from(self.requests.len()).unwrap_or(1))
    }
}

/// Longer than any batch takes, in milliseconds; OpenVINO refuses to wait without end.
const FOREVER: i64 = 24 * 3_600_000;

/// The network that reads pixels as they are decoded.
fn with_pixels(mut model: Model, side: usize) -> Result<Model, EngineError> {
    let side = i64::try_from(side).unwrap_or(i64::MAX);
    model.reshape_single_input(&PartialShape::new_static(4, &[1, 3, side, side])?)?;
    let pipeline = Pipeline::new(&model)?;
    let input = pipeline.get_input_info()?;
    let mut given = input.get_tensor_info()?;
    given.set_from(&Tensor::new(ElementType::U8, &Shape::new(&[1, side, side, 3])?)?)?;
    given.set_layout(Layout::new("NHWC")?)?;
    input.get_steps()?.convert_element_type(ElementType::F32)?;
    input.get_model_info()?.set_layout(Layout::new("NCHW")?)?;
    Ok(pipeline.build_new_model()?)
}

/// The width of an output, and its first `count` rows.
fn rows(request: &InferRequest, output: usize, count: usize) -> Result<(usize, Vec<f32>), InferenceError> {
    let tensor = request.get_output_tensor_by_index(output)?;
    let values = tensor.get_data::<f32>()?;
    let width = values.len() / usize::try_from(tensor.get_shape()?.get_dimensions()[0]).unwrap_or(1);
    Ok((width, values[..count * width].to_vec()))
}

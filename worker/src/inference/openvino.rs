//! The engine that runs networks with OpenVINO, on CPUs.
//!
//! A model's layers and weights become an ONNX file in memory, as the export makes it, which OpenVINO compiles twice:
//! for one picture on all processors, which answers soonest, and for small batches on several streams of their own
//! processors, which answers most per second (small, so that what flows between layers stays in the caches). Pixels go
//! in as they are, `u8` `[N, S, S, 3]`; they are normalised inside. The libraries are opened at run time, from where
//! the bootstrap or an installation puts them: see [`open`].

use std::ops::Range;
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

use super::engine::{Answers, Engine, EngineError, EngineInfo, ModelSpec};
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
        let many = fastest(&mut core, &mut model, spec.image_size)?;
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
        engine.pad_from = engine.measure_padding()?;
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
}

impl Engine for OpenVinoEngine {
    fn embed(&mut self, pictures: &Pictures) -> Result<Answers, EngineError> {
        self.embed_until(pictures, pictures.len(), &|| false)
    }

    /// Streams get their next batches while others are at work, whatever `most` says: nobody waits for more than what is
    /// under way.
    fn embed_until(
        &mut self,
        pictures: &Pictures,
        most: usize,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Answers, EngineError> {
        let (found, expected) = (pictures.side(), self.image_size);
        if found != expected {
            return Err(EngineError::OtherSize { found, expected });
        }
        let mut rows = Rows {
            probabilities: vec![0.0; pictures.len() * self.classes],
            embeddings: vec![0.0; pictures.len() * self.dimensions],
        };
        let left = pictures.len() % self.many.batch;
        let together = if left >= self.pad_from { pictures.len() } else { pictures.len() - left };
        let mut done =
            self.many.run(pictures, 0..together, &mut rows, &|done| done >= most && interrupted())?;
        if done == together {
            done += self.one.run(pictures, together..pictures.len(), &mut rows, &|_| false)?;
        }
        rows.probabilities.truncate(done * self.classes);
        rows.embeddings.truncate(done * self.dimensions);
        Ok(Answers::new(self.classes, self.dimensions, rows.probabilities, rows.embeddings))
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

/// Answers of all pictures, row after row.
struct Rows {
    probabilities: Vec<f32>,
    embeddings: Vec<f32>,
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
        Ok(Self { batch, requests, _model: model })
    }

    /// Answers the pictures of `range`, a batch a request, several requests at a time, and gives how many: all, unless it
    /// is to `end` when so many are answered or under way.
    fn run(
        &mut self,
        pictures: &Pictures,
        range: Range<usize>,
        rows: &mut Rows,
        end: &dyn Fn(usize) -> bool,
    ) -> Result<usize, EngineError> {
        let done = self.try_run(pictures, range, rows, end);
        if done.is_err() {
            // Nothing may be under way when the next pictures come.
            for request in &mut self.requests {
                _ = request.cancel();
                _ = request.wait(FOREVER);
            }
        }
        Ok(done?)
    }

    fn try_run(
        &mut self,
        pictures: &Pictures,
        range: Range<usize>,
        rows: &mut Rows,
        end: &dyn Fn(usize) -> bool,
    ) -> Result<usize, InferenceError> {
        let (size, requests) = (self.batch, self.requests.len());
        let part = |batch: usize| {
            let first = range.start + batch * size;
            first.min(range.end)..(first + size).min(range.end)
        };
        let mut batches = range.len().div_ceil(size);
        let (mut given, mut taken) = (0, 0);
        while taken < batches {
            if given < batches && given - taken < requests {
                if end(given * size) {
                    batches = given;
                    continue;
                }
                let request = &mut self.requests[given % requests];
                give(request, pictures, part(given))?;
                request.infer_async()?;
                given += 1;
            } else {
                let request = &mut self.requests[taken % requests];
                request.wait(FOREVER)?;
                take(request, part(taken), rows)?;
                taken += 1;
            }
        }
        Ok((batches * size).min(range.len()))
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

/// Puts pictures into a request; what is left of its batch keeps what was there.
fn give(request: &mut InferRequest, pictures: &Pictures, part: Range<usize>) -> Result<(), InferenceError> {
    let mut input = request.get_input_tensor()?;
    let bytes = input.get_raw_data_mut()?;
    let length = pictures.side() * pictures.side() * 3;
    for (place, picture) in part.enumerate() {
        bytes[place * length..][..length].copy_from_slice(pictures.get(picture));
    }
    Ok(())
}

/// Takes the answers of the pictures `part` out of a request that has ended.
fn take(request: &InferRequest, part: Range<usize>, rows: &mut Rows) -> Result<(), InferenceError> {
    for (output, all) in [(PROBABILITIES, &mut rows.probabilities), (EMBEDDING, &mut rows.embeddings)] {
        let tensor = request.get_output_tensor_by_index(output)?;
        let values = tensor.get_data::<f32>()?;
        let width = values.len() / usize::try_from(tensor.get_shape()?.get_dimensions()[0]).unwrap_or(1);
        all[part.start * width..part.end * width].copy_from_slice(&values[..part.len() * width]);
    }
    Ok(())
}

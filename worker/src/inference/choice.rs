//! Which engine runs a model: the fastest one that gives the network's own answers.
//!
//! Every engine of the device is loaded and timed on the same pictures when a model is loaded; libtorch in `f32` is the
//! reference that the others have to agree with. On a GPU libtorch runs the model, in `bf16` when that agrees and is faster.

use std::time::Instant;

use lookalike_shared::config::EngineChoice;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::engine::{Answers, Engine, EngineError, EngineInfo, Feed, ModelSpec, Proven};
use super::openvino::{self, OpenVinoEngine, arithmetics};
use super::torch::TorchEngine;
use crate::network::{Pictures, Precision};

/// The least cosine between the embeddings of two engines that count as agreeing.
pub const AGREEMENT: f32 = 0.999;

/// Batches that are timed; the fastest counts.
const TIMED: usize = 3;
/// Why most engines are chosen.
const FASTEST: &str = "the fastest of those measured";

/// An engine and why it was chosen.
struct Chosen {
    engine: Box<dyn Engine>,
    pictures_per_second: Option<f64>,
    reason: String,
}

/// The engine that is likely to run models: which one does is found out for each.
pub fn preferred(device: Device, wanted: EngineChoice) -> &'static str {
    let torch = device.is_cuda() || wanted == EngineChoice::Torch || openvino::open().is_err();
    if torch { "torch" } else { "openvino" }
}

/// Loads a model into the engine that suits it.
///
/// # Errors
/// No engine that `wanted` allows can run it; the reference's reason first.
pub fn load(
    spec: &ModelSpec,
    device: Device,
    wanted: EngineChoice,
    batch: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    if !device.is_cuda() && wanted == EngineChoice::Torch {
        return Ok(Box::new(TorchEngine::load(spec, device)?));
    }
    if let Some(engine) = spec.proven.as_ref().filter(|_| wanted == EngineChoice::Auto)
        && let Some(proven) = load_proven(spec, device, engine)
    {
        return Ok(Box::new(proven));
    }
    let sample = noise(spec.image_size, batch)?;
    let (torch, reference) = timed(Box::new(TorchEngine::load(spec, device)?), &sample, "")?;
    if device.is_cuda() {
        let half = TorchEngine::load_in(spec, device, Precision::Bf16);
        let half =
            agreeing(half.map(|engine| Box::new(engine) as _), "libtorch in bf16", &sample, &reference);
        return Ok(Box::new(fastest(torch, half)));
    }
    let mut best = Err("OpenVINO has no arithmetic for this processor".to_owned());
    for arithmetic in arithmetics().inspect_err(|error| best = Err(error.to_string())).unwrap_or_default() {
        let name = format!("OpenVINO in {}", arithmetic.as_str());
        let loaded = OpenVinoEngine::load(spec, arithmetic).map(|engine| Box::new(engine) as _);
        best = agreeing(loaded, &name, &sample, &reference);
        // The fastest comes first: what is slower by far need not be compiled.
        let is_faster = |found: &Chosen| found.pictures_per_second > torch.pictures_per_second;
        if best.as_ref().is_ok_and(|found| wanted == EngineChoice::OpenVino || is_faster(found)) {
            break;
        }
    }
    match (wanted, best) {
        (EngineChoice::OpenVino, best) => Ok(Box::new(best.map_err(EngineError::NoOpenVino)?)),
        (_, best) => Ok(Box::new(fastest(torch, best))),
    }
}

/// The engine that was chosen before, without measuring it again: a worker that starts anew answers so much sooner. None
/// when it cannot be loaded any more.
fn load_proven(spec: &ModelSpec, device: Device, proven: &Proven) -> Option<Chosen> {
    let engine: Box<dyn Engine> = match proven.engine.as_str() {
        "torch" => {
            let precision = match proven.precision.as_str() {
                "f32" => Precision::F32,
                "bf16" => Precision::Bf16,
                _ => return None,
            };
            Box::new(TorchEngine::load_in(spec, device, precision).ok()?)
        }
        "openvino" => {
            let known = arithmetics().ok()?.into_iter().find(|known| known.as_str() == proven.precision)?;
            Box::new(OpenVinoEngine::load_tuned(spec, known, proven.tuning).ok()?)
        }
        _ => return None,
    };
    let pictures_per_second = proven.pictures_per_second;
    Some(Chosen { engine, pictures_per_second, reason: FASTEST.to_owned() })
}

/// The reference, or what agrees with it and is faster.
fn fastest(reference: Chosen, other: Result<Chosen, String>) -> Chosen {
    match other {
        Ok(other) if other.pictures_per_second > reference.pictures_per_second => other,
        Ok(_) => Chosen { reason: FASTEST.to_owned(), ..reference },
        Err(reason) => Chosen { reason, ..reference },
    }
}

/// An engine with its rate, if it answers as the reference does.
fn agreeing(
    loaded: Result<Box<dyn Engine>, EngineError>,
    name: &str,
    sample: &Pictures,
    reference: &Answers,
) -> Result<Chosen, String> {
    let loaded = loaded.map_err(|error| error.to_string())?;
    let (chosen, answers) = timed(loaded, sample, FASTEST).map_err(|error| error.to_string())?;
    let agreement = agreement(&answers, reference);
    if agreement < AGREEMENT {
        return Err(format!("{name} agrees with libtorch in f32 to {agreement:.5} only"));
    }
    Ok(chosen)
}

/// An engine with its rate, and what it answers.
fn timed(
    mut engine: Box<dyn Engine>,
    sample: &Pictures,
    reason: &str,
) -> Result<(Chosen, Answers), EngineError> {
    // The first batch is slow and takes the memory that all need.
    let answers = engine.embed(sample)?;
    let mut best = f64::INFINITY;
    for _ in 0..TIMED {
        let started = Instant::now();
        engine.embed(sample)?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    let rate = Some(sample.len() as f64 / best);
    Ok((Chosen { engine, pictures_per_second: rate, reason: reason.to_owned() }, answers))
}

/// The least cosine between embeddings of the same picture: both have length 1.
fn agreement(found: &Answers, expected: &Answers) -> f32 {
    let cosine = |picture| -> f32 {
        found.embedding(picture).iter().zip(expected.embedding(picture)).map(|(a, b)| a * b).sum()
    };
    let least = (0..expected.len()).map(cosine).fold(f32::INFINITY, f32::min);
    // An embedding of zeroes, or of no numbers, agrees with nothing.
    if least.is_nan() { 0.0 } else { least }
}

/// Pictures of coarse random patches: unlike black ones they excite a network, unlike fine noise they look like something.
fn noise(side: usize, count: usize) -> Result<Pictures, EngineError> {
    const PATCH: usize = 16;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut pixels = vec![0; count * side * side * 3];
    for picture in pixels.chunks_exact_mut(side * side * 3) {
        let mut patches = vec![0; side.div_ceil(PATCH).pow(2) * 3];
        rng.fill_bytes(&mut patches);
        for (place, pixel) in picture.chunks_exact_mut(3).enumerate() {
            let patch = place / side / PATCH * side.div_ceil(PATCH) + place % side / PATCH;
            pixel.copy_from_slice(&patches[3 * patch..][..3]);
        }
    }
    Ok(Pictures::new(side, pixels).expect("a whole number of pictures"))
}

impl Engine for Chosen {
    fn run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError> {
        self.engine.run(feed)
    }

    fn describe(&self) -> EngineInfo {
        EngineInfo {
            pictures_per_second: self.pictures_per_second,
            reason: Some(self.reason.clone()),
            ..self.engine.describe()
        }
    }
}

//! Which engine runs a model: the fastest one that gives the network's own answers.
//!
//! On a CPU every engine is loaded and timed on the same pictures when a model is loaded; libtorch in `f32` is the
//! reference that the others have to agree with. On a GPU libtorch runs the model.

use std::time::Instant;

use lookalike_shared::config::EngineChoice;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::engine::{Answers, Engine, EngineError, EngineInfo, ModelSpec};
use super::openvino::{self, Arithmetic, OpenVinoEngine, arithmetics};
use super::torch::TorchEngine;
use crate::network::Pictures;

/// The least cosine between the embeddings of two engines that count as agreeing.
pub const AGREEMENT: f32 = 0.999;

/// Batches that are timed; the fastest counts.
const TIMED: usize = 3;

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
    if device.is_cuda() || wanted == EngineChoice::Torch {
        return Ok(Box::new(TorchEngine::load(spec, device)?));
    }
    let sample = noise(spec.image_size, batch)?;
    let (torch, reference) = timed(Box::new(TorchEngine::load(spec, device)?), &sample, "")?;
    let mut best = Chosen { reason: String::new(), ..torch };
    let mut refused = Vec::new();
    for arithmetic in arithmetics().unwrap_or_else(|error| {
        refused.push(error.to_string());
        Vec::new()
    }) {
        match in_openvino(spec, arithmetic, &sample, &reference) {
            Ok(found) if wanted == EngineChoice::OpenVino => return Ok(Box::new(found)),
            // The fastest comes first: what is slower by far need not be compiled.
            Ok(found) if found.pictures_per_second > best.pictures_per_second => {
                best = found;
                break;
            }
            Ok(_) => {}
            Err(reason) => refused.push(reason),
        }
    }
    if wanted == EngineChoice::OpenVino {
        return Err(EngineError::NoOpenVino(refused.join("; ")));
    }
    if best.reason.is_empty() {
        best.reason = match refused.is_empty() {
            true => "the fastest of those measured".to_owned(),
            false => refused.join("; "),
        };
    }
    Ok(Box::new(best))
}

/// A model in OpenVINO, if it answers as the reference does.
fn in_openvino(
    spec: &ModelSpec,
    arithmetic: Arithmetic,
    sample: &Pictures,
    reference: &Answers,
) -> Result<Chosen, String> {
    let loaded = OpenVinoEngine::load(spec, arithmetic).map_err(|error| error.to_string())?;
    let (chosen, answers) = timed(Box::new(loaded), sample, "the fastest of those measured")
        .map_err(|error| error.to_string())?;
    let agreement = agreement(&answers, reference);
    if agreement < AGREEMENT {
        let precision = arithmetic.as_str();
        return Err(format!("OpenVINO in {precision} agrees with libtorch to {agreement:.5} only"));
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
    fn embed(&mut self, pictures: &Pictures) -> Result<Answers, EngineError> {
        self.engine.embed(pictures)
    }

    fn describe(&self) -> EngineInfo {
        EngineInfo {
            pictures_per_second: self.pictures_per_second,
            reason: Some(self.reason.clone()),
            ..self.engine.describe()
        }
    }
}

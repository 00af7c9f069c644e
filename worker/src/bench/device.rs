//! Decoding and forward passes, on their own.

use std::sync::Arc;
use std::time::Instant;

use lookalike_shared::config::EngineChoice;
use rayon::prelude::*;

use super::report::{Report, percentile};
use super::stage::{IMAGE_SIZE, Stage};
use crate::inference::{Engine, Inference, ModelSpec, Options, Priority, TorchEngine, load_engine};
use crate::network::Pictures;
use crate::picture::{Limits, decode, prepare, read_picture};

/// Single pictures that are timed.
const SINGLES: usize = 50;
/// Turns that engines take, one after the other; the median of each counts.
const TURNS: usize = 5;
/// Pictures of a turn.
const TURN: usize = 128;

/// What the machine can do at most.
pub struct Figures {
    /// Pictures per second through decoding and resizing, all processors busy.
    pub decode_rate: f64,
    /// Pictures per second through the engine in full batches.
    pub forward_rate: f64,
    /// Decoding one picture, median, in milliseconds.
    pub decode_ms: f64,
    /// A forward pass of one picture, median, in milliseconds.
    pub forward_ms: f64,
    /// The same network as a second one: AlexNet.
    pub alexnet_rate: f64,
    /// Whether decoding and forward passes share processors.
    pub shared: bool,
}

impl Figures {
    /// The most pictures per second that can be both decoded and embedded.
    pub fn index_rate(&self) -> f64 {
        self.index_rate_at(self.forward_rate)
    }

    /// The same for a network of another rate.
    pub fn index_rate_at(&self, forward_rate: f64) -> f64 {
        if self.shared {
            return 1.0 / (1.0 / self.decode_rate + 1.0 / forward_rate);
        }
        self.decode_rate.min(forward_rate)
    }
}

/// Times decoding and the engines, and the inference thread against the engine.
pub async fn measure(stage: &Stage, report: &mut Report) -> anyhow::Result<Figures> {
    let files = stage.files.clone();
    let (decode_rate, read_rate, decode_ms, pixels) =
        tokio::task::spawn_blocking(move || decoding(&files)).await??;
    report.limit("decode_rate", decode_rate, "pictures/s");
    report.row(
        "read_rate",
        read_rate,
        "pictures/s",
        decode_rate,
        "decoding alone, without hashes and thumbnails",
    );
    let pictures = Pictures::new(IMAGE_SIZE as usize, pixels)?;
    let (forward_rate, forward_ms) = forward(stage, &stage.model, "forward_rate", &pictures, report).await?;
    let (alexnet_rate, _) = forward(stage, &stage.alexnet, "forward_rate.alexnet", &pictures, report).await?;
    report.limit("forward.engine.single", forward_ms, "ms");
    let shared = !stage.chosen.device.is_cuda();
    let figures = Figures { decode_rate, forward_rate, decode_ms, forward_ms, alexnet_rate, shared };

    let inference = Inference::start(stage.chosen.device, Options::for_device(stage.chosen.device))?;
    inference.prepare(&stage.model, Priority::Bulk).await?;
    let started = Instant::now();
    inference.embed(&stage.model, pictures.clone(), Priority::Bulk).await?;
    let rate = pictures.len() as f64 / started.elapsed().as_secs_f64();
    report.row("forward.inference", rate, "pictures/s", forward_rate, "the engine alone");
    Ok(figures)
}

/// The engine that is chosen against libtorch in `f32`: pictures per second in full batches, and milliseconds for one.
async fn forward(
    stage: &Stage,
    model: &Arc<ModelSpec>,
    name: &str,
    pictures: &Pictures,
    report: &mut Report,
) -> anyhow::Result<(f64, f64)> {
    let (device, model, pictures) = (stage.chosen.device, model.clone(), pictures.clone());
    let timed = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let batch = Options::for_device(device).max_batch;
        let mut torch = TorchEngine::load(&model, device)?;
        let mut chosen = load_engine(&model, device, EngineChoice::Auto, batch)?;
        let (mut torch_rates, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            torch_rates.push(rate(&mut torch, &pictures, batch)?);
            rates.push(rate(&mut *chosen, &pictures, batch)?);
        }
        let mut singles = Vec::new();
        for picture in 0..SINGLES.min(pictures.len()) {
            let started = Instant::now();
            chosen.embed(&pictures.slice(picture, 1))?;
            singles.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let middle = |rates: &mut Vec<f64>| percentile(rates, 0.5);
        Ok((middle(&mut rates), middle(&mut torch_rates), middle(&mut singles), chosen.describe()))
    });
    let (rate, torch_rate, single_ms, info) = timed.await??;
    tracing::info!(engine = info.engine, precision = info.precision, reason = info.reason, "{name}");
    report.row(name, rate, "pictures/s", torch_rate, "libtorch in f32: more is better");
    Ok((rate, single_ms))
}

/// Pictures per second of one turn, in full batches.
fn rate(engine: &mut dyn Engine, pictures: &Pictures, batch: usize) -> anyhow::Result<f64> {
    let count = TURN.min(pictures.len()) / batch * batch;
    let started = Instant::now();
    for first in (0..count).step_by(batch) {
        engine.embed(&pictures.slice(first, batch))?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Pictures per second decoded and resized, the same with all that indexing keeps of them, milliseconds for one, and the
/// prepared pixels of all.
fn decoding(files: &Arc<Vec<bytes::Bytes>>) -> anyhow::Result<(f64, f64, f64, Vec<u8>)> {
    let limits = Limits::default();
    let one =
        |file: &bytes::Bytes| -> anyhow::Result<Vec<u8>> { Ok(prepare(&decode(file, &limits)?, IMAGE_SIZE)) };
    let pixels = files.par_iter().map(one).collect::<Result<Vec<_>, _>>()?.concat();
    let (mut rates, mut read_rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let started = Instant::now();
        files.par_iter().try_for_each(|file| one(file).map(|pixels| drop(std::hint::black_box(pixels))))?;
        rates.push(files.len() as f64 / started.elapsed().as_secs_f64());
        let started = Instant::now();
        files.par_iter().try_for_each(|file| -> anyhow::Result<()> {
            std::hint::black_box(read_picture(file, &limits, IMAGE_SIZE)?);
            Ok(())
        })?;
        read_rates.push(files.len() as f64 / started.elapsed().as_secs_f64());
    }
    let mut singles = Vec::new();
    for file in files.iter().take(SINGLES) {
        let started = Instant::now();
        std::hint::black_box(one(file)?);
        singles.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let middle = |rates: &mut Vec<f64>| percentile(rates, 0.5);
    Ok((middle(&mut rates), middle(&mut read_rates), middle(&mut singles), pixels))
}

//! Decoding and forward passes, on their own.

use std::sync::Arc;
use std::time::Instant;

use lookalike_shared::config::EngineChoice;
use rayon::prelude::*;

use super::report::{Report, percentile};
use super::stage::{IMAGE_SIZE, Stage};
use crate::inference::{Engine, Inference, ModelSpec, Options, Priority, TorchEngine, Whole, load_engine};
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
    /// Decoding one picture, median, in milliseconds.
    pub decode_ms: f64,
    /// A forward pass of one picture, median, in milliseconds.
    pub forward_ms: f64,
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
    forward(stage, &stage.alexnet, "forward_rate.alexnet", &pictures, report).await?;
    report.limit("forward.engine.single", forward_ms, "ms");
    let figures = Figures { decode_ms, forward_ms };

    let inference = Inference::start(stage.chosen.device, Options::for_device(stage.chosen.device))?;
    inference.prepare(&stage.model, Priority::Bulk).await?;
    let started = Instant::now();
    inference.embed(&stage.model, pictures.clone(), Priority::Bulk).await?;
    let rate = pictures.len() as f64 / started.elapsed().as_secs_f64();
    report.row("forward.inference", rate, "pictures/s", forward_rate, "the engine alone");
    Ok(figures)
}

/// The most pictures per second that can be decoded at one rate and embedded at another.
fn both(stage: &Stage, decode_rate: f64, forward_rate: f64) -> f64 {
    if stage.chosen.device.is_cuda() {
        return decode_rate.min(forward_rate);
    }
    1.0 / (1.0 / decode_rate + 1.0 / forward_rate)
}

/// The most pictures per second that can be both decoded and embedded now: what a virtual machine is given changes within
/// minutes, so whoever compares measures again just before and just after.
pub async fn index_rate(stage: &Stage, model: &Arc<ModelSpec>) -> anyhow::Result<f64> {
    let (device, files, model) = (stage.chosen.device, stage.files.clone(), model.clone());
    let timed = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let files = &files[..files.len().min(TURNS * TURN)];
        let pixels =
            files[..files.len().min(TURN)].par_iter().map(prepared).collect::<Result<Vec<_>, _>>()?;
        let pictures = Pictures::new(IMAGE_SIZE as usize, pixels.concat())?;
        let batch = Options::for_device(device).max_batch;
        let mut engine = load_engine(&model, device, EngineChoice::Auto, batch)?;
        let (mut decode_rates, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            decode_rates.push(pass(files, prepared)?);
            rates.push(rate(&mut *engine, &pictures, batch)?);
        }
        Ok((percentile(&mut decode_rates, 0.5), percentile(&mut rates, 0.5)))
    });
    let (decode_rate, forward_rate) = timed.await??;
    Ok(both(stage, decode_rate, forward_rate))
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
    let pictures = pictures.slice(0, TURN / batch * batch);
    let started = Instant::now();
    engine.run(&mut Whole::new(&pictures, batch))?;
    Ok(pictures.len() as f64 / started.elapsed().as_secs_f64())
}

/// A network's input from a file.
fn prepared(file: &bytes::Bytes) -> anyhow::Result<Vec<u8>> {
    Ok(prepare(&decode(file, &Limits::default())?, IMAGE_SIZE))
}

/// Files per second that all processors get through.
fn pass<T>(
    files: &[bytes::Bytes],
    work: impl Fn(&bytes::Bytes) -> anyhow::Result<T> + Send + Sync,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    files.par_iter().try_for_each(|file| work(file).map(|made| drop(std::hint::black_box(made))))?;
    Ok(files.len() as f64 / started.elapsed().as_secs_f64())
}

/// Pictures per second decoded and resized, the same with all that indexing keeps of them, milliseconds for one, and the
/// prepared pixels of all.
fn decoding(files: &Arc<Vec<bytes::Bytes>>) -> anyhow::Result<(f64, f64, f64, Vec<u8>)> {
    let limits = Limits::default();
    let pixels = files.par_iter().map(prepared).collect::<Result<Vec<_>, _>>()?.concat();
    let (mut rates, mut read_rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        rates.push(pass(files, prepared)?);
        read_rates.push(pass(files, |file| Ok(read_picture(file, &limits, IMAGE_SIZE)?))?);
    }
    let mut singles = Vec::new();
    for file in files.iter().take(SINGLES) {
        let started = Instant::now();
        std::hint::black_box(prepared(file)?);
        singles.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let middle = |rates: &mut Vec<f64>| percentile(rates, 0.5);
    Ok((middle(&mut rates), middle(&mut read_rates), middle(&mut singles), pixels))
}

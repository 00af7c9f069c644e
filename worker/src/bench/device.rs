//! Decoding and forward passes, on their own.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::report::{Report, percentile};
use super::stage::{IMAGE_SIZE, Stage};
use crate::indexing::THUMBNAIL_SIDE;
use crate::inference::{Engine, Inference, Options, Priority, TorchEngine};
use crate::network::Pictures;
use crate::picture::{Limits, content_hash, decode, prepare, thumbnail};

/// Single pictures that are timed.
const SINGLES: usize = 50;

/// What the machine can do at most.
pub struct Figures {
    /// Pictures per second through decoding, resizing, hashing and thumbnails, all processors busy.
    pub decode_rate: f64,
    /// Pictures per second through the engine in full batches.
    pub forward_rate: f64,
    /// Decoding one picture, median, in milliseconds.
    pub decode_ms: f64,
    /// A forward pass of one picture, median, in milliseconds.
    pub forward_ms: f64,
    /// Whether decoding and forward passes share processors.
    pub shared: bool,
}

impl Figures {
    /// The most pictures per second that can be both decoded and embedded.
    pub fn index_rate(&self) -> f64 {
        if self.shared {
            return 1.0 / (1.0 / self.decode_rate + 1.0 / self.forward_rate);
        }
        self.decode_rate.min(self.forward_rate)
    }
}

/// Times decoding and the engine, and the inference thread against the engine.
pub async fn measure(stage: &Stage, report: &mut Report) -> anyhow::Result<Figures> {
    let files = stage.files.clone();
    let (decode_rate, decode_ms, pixels) = tokio::task::spawn_blocking(move || decoding(&files)).await??;
    let pictures = Pictures::new(IMAGE_SIZE as usize, pixels)?;
    let batch = Options::for_device(stage.chosen.device).max_batch;
    let mut engine = TorchEngine::load(&stage.model, stage.chosen.device)?;
    let all = pictures.clone();
    let (forward_rate, forward_ms) =
        tokio::task::spawn_blocking(move || forwarding(&mut engine, &all, batch)).await??;
    let shared = !stage.chosen.device.is_cuda();
    let figures = Figures { decode_rate, forward_rate, decode_ms, forward_ms, shared };
    report.limit("picture.decode", decode_rate, "pictures/s");
    report.limit("forward.engine", forward_rate, "pictures/s");
    report.limit("forward.engine.single", forward_ms, "ms");

    let inference = Inference::start(stage.chosen.device, Options::for_device(stage.chosen.device))?;
    inference.prepare(&stage.model, Priority::Bulk).await?;
    let started = Instant::now();
    inference.embed(&stage.model, pictures.clone(), Priority::Bulk).await?;
    let rate = pictures.len() as f64 / started.elapsed().as_secs_f64();
    report.row("forward.inference", rate, "pictures/s", forward_rate, "the engine alone");
    Ok(figures)
}

/// Pictures per second, milliseconds for one, and the prepared pixels of all.
fn decoding(files: &Arc<Vec<bytes::Bytes>>) -> anyhow::Result<(f64, f64, Vec<u8>)> {
    let limits = Limits::default();
    let one = |file: &bytes::Bytes| -> anyhow::Result<Vec<u8>> {
        let picture = decode(file, &limits)?;
        std::hint::black_box((content_hash(file), thumbnail(&picture, THUMBNAIL_SIDE)?));
        Ok(prepare(&picture, IMAGE_SIZE))
    };
    let started = Instant::now();
    let pixels = files.par_iter().map(one).collect::<Result<Vec<_>, _>>()?.concat();
    let rate = files.len() as f64 / started.elapsed().as_secs_f64();
    let mut singles = Vec::new();
    for file in files.iter().take(SINGLES) {
        let started = Instant::now();
        std::hint::black_box(prepare(&decode(file, &limits)?, IMAGE_SIZE));
        singles.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((rate, percentile(&mut singles, 0.5), pixels))
}

/// Pictures per second in full batches, and milliseconds for one.
fn forwarding(engine: &mut TorchEngine, pictures: &Pictures, batch: usize) -> anyhow::Result<(f64, f64)> {
    engine.embed(&pictures.slice(0, batch))?;
    let started = Instant::now();
    for first in (0..pictures.len()).step_by(batch) {
        engine.embed(&pictures.slice(first, batch))?;
    }
    let rate = pictures.len() as f64 / started.elapsed().as_secs_f64();
    let mut singles = Vec::new();
    for picture in 0..SINGLES.min(pictures.len()) {
        let started = Instant::now();
        engine.embed(&pictures.slice(picture, 1))?;
        singles.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((rate, percentile(&mut singles, 0.5)))
}

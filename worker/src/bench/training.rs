//! Training: the step itself in its variants, what the pipeline around it costs, and what an epoch costs beside steps.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use lookalike_shared::domain::backbone;
use lookalike_shared::jobs::Train;
use rayon::prelude::*;
use serde_json::{from_value, json};

use super::report::Report;
use super::stage::{BACKBONE, CLASSES, IMAGE_SIZE, Stage};
use crate::jobs::Recipe;
use crate::network::{Network, Pictures, Precision};
use crate::picture::{Limits, decode, prepare};
use crate::training::{
    self, Dataset, EpochRow, Labelled, Observer, OptimizerKind, PrecisionChoice, Progress, Snapshot,
    TrainConfig,
};

/// Pictures in a step.
const BATCH: usize = 64;
/// Steps of each variant that are timed.
const STEPS: u32 = 6;
/// Epochs through the pipeline; the first one warms up.
const EPOCHS: u32 = 4;

/// Measures everything about training; `plain` is the program of a step as it comes out of the box.
pub async fn measure(stage: &Stage, plain: Option<&Path>, report: &mut Report) -> anyhow::Result<()> {
    let device = stage.chosen.device;
    let name = if device.is_cuda() { "cuda" } else { "cpu" };
    let files = stage.files.clone();
    let plain = plain.map(Path::to_owned);
    let rows = tokio::task::spawn_blocking(move || {
        let (dataset, decode_rate) = dataset(&files)?;
        let mut rows = Report::default();
        rows.limit("decode_rate", decode_rate, "pictures/s");
        let out_of_the_box = plain.map(|plain| plain_rate(&plain, name)).transpose()?;
        training_rows(&dataset, device, out_of_the_box, &mut rows)?;
        Ok::<_, anyhow::Error>(rows)
    });
    report.extend(rows.await??);
    Ok(())
}

/// Decodes all pictures as training stores them, and says how fast.
fn dataset(files: &[bytes::Bytes]) -> anyhow::Result<(Dataset, f64)> {
    let side = Dataset::stored_side(IMAGE_SIZE as usize);
    let (limits, size) = (Limits::default(), u32::try_from(side)?);
    let started = Instant::now();
    let decoded: Result<Vec<Vec<u8>>, _> = files
        .par_iter()
        .map(|file| Ok::<_, crate::picture::PictureError>(prepare(&decode(file, &limits)?, size)))
        .collect();
    let decoded = decoded?;
    let rate = files.len() as f64 / started.elapsed().as_secs_f64();
    let part = |pictures: &[Vec<u8>]| -> anyhow::Result<Labelled> {
        let labels = (0..pictures.len() as u32).map(|number| number % CLASSES).collect();
        Ok(Labelled { pictures: Pictures::new(side, pictures.concat())?, labels })
    };
    let (validation, train) = decoded.split_at(BATCH.min(decoded.len() / 4));
    // Whole steps only, so that batches are as large as the one that is timed on its own.
    let train = &train[..train.len() / BATCH * BATCH];
    Ok((Dataset::new(CLASSES as usize, IMAGE_SIZE as usize, part(train)?, part(validation)?)?, rate))
}

/// Pictures per second of the plain step, in a process of its own.
fn plain_rate(program: &Path, device: &str) -> anyhow::Result<f64> {
    let arguments = [device, &BATCH.to_string(), &IMAGE_SIZE.to_string(), "2"];
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("{} said {text:?}, no number", program.display()))
}

fn training_rows(
    dataset: &Dataset,
    device: tch::Device,
    plain: Option<f64>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let network = || {
        Network::new(backbone::by_name(BACKBONE)?, CLASSES as usize, 1, device).map_err(anyhow::Error::from)
    };
    let usual: Train = from_value(json!({"model": "bench", "dataset": {"source": "bench"}}))?;
    let config = TrainConfig {
        epochs: EPOCHS,
        batch_size: BATCH,
        optimizer: OptimizerKind::Sgd,
        learning_rate: 1e-3,
        ..Recipe::of(&usual, None)?.config
    };
    report.limit("augment_rate", training::augment_rate(&network()?, dataset, &config)?, "pictures/s");
    let mut raw = f64::NAN;
    let mut precision = Precision::F32;
    for (name, numbers) in [("train.step.f32", Precision::F32), ("train.step.bf16", Precision::Bf16)] {
        let rate = training::step_rate(&mut network()?, dataset, &config, numbers, STEPS)?;
        match plain {
            Some(plain) => report.row(name, rate, "pictures/s", plain, "the same step out of the box"),
            None => report.limit(name, rate, "pictures/s"),
        }
        if raw.is_nan() || rate > raw {
            (raw, precision) = (rate, numbers);
        }
    }
    if let Some(plain) = plain {
        report.row(
            "train_step_speedup",
            raw / plain,
            "",
            1.0,
            "tch's own network, 32 bits, the system's allocator",
        );
    }
    let choice = if precision == Precision::F32 { PrecisionChoice::F32 } else { PrecisionChoice::Bf16 };
    let config = TrainConfig { precision: choice, ..config };
    let mut alone = || Ok(training::step_rate(&mut network()?, dataset, &config, precision, STEPS)?);
    let mut watch = Watch { alone: &mut alone, rates: Vec::new(), rows: Vec::new(), checkpoint_ms: f64::NAN };
    training::train(&mut network()?, dataset, &config, None, &mut watch)?;
    let Watch { rates, rows, checkpoint_ms, .. } = watch;
    let rates = rates.into_iter().collect::<anyhow::Result<Vec<f64>>>()?;
    let warm = &rows[1..];
    let mean = |of: fn(&EpochRow) -> f64| warm.iter().map(of).sum::<f64>() / warm.len() as f64;
    // Each epoch beside the steps before and after it: machines are not always as fast as they were.
    let beside = rates.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    let mut ratios: Vec<f64> =
        warm.iter().zip(beside).map(|(row, raw)| row.images_per_second / raw).collect();
    ratios.sort_by(f64::total_cmp);
    let rate = mean(|row| row.images_per_second);
    let raw = rates.iter().sum::<f64>() / rates.len() as f64;
    report.row("train.pipeline", rate, "pictures/s", raw, "the step alone, pictures on the device already");
    report.row("train_step_ratio", ratios[ratios.len() / 2], "", 1.0, "nothing but steps: median of epochs");
    report.limit("loader_wait_share", mean(|row| row.loader_wait_share), "");
    let pictures = dataset.train().labels.len() as f64;
    let validating = warm.iter().map(|row| row.seconds - pictures / row.images_per_second).sum::<f64>();
    report.limit("train.validation", validating / warm.len() as f64 * 1e3, "ms");
    report.limit("train.checkpoint", checkpoint_ms, "ms");
    Ok(())
}

/// Keeps the rows, times a checkpoint, and after each epoch measures steps alone.
struct Watch<'a> {
    alone: &'a mut dyn FnMut() -> anyhow::Result<f64>,
    /// Pictures per second of steps alone, after each epoch.
    rates: Vec<anyhow::Result<f64>>,
    rows: Vec<EpochRow>,
    checkpoint_ms: f64,
}

impl Observer for Watch<'_> {
    fn progress(&mut self, _progress: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()> {
        let started = Instant::now();
        if snapshot.checkpoint().is_ok() {
            self.checkpoint_ms = started.elapsed().as_secs_f64() * 1e3;
        }
        self.rows.push(row.clone());
        self.rates.push((self.alone)());
        ControlFlow::Continue(())
    }
}

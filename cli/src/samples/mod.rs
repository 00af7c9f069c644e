//! Labelled sample pictures, drawn by code: enough to train on, index and search without any other data.
//!
//! Ten classes of drawn motifs. What tells the classes apart is the motif's shape alone: colours,
//! backgrounds, sizes, positions and turns come from the same distributions in all of them. Each picture
//! depends only on the seed, its set, its class and its number, so the same options give the same bytes on
//! every run, and asking for more pictures leaves the earlier ones as they were.

mod motif;
mod palette;
mod scene;
#[cfg(test)]
mod tests;

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use motif::Motif;
use scene::Scene;

/// What to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOptions {
    /// Pictures of each class, set by set.
    pub per_class: SetSizes,
    /// Shortest and longest side of a picture, in pixels, at least 32; width and height are drawn apart.
    pub side: RangeInclusive<u32>,
    /// Pictures of different seeds have nothing in common but their classes.
    pub seed: u64,
}

/// Pictures of each class in the three sets that a retrieval system needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetSizes {
    /// To train a model on.
    pub train: u32,
    /// To index and search in.
    pub gallery: u32,
    /// To search with.
    pub queries: u32,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { per_class: SetSizes { train: 120, gallery: 60, queries: 6 }, side: 96..=220, seed: 1 }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleReport {
    /// Number of classes, one folder each.
    pub classes: usize,
    /// Number of picture files.
    pub pictures: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
}

/// Writes JPEG pictures to `<dir>/{train,gallery,queries}/<class>/NNN.jpg`, one thread per class.
///
/// Files of the same name are replaced; nothing else in `dir` is touched.
///
/// # Errors
/// When `side` is empty or below 32 pixels, or a folder or file cannot be written.
pub fn write_samples(dir: &Path, options: &SampleOptions) -> Result<SampleReport> {
    let (low, high) = (*options.side.start(), *options.side.end());
    ensure!(
        32 <= low && low <= high,
        "sides from {low} to {high} pixels: give a range that starts at 32 or more"
    );
    let written = thread::scope(|scope| {
        let classes = Motif::ALL.map(|motif| scope.spawn(move || write_class(dir, motif, options)));
        classes.map(|class| class.join().expect("drawing does not panic"))
    });
    let mut report = SampleReport { classes: Motif::ALL.len(), ..SampleReport::default() };
    for bytes in written {
        report.bytes += bytes?;
    }
    let SetSizes { train, gallery, queries } = options.per_class;
    report.pictures = u64::from(train + gallery + queries) * Motif::ALL.len() as u64;
    Ok(report)
}

/// Writes the three sets of one class; returns the number of bytes.
fn write_class(dir: &Path, motif: Motif, options: &SampleOptions) -> Result<u64> {
    let SetSizes { train, gallery, queries } = options.per_class;
    let mut bytes = 0;
    for (set, (name, count)) in
        [("train", train), ("gallery", gallery), ("queries", queries)].iter().enumerate()
    {
        let folder = dir.join(name).join(motif.name());
        fs::create_dir_all(&folder).with_context(|| format!("cannot create folder {}", folder.display()))?;
        for number in 0..*count {
            let path = folder.join(format!("{number:03}.jpg"));
            let picture = picture(motif, options, [set as u64, u64::from(number)])?;
            fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
            bytes += picture.len() as u64;
        }
    }
    Ok(bytes)
}

/// The JPEG at one place (set, number) of one class.
fn picture(motif: Motif, options: &SampleOptions, place: [u64; 2]) -> Result<Vec<u8>> {
    let mut rng = generator([options.seed, motif as u64, place[0], place[1]]);
    let image = Scene::random(motif, &options.side, &mut rng).render(&mut rng);
    let quality = rng.random_range(85..=90);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(&image, image.width(), image.height(), ExtendedColorType::Rgb8)
        .context("cannot encode a sample picture")?;
    Ok(file)
}

/// A generator of its own for each key, so that no picture depends on another.
fn generator(key: [u64; 4]) -> ChaCha8Rng {
    let mut seed = [0; 32];
    for (place, part) in seed.chunks_exact_mut(8).zip(key) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(seed)
}

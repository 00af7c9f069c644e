//! The pictures of a run, decoded once into memory.

use std::collections::BTreeMap;

use lookalike_shared::db::items::{NewItem, insert_items};
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::jobs::{self, Train, Validation};

use crate::dataset::{self, Listing, Reader, split};
use crate::network::Pictures;
use crate::picture::prepare;
use crate::runtime::context::{JobContext, JobError};
use crate::training::{Dataset, Labelled};

/// The share of the machine's memory that pictures may take.
const MEMORY_SHARE: f64 = 0.5;

/// Side of the square that pictures are scaled to when none is asked for.
const DEFAULT_IMAGE_SIZE: u32 = 224;

/// What a run learns from and is judged by.
pub struct TrainingData {
    /// The classes by name, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// The pictures.
    pub dataset: Dataset,
    /// Files that are no pictures.
    pub unreadable: u64,
    /// Readable pictures per class, before any split.
    pub per_class: BTreeMap<String, u32>,
}

/// Lists, checks, decodes and splits.
pub async fn read(context: &JobContext, train: &Train) -> Result<TrainingData, JobError> {
    let (listing, validation) = list_sets(context, train).await?;
    check_counts(&listing, &counts_listed(&listing), train)?;
    let image_size = train.image_size.unwrap_or(DEFAULT_IMAGE_SIZE) as usize;
    let side = Dataset::stored_side(image_size);
    check_memory(listing.len() + validation.as_ref().map_or(0, Listing::len), side)?;

    let total = listing.len() + validation.as_ref().map_or(0, Listing::len);
    let mut meter = Meter::new("reading", "pictures", Some(total as u64));
    let mut read = ReadSet::default();
    read.extend(context, &train.dataset, &listing, side, &mut meter).await?;
    check_counts(&listing, &read.counts(listing.classes.len()), train)?;
    let counts = read.counts(listing.classes.len());
    let per_class = listing.classes.iter().cloned().zip(counts).collect();
    let classes = listing.classes.len();
    let (learn, judge) = match (&train.validation, validation) {
        (Validation::Set(set), Some(held)) => {
            let mut judge = ReadSet { done: read.done, failed: read.failed, ..ReadSet::default() };
            judge.extend(context, set, &held, side, &mut meter).await?;
            read.failed = judge.failed;
            (read.labelled(side, None)?, judge.labelled(side, None)?)
        }
        (Validation::Fraction(share), _) => {
            let (learn, judge) = split(&read.labels, classes, share.fraction, train.seed);
            (read.labelled(side, Some(&learn))?, read.labelled(side, Some(&judge))?)
        }
        (Validation::Set(_), None) => return Err(invalid("the validation set was not listed".to_owned())),
    };
    let dataset = Dataset::new(classes, image_size, learn, judge);
    let dataset = dataset.map_err(|error| invalid(error.to_string()))?;
    Ok(TrainingData { classes: listing.classes, dataset, unreadable: read.failed, per_class })
}

fn invalid(detail: String) -> JobError {
    JobError::permanent("invalid_dataset", detail)
}

async fn list_sets(context: &JobContext, train: &Train) -> Result<(Listing, Option<Listing>), JobError> {
    let listing = list(context, &train.dataset).await?;
    let Validation::Set(set) = &train.validation else { return Ok((listing, None)) };
    let mut held = list(context, set).await?;
    for file in &mut held.files {
        let name = &held.classes[file.class];
        let class = listing.classes.iter().position(|class| class == name);
        file.class = class.ok_or_else(|| {
            let place = format!("{}/{}", set.source, set.prefix);
            invalid(format!("validation set {place} has class \"{name}\", which the dataset does not have"))
        })?;
    }
    held.classes.clone_from(&listing.classes);
    Ok((listing, Some(held)))
}

async fn list(context: &JobContext, set: &jobs::Dataset) -> Result<Listing, JobError> {
    let listing = dataset::list(context.storage().get_source(&set.source)?, &set.prefix).await?;
    if listing.is_empty() {
        let place = format!("{}/{}", set.source, set.prefix);
        return Err(invalid(format!("{place} holds no pictures in folders: one folder per class expected")));
    }
    Ok(listing)
}

fn counts_listed(listing: &Listing) -> Vec<u32> {
    let mut counts = vec![0; listing.classes.len()];
    listing.files.iter().for_each(|file| counts[file.class] += 1);
    counts
}

/// Refuses fewer than two classes, and classes with too few pictures, naming each.
fn check_counts(listing: &Listing, counts: &[u32], train: &Train) -> Result<(), JobError> {
    if listing.classes.len() < 2 {
        let classes = listing.classes.join(", ");
        return Err(JobError::permanent(
            "too_few_classes",
            format!("one class ({classes}), at least 2 expected"),
        ));
    }
    let few = listing.classes.iter().zip(counts).filter(|(_, count)| **count < train.min_images_per_class);
    let few: Vec<_> = few.map(|(class, count)| format!("\"{class}\" has {count}")).collect();
    if few.is_empty() {
        return Ok(());
    }
    let bound = train.min_images_per_class;
    let detail = format!(
        "{}, at least {bound} readable pictures per class expected (min_images_per_class)",
        few.join(", ")
    );
    Err(JobError::permanent("too_few_pictures", detail))
}

fn check_memory(pictures: usize, side: usize) -> Result<(), JobError> {
    let Ok(mut system) = sysinfo::System::new() else { return Ok(()) };
    system.refresh_memory();
    let (needed, available) = ((pictures * side * side * 3) as u64, system.available_memory());
    if needed as f64 <= available as f64 * MEMORY_SHARE {
        return Ok(());
    }
    let mib = |bytes: u64| bytes >> 20;
    let detail = format!(
        "{pictures} pictures of {side} pixels need {} MiB, more than half of the {} MiB free; a smaller image_size would do",
        mib(needed),
        mib(available),
    );
    Err(JobError::permanent("dataset_too_large", detail))
}

/// Pictures read so far.
#[derive(Default)]
struct ReadSet {
    pixels: Vec<u8>,
    labels: Vec<u32>,
    done: u64,
    failed: u64,
}

impl ReadSet {
    async fn extend(
        &mut self,
        context: &JobContext,
        set: &jobs::Dataset,
        listing: &Listing,
        side: usize,
        meter: &mut Meter,
    ) -> Result<(), JobError> {
        let source = context.storage().get_source(&set.source)?.clone();
        let mut reader = Reader::new(context, source, listing.files.clone());
        self.pixels.reserve(listing.len() * side * side * 3);
        let size = u32::try_from(side).unwrap_or(u32::MAX);
        while let Some(batch) = reader.next_with(move |_, picture| prepare(picture, size)).await? {
            let mut items = Vec::new();
            for (file, read) in batch {
                self.done += 1;
                match read {
                    Ok(pixels) => {
                        self.pixels.extend_from_slice(&pixels);
                        self.labels.push(u32::try_from(file.class).unwrap_or(u32::MAX));
                    }
                    Err(reason) => {
                        items.push(NewItem { uri: file.uri, code: reason.code, detail: reason.detail })
                    }
                }
            }
            self.failed += items.len() as u64;
            insert_items(context.db(), context.attempt.job_id, &items).await?;
            let seconds = context.started.elapsed().as_secs_f64();
            context.progress(meter.update(seconds, self.done, self.failed)).await?;
        }
        Ok(())
    }

    fn counts(&self, classes: usize) -> Vec<u32> {
        let mut counts = vec![0; classes];
        self.labels.iter().for_each(|label| counts[*label as usize] += 1);
        counts
    }

    /// The pictures at these positions, or all.
    fn labelled(&self, side: usize, positions: Option<&[usize]>) -> Result<Labelled, JobError> {
        let size = side * side * 3;
        let (pixels, labels) = match positions {
            None => (self.pixels.clone(), self.labels.clone()),
            Some(positions) => {
                let mut pixels = Vec::with_capacity(positions.len() * size);
                positions.iter().for_each(|p| pixels.extend_from_slice(&self.pixels[p * size..][..size]));
                (pixels, positions.iter().map(|position| self.labels[*position]).collect())
            }
        };
        let pictures = Pictures::new(side, pixels).map_err(|error| invalid(error.to_string()))?;
        Ok(Labelled { pictures, labels })
    }
}

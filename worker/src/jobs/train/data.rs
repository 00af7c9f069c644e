//! The pictures of a run: listed, checked, decoded once into the cache, split into two views of it.

use std::collections::BTreeMap;

use lookalike_shared::domain::backbone::Backbone;
use lookalike_shared::jobs::{Train, Validation};
use serde_json::{Value, json};

use crate::dataset::cache::{Pack, Reading, most_bytes, pictures_of};
use crate::dataset::{
    Duplicates, ListedSet, SeenFile, Sets, add_counts, check_counts, count_codes, counts, readable, refuse,
    split, suggest_size, warnings,
};
use crate::network::Pictures;
use crate::runtime::context::{JobContext, JobError, LogLevel};
use crate::training::{Dataset, Labelled};

/// What a run learns from and is judged by.
pub struct TrainingData {
    /// The classes by name, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// The pictures.
    pub dataset: Dataset,
    /// The files of the training part, in the order of its pictures.
    pub train_files: Vec<SeenFile>,
    /// The files of the validation part, in the order of its pictures.
    pub validation_files: Vec<SeenFile>,
    /// Files that are no pictures.
    pub unreadable: u64,
    /// Readable pictures per class, before any split.
    pub per_class: BTreeMap<String, u32>,
    /// Equal files among both parts.
    pub duplicates: Duplicates,
}

impl TrainingData {
    /// How many different pictures there are more than once, by kind, for the model's card.
    pub fn duplicate_counts(&self) -> Value {
        let Duplicates { within_class, across_classes, across_parts } = &self.duplicates;
        json!({
            "within_class": within_class.groups,
            "across_classes": across_classes.groups,
            "train_validation": across_parts.groups,
        })
    }
}

/// Lists, checks, decodes and splits. Pictures are kept for `image_size`, or for the side that suits them.
///
/// # Errors
/// The sets are refused, the cache has no room for them, a source failed, or [`JobError::Stopped`].
pub async fn read(
    context: &JobContext,
    train: &Train,
    backbone: &Backbone,
    image_size: Option<usize>,
) -> Result<TrainingData, JobError> {
    let held = match &train.validation {
        Validation::Set(set) => Some(set),
        Validation::Fraction(_) => None,
    };
    let sets = Sets::list(context.storage(), &train.dataset, held).await?;
    refuse(&sets.refusals)?;
    let (least, listing) = (train.min_images_per_class, &sets.dataset.listing);
    refuse(&check_counts(&listing.classes, &listing.counts(), "files", least))?;
    let image_size = match image_size {
        Some(size) => size,
        None => suggested(context, &sets.dataset, backbone).await?,
    };
    let side = Dataset::stored_side(image_size);
    context.services.cache.check(most_bytes(sets.len(), side))?;

    let mut reading = Reading::of(sets.len());
    let read = ReadSet::of(&sets.dataset, pictures_of(context, &sets.dataset, side, &mut reading).await?);
    let readable = counts(&read.files, listing.classes.len());
    refuse(&check_counts(&listing.classes, &readable, "readable pictures", least))?;
    let mut unreadable = read.unreadable.clone();
    let (learn, judge) = match (&train.validation, &sets.validation) {
        (Validation::Fraction(share), _) => read.split(share.fraction, train.seed, listing.classes.len()),
        (Validation::Set(_), held) => {
            let held = held.as_ref().expect("a set that is asked for is listed");
            (read, ReadSet::of(held, pictures_of(context, held, side, &mut reading).await?))
        }
    };
    add_counts(&mut unreadable, &judge.unreadable);
    let per_class = listing.classes.iter().cloned().zip(readable).collect();
    let duplicates = Duplicates::of(&listing.classes, &learn.files, &judge.files);
    let dataset = Dataset::new(listing.classes.len(), image_size, learn.labelled(), judge.labelled());
    let data = TrainingData {
        classes: listing.classes.clone(),
        dataset: dataset.map_err(|error| JobError::permanent("invalid_dataset", error.to_string()))?,
        train_files: learn.files,
        validation_files: judge.files,
        unreadable: unreadable.values().sum(),
        per_class,
        duplicates,
    };
    let held = counts(&data.validation_files, data.classes.len());
    for line in warnings(&unreadable, &data.duplicates, &data.classes, Some(&held)) {
        context.log(LogLevel::Warn, line).await;
    }
    Ok(data)
}

/// The side that suits the pictures, which is said in the log.
async fn suggested(context: &JobContext, set: &ListedSet, backbone: &Backbone) -> Result<usize, JobError> {
    let suggested = suggest_size(&set.source, &set.listing.files, backbone).await?;
    let line = format!("image_size is {}: {}", suggested.image_size, suggested.reason);
    context.log(LogLevel::Info, line).await;
    Ok(suggested.image_size as usize)
}

/// The readable pictures of a set, or a part of them.
struct ReadSet {
    files: Vec<SeenFile>,
    pictures: Pictures,
    /// Files that cannot be read, by the code of the reason.
    unreadable: BTreeMap<String, u64>,
}

impl ReadSet {
    fn of(set: &ListedSet, pack: Pack) -> Self {
        let unreadable = count_codes(&pack.read);
        Self { files: readable(&set.listing.files, pack.read), pictures: pack.pictures, unreadable }
    }

    /// Two parts. No pixel is copied.
    fn split(self, fraction: f64, seed: u64, classes: usize) -> (Self, Self) {
        let (learn, judge) = split(&self.files, classes, fraction, seed);
        (self.part(&learn), self.part(&judge))
    }

    fn part(&self, positions: &[usize]) -> Self {
        Self {
            files: positions.iter().map(|position| self.files[*position].clone()).collect(),
            pictures: self.pictures.select(positions),
            unreadable: BTreeMap::new(),
        }
    }

    fn labels(&self) -> Vec<u32> {
        self.files.iter().map(|seen| u32::try_from(seen.file.class).unwrap_or(u32::MAX)).collect()
    }

    fn labelled(&self) -> Labelled {
        Labelled { pictures: self.pictures.clone(), labels: self.labels() }
    }
}

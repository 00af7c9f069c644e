//! What a labelled set is like, before anybody trains on it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Duplicates, ListedSet, ReadFiles, Refusal, Seen, SeenFile, Sets, SuggestedSize, add_counts, check_counts,
    count_codes, counts, median, readable, warnings,
};

/// The report on the sets of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The set that is learnt from.
    #[serde(flatten)]
    pub dataset: SetReport,
    /// The set that is judged by, where it was asked for.
    pub validation: Option<SetReport>,
    /// Equal files beyond the first of their class.
    pub exact_duplicates: u64,
    /// Equal files by where they lie.
    pub duplicates: Duplicates,
    /// Classes with fewer readable pictures than are needed.
    pub tiny_classes: Vec<TinyClass>,
    /// Widths, heights and colours of the set that is learnt from; none when no file can be read.
    pub sizes: Option<Sizes>,
    /// The side to train at, in pixels, for the network that was asked for.
    pub suggested_image_size: u32,
    /// Why.
    pub suggested_because: String,
    /// Whether a training would start.
    pub would_start: bool,
    /// Why it would not.
    pub problems: Vec<String>,
    /// What may spoil it.
    pub warnings: Vec<String>,
}

/// One set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetReport {
    /// Its source.
    pub source: String,
    /// Where in the source.
    pub prefix: String,
    /// Files in folders.
    pub files: u64,
    /// Files that are pictures.
    pub readable: u64,
    /// Files that are none; the job's items name each with its reason.
    pub unreadable: u64,
    /// The same by the code of the reason.
    pub unreadable_by_code: BTreeMap<String, u64>,
    /// Of all files.
    pub bytes: u64,
    /// Class by class.
    pub classes: Vec<ClassReport>,
}

/// One class of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// Its name.
    pub class: String,
    /// Files in its folder.
    pub files: u32,
    /// Files that are pictures.
    pub readable: u32,
    /// Files that are none.
    pub unreadable: u32,
}

/// A class with too few pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TinyClass {
    /// Its name.
    pub class: String,
    /// Its readable pictures.
    pub count: u32,
    /// The fewest that are enough.
    pub bound: u32,
}

/// Sizes of pictures, upright, in pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sizes {
    /// Of widths.
    pub width: Spread,
    /// Of heights.
    pub height: Spread,
    /// Of the shorter of both.
    pub short_side: Spread,
    /// Share of pictures whose short side is below the suggested side, 0 to 1.
    pub smaller_than_suggested: f64,
    /// Share of pictures without colour, 0 to 1.
    pub grayscale: f64,
}

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The least one.
    pub min: u32,
    /// The middle one.
    pub median: u32,
    /// The greatest one.
    pub max: u32,
}

impl Report {
    /// The report on `sets`, of which this was read, and whose classes need `least` readable pictures.
    pub fn of(
        sets: &Sets,
        train: ReadFiles,
        validation: ReadFiles,
        suggested: SuggestedSize,
        least: u32,
    ) -> Self {
        let classes = &sets.dataset.listing.classes;
        let (dataset, learn) = SetReport::of(&sets.dataset, train);
        let judged = sets.validation.as_ref().map(|set| SetReport::of(set, validation));
        let (validation, judge) = judged.map_or((None, Vec::new()), |(report, files)| (Some(report), files));
        let (readable, held) = (counts(&learn, classes.len()), counts(&judge, classes.len()));
        let duplicates = Duplicates::of(classes, &learn, &judge);
        let mut refusals: Vec<Refusal> = sets.refusals.clone();
        refusals.extend(check_counts(classes, &readable, "readable pictures", least));
        let tiny = classes.iter().zip(&readable).filter(|(_, count)| **count < least);
        let mut unreadable = dataset.unreadable_by_code.clone();
        if let Some(set) = &validation {
            add_counts(&mut unreadable, &set.unreadable_by_code);
        }
        Self {
            exact_duplicates: duplicates.surplus(),
            tiny_classes: tiny
                .map(|(class, count)| TinyClass { class: class.clone(), count: *count, bound: least })
                .collect(),
            sizes: Sizes::of(&learn, suggested.image_size),
            suggested_image_size: suggested.image_size,
            suggested_because: suggested.reason,
            would_start: refusals.is_empty(),
            problems: refusals.into_iter().map(|refusal| refusal.detail).collect(),
            warnings: warnings(
                &unreadable,
                &duplicates,
                classes,
                validation.as_ref().map(|_| held.as_slice()),
            ),
            dataset,
            validation,
            duplicates,
        }
    }
}

impl SetReport {
    fn of(set: &ListedSet, read: ReadFiles) -> (Self, Vec<SeenFile>) {
        let unreadable_by_code = count_codes(&read);
        let readable = readable(&set.listing.files, read);
        let (files, good) = (set.listing.counts(), counts(&readable, set.listing.classes.len()));
        let classes = set.listing.classes.iter().zip(files.iter().zip(&good));
        let report = Self {
            source: set.place.source.to_string(),
            prefix: set.place.prefix.clone(),
            files: set.listing.len() as u64,
            readable: readable.len() as u64,
            unreadable: unreadable_by_code.values().sum(),
            unreadable_by_code,
            bytes: set.listing.files.iter().map(|file| file.size).sum(),
            classes: classes
                .map(|(class, (files, readable))| ClassReport {
                    class: class.clone(),
                    files: *files,
                    readable: *readable,
                    unreadable: files - readable,
                })
                .collect(),
        };
        (report, readable)
    }
}

impl Sizes {
    fn of(files: &[SeenFile], suggested: u32) -> Option<Self> {
        let share = |which: &dyn Fn(&Seen) -> bool| {
            files.iter().filter(|file| which(&file.seen)).count() as f64 / files.len() as f64
        };
        Some(Self {
            width: Spread::of(files.iter().map(|file| file.seen.width))?,
            height: Spread::of(files.iter().map(|file| file.seen.height))?,
            short_side: Spread::of(files.iter().map(|file| file.seen.short_side()))?,
            smaller_than_suggested: share(&|seen| seen.short_side() < suggested),
            grayscale: share(&|seen| seen.gray),
        })
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = u32>) -> Option<Self> {
        let mut values: Vec<u32> = values.collect();
        let median = median(&mut values)?;
        Some(Self { min: *values.first()?, median, max: *values.last()? })
    }
}

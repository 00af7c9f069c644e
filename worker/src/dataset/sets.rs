//! The labelled sets of a training: what is learnt from and, where it is a set of its own, what is judged by.

use std::fmt;

use lookalike_shared::jobs;
use lookalike_shared::storage::{Source, Storage};

use super::checks::Refusal;
use super::{Listing, list};
use crate::runtime::context::JobError;

/// A labelled set and where it lies.
#[derive(Debug, Clone)]
pub struct ListedSet {
    /// Its source and prefix, as they were asked for.
    pub place: jobs::Dataset,
    /// Its source.
    pub source: Source,
    /// Its files.
    pub listing: Listing,
}

impl fmt::Display for ListedSet {
    /// `source/prefix`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.place.source, self.place.prefix)
    }
}

/// The sets of a training.
#[derive(Debug, Clone)]
pub struct Sets {
    /// What is learnt from, and split when there is no other set. Its classes are those of both.
    pub dataset: ListedSet,
    /// What is judged by, its files' classes numbered as the dataset's. Files of classes that the dataset does not have
    /// are left out.
    pub validation: Option<ListedSet>,
    /// Why these sets do not go together.
    pub refusals: Vec<Refusal>,
}

impl Sets {
    /// Lists the sets.
    ///
    /// # Errors
    /// The source is not declared or failed, or there are no files in folders: then source and prefix are named.
    pub async fn list(
        storage: &Storage,
        dataset: &jobs::Dataset,
        validation: Option<&jobs::Dataset>,
    ) -> Result<Self, JobError> {
        let dataset = list_set(storage, dataset).await?;
        let mut sets = Self { dataset, validation: None, refusals: Vec::new() };
        if let Some(place) = validation {
            let held = list_set(storage, place).await?;
            sets.hold_back(held);
        }
        Ok(sets)
    }

    /// How many files there are in both.
    pub fn len(&self) -> usize {
        self.dataset.listing.len() + self.validation.as_ref().map_or(0, |set| set.listing.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn hold_back(&mut self, mut held: ListedSet) {
        let classes = &self.dataset.listing.classes;
        let number = |name: &String| classes.iter().position(|class| class == name);
        let numbers: Vec<Option<usize>> = held.listing.classes.iter().map(number).collect();
        for (name, _) in held.listing.classes.iter().zip(&numbers).filter(|(_, number)| number.is_none()) {
            let detail =
                format!("validation set {held} has class \"{name}\", which the dataset does not have");
            self.refusals.push(Refusal { code: "invalid_dataset", detail });
        }
        held.listing.files.retain_mut(|file| {
            let known = numbers[file.class];
            file.class = known.unwrap_or(file.class);
            known.is_some()
        });
        held.listing.classes.clone_from(classes);
        self.validation = Some(held);
    }
}

async fn list_set(storage: &Storage, place: &jobs::Dataset) -> Result<ListedSet, JobError> {
    let source = storage.get_source(&place.source)?.clone();
    let listing = list(&source, &place.prefix).await?;
    let set = ListedSet { place: place.clone(), source, listing };
    if set.listing.is_empty() {
        let detail = format!("{set} holds no pictures in folders: one folder per class expected");
        return Err(JobError::permanent("invalid_dataset", detail));
    }
    Ok(set)
}

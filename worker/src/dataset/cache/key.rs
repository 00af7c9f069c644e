//! What a packed file is found by.

use lookalike_shared::storage::Source;
use sha2::{Digest, Sha256};

use crate::dataset::{LabelledFile, hex};
use crate::picture::Limits;

/// Bytes that are allowed for what is known of one picture, beside its pixels.
const BYTES_PER_RECORD: u64 = 512;

/// The identity of a set's decoded pictures: the same files, read the same way, have the same.
///
/// Classes are not part of it: they are the listing's, so a set that is listed from elsewhere finds its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackKey {
    digest: String,
    side: usize,
    files: usize,
}

impl PackKey {
    /// The key of `files` of `source`, in this order, stored at `side` pixels under these bounds.
    pub fn of(source: &Source, files: &[LabelledFile], side: usize, limits: &Limits) -> Self {
        let mut hash = Sha256::new();
        // Every text ends with a byte that no text holds, so no two lists read alike.
        let mut add = |text: &str| {
            hash.update(text);
            hash.update([0xff]);
        };
        add(super::pack::FORMAT);
        // Another release may decode otherwise.
        add(env!("CARGO_PKG_VERSION"));
        add(&format!("{side} {} {} {}", limits.max_bytes, limits.max_pixels, limits.max_side));
        add(source.name());
        add(source.location());
        for file in files {
            add(&file.key);
            add(&file.etag);
            add(&file.size.to_string());
        }
        Self { digest: hex(&hash.finalize()), side, files: files.len() }
    }

    /// The key as 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Height and width of the stored pictures.
    pub fn side(&self) -> usize {
        self.side
    }

    /// How many files the set has.
    pub fn files(&self) -> usize {
        self.files
    }

    /// The most bytes that the packed file may have.
    pub fn most_bytes(&self) -> u64 {
        most_bytes(self.files, self.side)
    }
}

/// The most bytes that the packed file of so many files at this side may have: all of them are readable.
pub fn most_bytes(files: usize, side: usize) -> u64 {
    files as u64 * (BYTES_PER_RECORD + (side * side * 3) as u64)
}

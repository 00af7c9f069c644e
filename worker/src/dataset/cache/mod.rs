//! Decoded pictures of labelled sets, kept in files: each set is decoded once per size, whoever trains on it.
//!
//! - [`pack`]: one file: pixels, what is known of every picture, checksums. Whole or not there.
//! - [`key`]: what a file is found by: the files it was made of, as the listing tells them, and how.
//! - [`room`]: the bound on all files, and who leaves.
//! - [`fill`]: a set's pictures, from its file or into it.
//!
//! Workers of one machine may share a folder. A file that somebody maps is locked, shared, and is never evicted.

mod fill;
mod key;
mod pack;
mod room;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use lookalike_shared::config::CacheConfig;

pub use fill::{Reading, pictures_of};
pub use key::{PackKey, most_bytes};
pub use pack::{Pack, PackWriter, Prepared};

use crate::runtime::context::JobError;

/// The folder of packed files.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
}

/// What was found under a key.
#[derive(Debug)]
pub enum Found {
    /// A whole file.
    Pack(Pack),
    /// Nothing.
    Nothing,
    /// A file that was damaged, and why it is; it is deleted.
    Damaged(String),
}

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The bound does not allow it, whoever leaves.
    #[error(
        "decoded pictures need {} MiB, {} MiB are allowed (LOOKALIKE_CACHE_BYTES); a smaller image_size would do",
        mib(*needed), *allowed >> 20
    )]
    TooLarge {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// There is no room now.
    #[error(
        "decoded pictures need {} MiB in {folder}, {} MiB can be had there now: {} MiB of pictures are in use by \
         trainings, the disk has {} MiB free",
        mib(*needed), *available >> 20, mib(*in_use), *disk_free >> 20
    )]
    Full {
        /// The cache's folder.
        folder: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
        /// Bytes of files that are mapped or being written.
        in_use: u64,
        /// Bytes that the disk has free.
        disk_free: u64,
    },
    /// The folder cannot be written.
    #[error("the cache {folder}: {source}")]
    Io {
        /// The cache's folder.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Whole mebibytes, rounded up: what is needed is not told as less.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl From<CacheError> for JobError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::TooLarge { .. } => Self::permanent("dataset_too_large", error.to_string()),
            // Other trainings end, disks are tidied up.
            CacheError::Full { .. } => Self::retry("cache_full", error.to_string()),
            CacheError::Io { .. } => Self::retry("cache_unusable", error.to_string()),
        }
    }
}

impl Cache {
    /// A cache in a folder, which is made when something is first kept.
    pub fn new(config: CacheConfig) -> Self {
        Self { folder: config.folder, max_bytes: config.max_bytes }
    }

    /// Refuses what cannot be kept even if everything else left.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`].
    pub fn check(&self, needed: u64) -> Result<(), CacheError> {
        if needed <= self.max_bytes {
            return Ok(());
        }
        Err(CacheError::TooLarge { needed, allowed: self.max_bytes })
    }

    /// The file of a key, read through once to compare its checksums; it counts as used now. Blocks.
    pub fn open(&self, key: &PackKey) -> Found {
        let path = self.path(key);
        match pack::open(&path, key) {
            Ok(Some(pack)) => Found::Pack(pack),
            Ok(None) => Found::Nothing,
            Err(damage) => {
                // One that cannot be deleted is replaced when the new one is there.
                _ = std::fs::remove_file(&path);
                Found::Damaged(damage)
            }
        }
    }

    /// Begins the file of a key; nothing is seen of it before it is finished. Files that were not used for longest leave
    /// for it. Blocks.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn begin(&self, key: &PackKey) -> Result<PackWriter, CacheError> {
        let needed = key.most_bytes();
        self.check(needed)?;
        room::make_folder(&self.folder).map_err(|error| self.io(error))?;
        room::make_room(&self.folder, self.max_bytes, needed)?;
        PackWriter::new(&self.folder, self.path(key), key).map_err(|error| self.io(error))
    }

    fn path(&self, key: &PackKey) -> PathBuf {
        self.folder.join(format!("{}.{}", key.digest(), room::PACK))
    }

    fn io(&self, source: io::Error) -> CacheError {
        CacheError::Io { folder: self.folder.display().to_string(), source }
    }
}

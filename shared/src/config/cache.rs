//! Where a worker keeps what it made of pictures, and how much of it.

use std::path::PathBuf;

use super::{Environment, temporary_dir};

/// The folder of decoded pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    /// Where it is; it is made when something is first kept. Workers of one machine may share it.
    pub folder: PathBuf,
    /// The most bytes that are kept in it.
    pub max_bytes: u64,
}

impl CacheConfig {
    /// A folder for tests, shared by them as by workers of one machine.
    pub fn for_testing() -> Self {
        Self { folder: temporary_dir().join("lookalike-cache-of-tests"), max_bytes: 1 << 30 }
    }
}

impl Environment {
    /// Reads the settings of the cache.
    pub(super) fn cache(&mut self) -> CacheConfig {
        let folder = self.get("LOOKALIKE_CACHE_DIR").map(PathBuf::from);
        CacheConfig {
            folder: folder.unwrap_or_else(|| temporary_dir().join("lookalike-cache")),
            max_bytes: self.parsed("LOOKALIKE_CACHE_BYTES", "a number of bytes"),
        }
    }
}

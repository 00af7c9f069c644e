//! What became of the objects of an index job, kept in its checkpoint across attempts.

use serde::{Deserialize, Serialize};

/// Counters; each object is counted in exactly one of the first four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Objects that were not in the index before.
    pub added: u64,
    /// Objects that had changed.
    pub updated: u64,
    /// Objects that had not. Each attempt counts them anew, since nothing is written for them.
    pub unchanged: u64,
    /// Objects that are no pictures, or could not be read.
    pub failed: u64,
    /// Entries whose object is gone, or no longer a picture.
    pub removed: u64,
}

impl Counts {
    /// Objects counted.
    pub fn done(&self) -> u64 {
        self.added + self.updated + self.unchanged + self.failed
    }

    /// What a new attempt goes on from.
    pub fn resumed(self) -> Self {
        Self { unchanged: 0, ..self }
    }
}

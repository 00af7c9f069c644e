//! From objects to entries: skip what is known, fetch, decode, embed, commit.
//!
//! Stages overlap: while one batch is committed the next is embedded and the one after fetched and decoded. Each
//! commit stores vectors, manifest, thumbnails, failed items, partition versions, counters and progress in one
//! transaction that counts only while the attempt holds its job; so a resumed job leaves no duplicate and no
//! gap, and its counters add up: done = unchanged + added + updated + failed.

mod batch;
mod commit;
mod counts;
mod pipeline;
mod swap;

use std::sync::Arc;

use lookalike_shared::storage::{Object, Storage, StorageError};

use crate::models::StoredModel;

pub use batch::THUMBNAIL_SIDE;
pub use counts::Counts;
pub use pipeline::Pipeline;

/// Where entries go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The generation that is filled.
    pub generation: i32,
    /// Its index's name.
    pub index: String,
    /// Its model.
    pub model: Arc<StoredModel>,
}

/// An object to be indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// `source/key`.
    pub uri: String,
    /// The object as it was listed.
    pub object: Object,
}

impl Work {
    /// The object behind a uri as it is now. One that is gone is given with size 0 and no etag, and fails when
    /// it is fetched.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(storage: &Storage, uri: &str) -> Result<Self, StorageError> {
        let (source, key) = uri.split_once('/').unwrap_or((uri, ""));
        let gone = || Object {
            key: key.to_owned(),
            size: 0,
            modified: chrono::DateTime::UNIX_EPOCH,
            etag: String::new(),
        };
        let found = match source.parse().ok().as_ref().and_then(|name| storage.find_source(name)) {
            None => Ok(gone()),
            Some(source) => match source.head(key).await {
                Err(error) if error.is_transient() => Err(error),
                Err(_) => Ok(gone()),
                Ok(object) => Ok(object),
            },
        };
        Ok(Self { uri: uri.to_owned(), object: found? })
    }
}

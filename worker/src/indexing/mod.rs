//! From objects to entries: list, skip what is known, fetch, decode, embed, commit.
//!
//! [`plan`] → [`read`] → [`embed`] → [`commit`], joined by channels of bounded length ([`pipeline`]), so that all stages
//! are at work at once and memory does not grow with the number of objects. Each commit stores vectors, manifest,
//! thumbnails, failed items, partition versions, counters and progress in one transaction that counts only while the
//! attempt holds its job; so a resumed job leaves no duplicate and no gap, and its counters add up: listed = unchanged +
//! added + updated + failed. Nothing is written for what has not changed.

mod commit;
mod counts;
mod difference;
mod embed;
mod pipeline;
mod plan;
mod read;
mod seen;
mod stages;
mod swap;

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use lookalike_shared::db::DbError;
use lookalike_shared::db::gallery::NewEntry;
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::storage::{Object, Storage, StorageError};

use crate::models::StoredModel;

pub use counts::Counts;
pub use difference::difference;
pub use pipeline::Pipeline;

/// Objects looked at side by side where there is no listing.
const LOOKS: usize = 32;

/// What a stage hands to the last one.
enum Done {
    /// Pictures that went through the network.
    Entries(Vec<NewEntry>),
    /// A picture that did not make it.
    Failed(read::Failed),
    /// So many objects have not changed.
    Unchanged(u64),
}

/// Where entries go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The generation that is filled.
    pub generation: i32,
    /// What it is and has to stay while it is filled: active, or building.
    pub state: GenerationState,
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

    /// The objects behind uris that `page` gives, a page at a time, each call those after the last one, until there are no
    /// more. Several objects are looked at side by side.
    pub fn find_all<P, F>(storage: &Storage, page: P) -> BoxStream<'static, Result<Self, StorageError>>
    where
        P: FnMut(String) -> F + Send + 'static,
        F: Future<Output = Result<Vec<String>, DbError>> + Send + 'static,
    {
        let pages = stream::try_unfold((page, Some(String::new())), |(mut page, after)| async move {
            let Some(after) = after else { return Ok(None) };
            // The attempt ends with the error and is made again.
            let uris = page(after).await.map_err(|error| StorageError::Database(error.to_string()))?;
            let last = uris.last().cloned();
            Ok((!uris.is_empty()).then_some((uris, (page, last))))
        });
        let uris = pages.map_ok(|uris| stream::iter(uris.into_iter().map(Ok))).try_flatten();
        let storage = storage.clone();
        let works = uris.map(move |uri: Result<String, StorageError>| {
            let storage = storage.clone();
            async move { Self::find(&storage, &uri?).await }
        });
        works.buffered(LOOKS).boxed()
    }
}

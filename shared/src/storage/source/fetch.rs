//! Whole objects: bounded in size and time, tried again when they break off, and checked against what was listed.
//!
//! object_store tries requests again and asks for the rest of a body that breaks off, within its bounds. What is left
//! is done here: a server that has no etags or wrong ones, bodies of another length than announced, and answers that
//! never end. Each try begins anew, so that no bytes are of two versions.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt};

use super::local;
use super::{Object, Place, Source, StorageError, blocking};

/// How often a body is read before it is given up.
const TRIES: u32 = 4;
/// The pause before the second try; it doubles, and up to its half is added by chance.
const PAUSE: Duration = Duration::from_millis(100);
/// A body may take this long, and a second more per this many bytes.
const BODY: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND: u64 = 64 << 10;

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What was read: of these bytes are its size and etag.
    pub object: Object,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Source {
    /// The bytes of an object, refused before they are read when there are more than `limit`.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` and `TooLarge` among them.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Bytes, StorageError> {
        Ok(self.fetch(key, limit).await?.bytes)
    }

    /// An object and its bytes, which are those of one version of it, refused before they are read when there are
    /// more than `limit`.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` and `TooLarge` among them.
    pub async fn fetch(&self, key: &str, limit: u64) -> Result<Fetched, StorageError> {
        if let Place::Folder { root, .. } = &self.place {
            let (root, path) = (root.clone(), self.file(root, key)?);
            let read = blocking(move || local::read(&root, &path, limit)).await;
            let (opened, bytes) = read.map_err(|refusal| self.refusal(key, refusal))?;
            return Ok(Fetched { object: opened.object(key), bytes });
        }
        let path = self.in_bucket(key)?;
        let mut broken = String::new();
        for attempt in 0..TRIES {
            pause(attempt).await;
            // A request that fails was tried again by object_store.
            let found = self.store().get(&path).await.map_err(|error| self.store_error(key, &error))?;
            let object = Object::of_bucket(key.to_owned(), &found.meta);
            if object.size > limit {
                return Err(StorageError::TooLarge { key: key.to_owned(), size: object.size, limit });
            }
            let patience = BODY + Duration::from_secs(object.size / BYTES_PER_SECOND);
            match tokio::time::timeout(patience, whole(found, object.size)).await {
                Ok(Ok(bytes)) => return Ok(Fetched { object, bytes }),
                Ok(Err(WholeError::Store(error))) => broken = self.store_error(key, &error).to_string(),
                Ok(Err(WholeError::Length(got))) => {
                    broken = format!("{got} of {} bytes came", object.size);
                }
                Err(_) => broken = format!("it was not there within {} s", patience.as_secs()),
            }
        }
        let reason = format!("\"{key}\" broke off {TRIES} times, at last: {broken}");
        Err(StorageError::Store { source_name: self.name.clone(), reason })
    }

    /// What `listed` is now, as [`Self::fetch`] does: the same object when it is as it was listed, else the new one.
    /// So the caller knows which version the bytes are of.
    ///
    /// # Errors
    /// [`StorageError`]; `Changed` when it is another one at each look.
    pub async fn get_listed(&self, listed: &Object, limit: u64) -> Result<Fetched, StorageError> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Fetched { object, bytes } = self.fetch(&listed.key, limit).await?;
            if listed.is(&object) {
                return Ok(Fetched { object: listed.clone(), bytes });
            }
            // What is read of a file is told by the file. An answer may tell of another version than it holds.
            if matches!(self.place, Place::Folder { .. }) || self.head(&listed.key).await?.is(&object) {
                return Ok(Fetched { object: listed.like(object), bytes });
            }
        }
        Err(StorageError::Changed { source_name: self.name.clone(), key: listed.key.clone() })
    }

    /// An object and at most its first `most` bytes.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` among them.
    pub async fn get_start(&self, key: &str, most: u64) -> Result<Fetched, StorageError> {
        if let Place::Folder { root, .. } = &self.place {
            let (root, path) = (root.clone(), self.file(root, key)?);
            let read = blocking(move || local::read_start(&root, &path, most)).await;
            let (opened, bytes) = read.map_err(|refusal| self.refusal(key, refusal))?;
            return Ok(Fetched { object: opened.object(key), bytes });
        }
        let path = self.in_bucket(key)?;
        let object = self.head(key).await?;
        // No range is right for nothing.
        if object.size == 0 || most == 0 {
            return Ok(Fetched { object, bytes: Bytes::new() });
        }
        let range = Some(GetRange::Bounded(0..most.min(object.size)));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.store().get_opts(&path, options).await;
        let found = found.map_err(|error| self.store_error(key, &error))?;
        let bytes = found.bytes().await.map_err(|error| self.store_error(key, &error))?;
        Ok(Fetched { object, bytes })
    }
}

enum WholeError {
    Store(object_store::Error),
    /// So many bytes came.
    Length(u64),
}

/// The body, which must have `size` bytes.
async fn whole(found: GetResult, size: u64) -> Result<Bytes, WholeError> {
    let mut stream = found.into_stream();
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(WholeError::Store)?;
        length += piece.len() as u64;
        if length > size {
            break;
        }
        pieces.push(piece);
    }
    if length != size {
        return Err(WholeError::Length(length));
    }
    // One that came in a single piece is not copied.
    let one = (pieces.len() == 1).then(|| pieces.pop()).flatten();
    Ok(one.unwrap_or_else(|| pieces.concat().into()))
}

/// Waits before a try that is not the first.
async fn pause(attempt: u32) {
    if let Some(retry) = attempt.checked_sub(1) {
        let least = PAUSE * 2_u32.pow(retry);
        // Hashers of the standard library are seeded by chance.
        let chance = RandomState::new().hash_one(attempt) % 1_000;
        let more = least / 2 * u32::try_from(chance).unwrap_or_default() / 1_000;
        tokio::time::sleep(least + more).await;
    }
}

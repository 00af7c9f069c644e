//! One named root that pictures are read from.

mod browse;
mod fetch;
mod local;
mod object;
mod probe;
mod stream;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

use super::error::{StorageError, impossible, reason_of, status_of};
use super::keys;
use super::open::{Bucket, Opening, Patience};
use local::Refusal;

pub use browse::BrowsePage;
pub use fetch::Fetched;
pub use object::{Folder, Listing, Object};
pub use probe::Probe;
pub use stream::{ByteStream, Writer};

/// A named root. Keys are relative to it and use `/`.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    location: String,
    place: Place,
    /// The part of the place that it is.
    prefix: Path,
}

/// What keeps the objects.
#[derive(Debug, Clone)]
enum Place {
    /// A local folder. It is read by code of our own, see [`local`], and written through object_store.
    Folder {
        /// Its canonical path, which no key may leave.
        root: PathBuf,
        store: Arc<dyn ObjectStore>,
    },
    Bucket {
        bucket: Bucket,
        opening: Arc<Opening>,
    },
}

impl Source {
    /// A local folder.
    pub(super) fn local(name: &str, path: &FsPath) -> Result<Self, String> {
        let root = path.canonicalize().map_err(|error| error.to_string())?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| error.to_string())?;
        let location = format!("file://{}", root.display());
        let place = Place::Folder { root, store: Arc::new(store) };
        Ok(Self { name: name.to_owned(), location, place, prefix: Path::default() })
    }

    /// A bucket, or a part of one.
    pub(super) fn bucket(name: &str, url: &Url, opening: Opening) -> Result<Self, String> {
        let (bucket, prefix) = opening.open(Patience::Usual)?;
        let location = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
        let place = Place::Bucket { bucket, opening: Arc::new(opening) };
        Ok(Self { name: name.to_owned(), location, place, prefix })
    }

    /// A part of this source as a source of its own.
    pub fn within(&self, name: &str, folder: &str) -> Self {
        let prefix = self.prefix.clone().join(folder);
        let location = format!("{}/{folder}", self.location.trim_end_matches('/'));
        Self { name: name.to_owned(), location, prefix, ..self.clone() }
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, without credentials.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Every object under `prefix` (a folder), in no particular order, as a stream of constant memory. What has a
    /// name but cannot be read, a folder that may not be looked into among them, is an object too, see
    /// [`Object::is_unreadable`]. What stands for an empty folder in a bucket is left out.
    ///
    /// # Errors
    /// An invalid prefix at once; the store's failures in the stream.
    pub fn list(
        &self,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<Object, StorageError>>, StorageError> {
        let (this, folder) = (self.clone(), prefix.to_owned());
        match &self.place {
            Place::Folder { root, .. } => {
                let objects = local::walk(root.clone(), self.base(root), self.folder(root, prefix)?);
                Ok(objects.map_err(move |refusal| this.refusal(&folder, refusal)).boxed())
            }
            Place::Bucket { bucket, .. } => {
                let path = self.in_bucket(folder_of(prefix))?;
                let objects = bucket.store.list(Some(&path)).filter_map(move |meta| {
                    let object = match meta {
                        Ok(meta) => this.object(meta).map(Ok),
                        Err(error) => Some(Err(this.store_error(&folder, &error))),
                    };
                    std::future::ready(object)
                });
                Ok(objects.boxed())
            }
        }
    }

    /// Size, time and etag of an object.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` among them.
    pub async fn head(&self, key: &str) -> Result<Object, StorageError> {
        match &self.place {
            Place::Folder { root, .. } => {
                let (root, path) = (root.clone(), self.file(root, key)?);
                let opened = blocking(move || local::open(&root, &path)).await;
                let opened = opened.map_err(|refusal| self.refusal(key, refusal))?;
                Ok(opened.object(key))
            }
            Place::Bucket { bucket, .. } => {
                let path = self.in_bucket(key)?;
                let meta = bucket.store.head(&path).await.map_err(|error| self.store_error(key, &error))?;
                Ok(Object::of_bucket(key.to_owned(), &meta))
            }
        }
    }

    /// Writes an object whole: a reader sees the old bytes or the new ones.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.new_path(key)?;
        let put = self.store().put(&path, PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(|error| self.store_error(key, &error))
    }

    /// Deletes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let path = self.new_path(key)?;
        match self.store().delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.store_error(key, &error)),
        }
    }

    /// Deletes everything under a folder and tells how many objects that were.
    ///
    /// # Errors
    /// The first [`StorageError`].
    pub async fn delete_all(&self, prefix: &str) -> Result<u64, StorageError> {
        let objects: Vec<_> = self.list(prefix)?.try_collect().await?;
        for object in &objects {
            self.delete(&object.key).await?;
        }
        if let Place::Folder { root, .. } = &self.place {
            local::remove_empty(self.folder(root, prefix)?).await;
        }
        Ok(objects.len() as u64)
    }

    fn store(&self) -> &Arc<dyn ObjectStore> {
        match &self.place {
            Place::Folder { store, .. } => store,
            Place::Bucket { bucket, .. } => &bucket.store,
        }
    }

    /// The folder that local keys are relative to.
    fn base(&self, root: &FsPath) -> PathBuf {
        if self.prefix.is_root() { root.to_owned() } else { root.join(self.prefix.as_ref()) }
    }

    /// Where the file of a local key is.
    fn file(&self, root: &FsPath, key: &str) -> Result<PathBuf, StorageError> {
        keys::check_local(key).map_err(|reason| self.invalid(key, reason))?;
        let base = self.base(root);
        Ok(if key.is_empty() { base } else { base.join(key) })
    }

    fn folder(&self, root: &FsPath, prefix: &str) -> Result<PathBuf, StorageError> {
        self.file(root, prefix.trim_end_matches('/'))
    }

    fn in_bucket(&self, key: &str) -> Result<Path, StorageError> {
        keys::in_bucket(&self.prefix, key).map_err(|reason| self.invalid(key, reason))
    }

    /// The path of what is written: stricter than what is read.
    fn new_path(&self, key: &str) -> Result<Path, StorageError> {
        let below = Path::parse(key.trim_end_matches('/'));
        let below = below.map_err(|error| self.invalid(key, error.to_string()))?;
        Ok(self.prefix.parts().chain(below.parts()).collect())
    }

    /// What a bucket lists, unless it only stands for an empty folder.
    fn object(&self, meta: ObjectMeta) -> Option<Object> {
        let name = keys::unescape(meta.location.as_ref());
        if name.ends_with('/') && meta.size == 0 {
            return None;
        }
        Some(Object::of_bucket(self.key_of(&name), &meta))
    }

    /// The key of a name in the bucket.
    fn key_of(&self, name: &str) -> String {
        let below = name.strip_prefix(self.prefix.as_ref()).unwrap_or(name);
        if self.prefix.is_root() {
            below.to_owned()
        } else {
            below.strip_prefix('/').unwrap_or(below).to_owned()
        }
    }

    fn invalid(&self, key: &str, reason: String) -> StorageError {
        StorageError::InvalidKey { source_name: self.name.clone(), key: key.to_owned(), reason }
    }

    fn refusal(&self, key: &str, refusal: Refusal) -> StorageError {
        let (source_name, key) = (self.name.clone(), key.to_owned());
        match refusal {
            // No file has such a name: this is how a list tells of one that is no UTF-8.
            Refusal::Missing if key.contains(char::REPLACEMENT_CHARACTER) => {
                self.invalid(&key, "the name of its file is no UTF-8".to_owned())
            }
            Refusal::Missing => StorageError::NotFound { source_name, key },
            Refusal::Invalid(reason) => StorageError::InvalidKey { source_name, key, reason },
            Refusal::Denied(reason) => StorageError::Denied { source_name, key, reason },
            Refusal::TooLarge { size, limit } => StorageError::TooLarge { key, size, limit },
            Refusal::Changed => StorageError::Changed { source_name, key },
            Refusal::Failed(reason) => StorageError::Store { source_name, reason },
        }
    }

    fn store_error(&self, key: &str, error: &object_store::Error) -> StorageError {
        let (source_name, key) = (self.name.clone(), key.to_owned());
        let reason = match &self.place {
            Place::Folder { .. } => reason_of(error),
            Place::Bucket { opening, .. } => opening.redact(&reason_of(error)),
        };
        // Only failed reads of objects have kinds, failed lists do not.
        let status = status_of(error);
        if matches!(error, object_store::Error::NotFound { .. }) || status == Some(404) {
            return StorageError::NotFound { source_name, key };
        }
        let is_denied = matches!(
            error,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
        );
        if is_denied || matches!(status, Some(401 | 403)) {
            return StorageError::Denied { source_name, key, reason };
        }
        let is_no_name =
            || ["KeyTooLong", "InvalidURI", "InvalidObjectName"].iter().any(|code| reason.contains(code));
        if let Some(reason) =
            impossible(error).or_else(|| (status == Some(400) && is_no_name()).then(|| reason.clone()))
        {
            return StorageError::InvalidKey { source_name, key, reason };
        }
        StorageError::Store { source_name, reason }
    }
}

/// A folder's prefix without the slash that ends it.
fn folder_of(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

/// Does file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refusal::Failed(error.to_string())))
}

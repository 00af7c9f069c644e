//! One named root that pictures are read from.

mod local;
mod stream;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

pub use stream::{ByteStream, Writer};

/// A named root. Keys are relative to it and use `/`.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    location: String,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Of a local source: its canonical folder, which no key may leave.
    root: Option<PathBuf>,
}

/// An object of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key, relative to the source.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it last changed.
    pub modified: DateTime<Utc>,
    /// What tells its versions apart: the store's etag, or size and time.
    pub etag: String,
}

/// What lies directly under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folders, by name.
    pub folders: Vec<Folder>,
    /// The objects, by key.
    pub objects: Vec<Object>,
}

/// A folder of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its prefix, with a `/` at the end.
    pub prefix: String,
}

/// Why bytes could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No such source.
    #[error("there is no source \"{name}\"; declared are: {declared}")]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The names there are.
        declared: String,
    },
    /// A source's URL cannot be opened.
    #[error("cannot open {url}: {reason}")]
    Open {
        /// The URL, without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The key is no relative path, or leaves the source.
    #[error("\"{key}\" is no key of source \"{source_name}\": {reason}")]
    InvalidKey {
        /// The source.
        source_name: String,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// No such object.
    #[error("source \"{source_name}\" has no object \"{key}\"")]
    NotFound {
        /// The source.
        source_name: String,
        /// The key.
        key: String,
    },
    /// The object is larger than the reader allows.
    #[error("\"{key}\" has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// The key.
        key: String,
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// A list of objects that the database holds could not be read; trying again may help.
    #[error("{0}")]
    Database(String),
    /// The store itself failed; trying again may help.
    #[error("source \"{source_name}\": {source}")]
    Store {
        /// The source.
        source_name: String,
        /// What the store said.
        source: object_store::Error,
    },
}

impl StorageError {
    pub(super) fn open(url: &Url, reason: String) -> Self {
        let mut shown = url.clone();
        // A URL that cannot hold a password has none to hide.
        _ = shown.set_password(None);
        Self::Open { url: shown.to_string(), reason }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::Database(_))
    }
}

impl Source {
    /// A local folder.
    pub(super) fn local(name: &str, path: &FsPath) -> Result<Self, StorageError> {
        let open = |error: std::io::Error| StorageError::Open {
            url: path.display().to_string(),
            reason: error.to_string(),
        };
        let root = path.canonicalize().map_err(open)?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| StorageError::Open {
            url: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let location = format!("file://{}", root.display());
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        Ok(Self { name: name.to_owned(), location, store, prefix: Path::default(), root: Some(root) })
    }

    /// A bucket, or a part of one.
    pub(super) fn remote(name: &str, store: Arc<dyn ObjectStore>, prefix: Path, url: &Url) -> Self {
        let location = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
        Self { name: name.to_owned(), location, store, prefix, root: None }
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

    /// Every object under `prefix` (a folder), in no particular order, as a stream of constant memory.
    ///
    /// # Errors
    /// An invalid prefix at once; the store's failures in the stream.
    pub fn list(
        &self,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<Object, StorageError>>, StorageError> {
        let path = self.path(prefix)?;
        if let Some(root) = &self.root {
            let (base, below) = (root.join(self.prefix.as_ref()), root.join(path.as_ref()));
            return Ok(local::walk(root.clone(), base, below).map(Ok).boxed());
        }
        let this = self.clone();
        let stream = self.store.list(Some(&path)).map(move |meta| match meta {
            Ok(meta) => Ok(this.object(meta)),
            Err(error) => Err(this.store_error("", error)),
        });
        Ok(stream.boxed())
    }

    /// The folders and objects directly under `prefix`.
    ///
    /// # Errors
    /// An invalid prefix, or the store's failure.
    pub async fn browse(&self, prefix: &str) -> Result<Listing, StorageError> {
        let path = self.path(prefix)?;
        self.check_root(prefix).await?;
        let mut listing = match &self.root {
            Some(root) => {
                let (base, below) = (root.join(self.prefix.as_ref()), root.join(path.as_ref()));
                let found = local::browse(root.clone(), base, below).await;
                found.map_err(|error| self.store_error(prefix, error))?
            }
            None => {
                let found = self.store.list_with_delimiter(Some(&path)).await;
                let found = found.map_err(|error| self.store_error(prefix, error))?;
                let folder = |path: &Path| Folder { prefix: format!("{}/", self.key_of(path)) };
                Listing {
                    folders: found.common_prefixes.iter().map(folder).collect(),
                    objects: found.objects.into_iter().map(|meta| self.object(meta)).collect(),
                }
            }
        };
        listing.folders.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        listing.objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listing)
    }

    /// The bytes of an object, refused before they are read when there are more than `limit`.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` and `TooLarge` among them.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Bytes, StorageError> {
        let path = self.path(key)?;
        self.check_root(key).await?;
        let found = self.store.get(&path).await.map_err(|error| self.store_error(key, error))?;
        if found.meta.size > limit {
            return Err(StorageError::TooLarge { key: key.to_owned(), size: found.meta.size, limit });
        }
        found.bytes().await.map_err(|error| self.store_error(key, error))
    }

    /// Size, time and etag of an object.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` among them.
    pub async fn head(&self, key: &str) -> Result<Object, StorageError> {
        let path = self.path(key)?;
        self.check_root(key).await?;
        let meta = self.store.head(&path).await.map_err(|error| self.store_error(key, error))?;
        Ok(self.object(meta))
    }

    /// Writes an object whole: a reader sees the old bytes or the new ones.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(key)?;
        let put = self.store.put(&path, PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(|error| self.store_error(key, error))
    }

    /// Deletes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let path = self.path(key)?;
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.store_error(key, error)),
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
        if let Some(root) = &self.root {
            local::remove_empty(root.join(self.path(prefix)?.as_ref())).await;
        }
        Ok(objects.len() as u64)
    }

    fn path(&self, key: &str) -> Result<Path, StorageError> {
        super::join(&self.prefix, key.trim_end_matches('/')).map_err(|error| StorageError::InvalidKey {
            source_name: self.name.clone(),
            key: key.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Refuses a key of a local source that leads, links followed, out of its root.
    async fn check_root(&self, key: &str) -> Result<(), StorageError> {
        let Some(root) = &self.root else { return Ok(()) };
        let path = self.path(key)?;
        let on_disk = root.join(path.as_ref());
        match tokio::fs::canonicalize(&on_disk).await {
            Ok(real) if !real.starts_with(root) => Err(StorageError::InvalidKey {
                source_name: self.name.clone(),
                key: key.to_owned(),
                reason: "it leads out of the source".to_owned(),
            }),
            // What is missing is told by the read itself.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn object(&self, meta: ObjectMeta) -> Object {
        let own = meta.e_tag.filter(|_| self.root.is_none());
        let etag = own.unwrap_or_else(|| local::etag(meta.size, meta.last_modified));
        let key = self.key_of(&meta.location);
        Object { key, size: meta.size, modified: meta.last_modified, etag }
    }

    fn key_of(&self, path: &Path) -> String {
        let whole = path.as_ref();
        let prefix = self.prefix.as_ref();
        let below = whole.strip_prefix(prefix).unwrap_or(whole);
        below.trim_start_matches('/').to_owned()
    }

    fn store_error(&self, key: &str, error: object_store::Error) -> StorageError {
        let source_name = self.name.clone();
        if matches!(error, object_store::Error::NotFound { .. }) {
            return StorageError::NotFound { source_name, key: key.to_owned() };
        }
        if let Some(reason) = impossible(&error) {
            return StorageError::InvalidKey { source_name, key: key.to_owned(), reason };
        }
        StorageError::Store { source_name, source: error }
    }
}

/// Why the file system can never have such a file, if that is what it says.
fn impossible(error: &object_store::Error) -> Option<String> {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind
            .is_some_and(|kind| matches!(kind, InvalidFilename | InvalidInput | IsADirectory | NotADirectory))
        {
            return Some(error.to_string());
        }
        cause = error.source();
    }
    None
}

//! Reading and writing objects that are too large to be held whole.
//!
//! A written object appears whole when its writer is finished, and not at all when it is aborted.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt;

use super::{Object, Source, StorageError};

/// An object's bytes, piece by piece.
pub type ByteStream = BoxStream<'static, Result<Bytes, StorageError>>;

/// An object under way.
#[derive(Debug)]
pub struct Writer {
    source: Source,
    key: String,
    inner: BufWriter,
}

impl Source {
    /// An object and its bytes as a stream of constant memory.
    ///
    /// # Errors
    /// [`StorageError`], `NotFound` among them; the store's later failures in the stream.
    pub async fn open(&self, key: &str) -> Result<(Object, ByteStream), StorageError> {
        let path = self.path(key)?;
        self.check_root(key).await?;
        let found = self.store.get(&path).await.map_err(|error| self.store_error(key, error))?;
        let object = self.object(found.meta.clone());
        let (this, key) = (self.clone(), key.to_owned());
        let bytes = found.into_stream().map_err(move |error| this.store_error(&key, error));
        Ok((object, bytes.boxed()))
    }

    /// Begins an object; nothing is seen of it before [`Writer::finish`].
    ///
    /// # Errors
    /// [`StorageError::InvalidKey`].
    pub fn writer(&self, key: &str) -> Result<Writer, StorageError> {
        let inner = BufWriter::new(self.store.clone(), self.path(key)?);
        Ok(Writer { source: self.clone(), key: key.to_owned(), inner })
    }
}

impl Writer {
    /// Appends bytes.
    ///
    /// # Errors
    /// The store's failure; abort then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let done = self.inner.put(bytes).await;
        done.map_err(|error| self.source.store_error(&self.key, error))
    }

    /// Makes the object, whole.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn finish(mut self) -> Result<(), StorageError> {
        let done = self.inner.shutdown().await;
        done.map_err(|error| {
            let source = Box::new(error);
            self.source.store_error(&self.key, object_store::Error::Generic { store: "writer", source })
        })
    }

    /// Gives the object up and frees what was written of it.
    ///
    /// # Errors
    /// The store's failure: a part may be left behind.
    pub async fn abort(mut self) -> Result<(), StorageError> {
        let done = self.inner.abort().await;
        done.map_err(|error| self.source.store_error(&self.key, error))
    }
}

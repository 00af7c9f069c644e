//! Reading and writing objects that are too large to be held whole.
//!
//! A written object appears whole when its writer is finished, and not at all when it is aborted.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Object, Place, Source, StorageError, blocking, local};

/// Bytes of a file that are read at a time.
const PIECE: usize = 256 << 10;

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
        if let Place::Folder { root, .. } = &self.place {
            let (root, path) = (root.clone(), self.file(root, key)?);
            let opened = blocking(move || local::open(&root, &path)).await;
            let opened = opened.map_err(|refusal| self.refusal(key, refusal))?;
            let (object, this, key) = (opened.object(key), self.clone(), key.to_owned());
            let pieces = pieces(opened.file).map_err(move |error| this.refusal(&key, error.into()));
            return Ok((object, pieces.boxed()));
        }
        let path = self.in_bucket(key)?;
        let found = self.store().get(&path).await.map_err(|error| self.store_error(key, &error))?;
        let object = Object::of_bucket(key.to_owned(), &found.meta);
        let (this, key) = (self.clone(), key.to_owned());
        let bytes = found.into_stream().map_err(move |error| this.store_error(&key, &error));
        Ok((object, bytes.boxed()))
    }

    /// Begins an object; nothing is seen of it before [`Writer::finish`].
    ///
    /// # Errors
    /// [`StorageError::InvalidKey`].
    pub fn writer(&self, key: &str) -> Result<Writer, StorageError> {
        let inner = BufWriter::new(self.store().clone(), self.new_path(key)?);
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
        done.map_err(|error| self.source.store_error(&self.key, &error))
    }

    /// Makes the object, whole.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn finish(mut self) -> Result<(), StorageError> {
        let done = self.inner.shutdown().await;
        done.map_err(|error| {
            let source = Box::new(error);
            self.source.store_error(&self.key, &object_store::Error::Generic { store: "writer", source })
        })
    }

    /// Gives the object up and frees what was written of it.
    ///
    /// # Errors
    /// The store's failure: a part may be left behind.
    pub async fn abort(mut self) -> Result<(), StorageError> {
        let done = self.inner.abort().await;
        done.map_err(|error| self.source.store_error(&self.key, &error))
    }
}

/// A file, piece by piece.
fn pieces(file: std::fs::File) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(tokio::fs::File::from_std(file), async |mut file| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

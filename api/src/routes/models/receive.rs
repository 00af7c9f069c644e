//! Receiving a file of weights: to the artifacts store as safetensors, whatever it came as.
//!
//! A safetensors file streams through. One of PyTorch's, told by its first bytes, goes to a temporary file and is
//! converted there first.

use std::io::SeekFrom;

use actix_multipart::Field;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use lookalike_shared::config::temporary_dir;
use lookalike_shared::domain::backbone::TensorInfo;
use lookalike_shared::storage::Writer;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::header::{BadHeader, HeaderReader};
use crate::multipart;
use crate::problem::{ApiError, Code};
use crate::state::State;
use crate::weights::{self, ConvertError};

/// Bytes that tell the format.
const START: usize = 4;
/// Bytes of a converted file that are read at a time.
const PIECE: usize = 1 << 20;

/// The weights: on their way to the store, with what was learnt of them.
pub struct File {
    /// What becomes the stored object.
    pub writer: Writer,
    /// Its name where it came from.
    pub name: String,
    /// Bytes as they are stored.
    pub bytes: u64,
    /// SHA-256 as they are stored.
    pub sha256: [u8; 32],
    /// Its tensors, or why there are none to be told.
    pub tensors: Result<Vec<TensorInfo>, String>,
}

/// Streams the weights to the store; what comes to `file` before an error is there to be given up.
///
/// # Errors
/// 413 over the limit, 422 when it is no file of weights.
pub async fn receive(
    state: &State,
    key: &str,
    field: &mut Field,
    file: &mut Option<File>,
) -> Result<(), ApiError> {
    let file = file.insert(File {
        writer: state.storage.artifacts().writer(key)?,
        name: multipart::file_name(field).unwrap_or_default(),
        bytes: 0,
        sha256: [0; 32],
        tensors: Ok(Vec::new()),
    });
    let limit = state.limits.max_upload_bytes;
    let mut incoming = Incoming { field, bytes: 0, limit };
    let mut start = BytesMut::new();
    while start.len() < START {
        let Some(piece) = incoming.next().await? else { break };
        start.extend_from_slice(&piece);
    }
    let mut stored = Stored::default();
    if weights::is_pytorch(&start) {
        let mut converted = convert(&start, &mut incoming).await?;
        while let Some(piece) = next_piece(&mut converted).await? {
            stored.take(file, piece).await?;
        }
    } else {
        stored.take(file, start.freeze()).await?;
        while let Some(piece) = incoming.next().await? {
            stored.take(file, piece).await?;
        }
    }
    file.sha256 = stored.hash.finalize().into();
    file.tensors = stored.header.finish().map_err(|error| error.to_string());
    Ok(())
}

/// What is sent, within the limit.
struct Incoming<'a> {
    field: &'a mut Field,
    bytes: u64,
    limit: u64,
}

impl Incoming<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let piece = self.field.try_next().await.map_err(multipart::broken)?;
        self.bytes += piece.as_ref().map_or(0, Bytes::len) as u64;
        if self.bytes > self.limit {
            return Err(ApiError::too_large("the file", self.limit));
        }
        Ok(piece)
    }
}

/// What is learnt of a file while it goes to the store.
#[derive(Default)]
struct Stored {
    hash: Sha256,
    header: HeaderReader,
}

impl Stored {
    async fn take(&mut self, file: &mut File, piece: Bytes) -> Result<(), ApiError> {
        file.bytes += piece.len() as u64;
        let refuse = |error: BadHeader| ApiError::invalid_field("/file", error.to_string());
        self.header.push(&piece).map_err(refuse)?;
        self.hash.update(&piece);
        file.writer.write(piece).await?;
        Ok(())
    }
}

/// The rest of a PyTorch file that begins with `start`, as a safetensors file.
async fn convert(start: &[u8], incoming: &mut Incoming<'_>) -> Result<tokio::fs::File, ApiError> {
    let mut spooled = tokio::fs::File::from_std(tempfile::tempfile_in(temporary_dir()).map_err(disk_failed)?);
    spooled.write_all(start).await.map_err(disk_failed)?;
    while let Some(piece) = incoming.next().await? {
        spooled.write_all(&piece).await.map_err(disk_failed)?;
    }
    spooled.flush().await.map_err(disk_failed)?;
    let (spooled, limit) = (spooled.into_std().await, incoming.limit);
    let converted = tempfile::tempfile_in(temporary_dir()).map_err(disk_failed)?;
    let target = converted.try_clone().map_err(disk_failed)?;
    let work = tokio::task::spawn_blocking(move || weights::convert(spooled, target, limit)).await;
    match work.map_err(|error| ApiError::hidden(Code::Internal, "a file could not be converted", error))? {
        Ok(()) => {}
        Err(ConvertError::Io(error)) => return Err(disk_failed(error)),
        Err(error) => return Err(ApiError::invalid_field("/file", error.to_string())),
    }
    let mut converted = tokio::fs::File::from_std(converted);
    converted.seek(SeekFrom::Start(0)).await.map_err(disk_failed)?;
    Ok(converted)
}

async fn next_piece(file: &mut tokio::fs::File) -> Result<Option<Bytes>, ApiError> {
    let mut piece = BytesMut::with_capacity(PIECE);
    let read = file.read_buf(&mut piece).await.map_err(disk_failed)?;
    Ok((read > 0).then(|| piece.freeze()))
}

fn disk_failed(error: std::io::Error) -> ApiError {
    ApiError::hidden(Code::Internal, "a temporary file cannot be written or read", error)
}

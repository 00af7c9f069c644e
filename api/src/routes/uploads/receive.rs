//! Receiving files: one, a form of several, or an archive of many. Memory is bounded by a few files' worth.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures::stream;
use futures::{Stream, StreamExt, TryStreamExt};
use lookalike_shared::config::{Limits, temporary_dir};
use lookalike_shared::domain::FieldError;
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::StorageError;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::archive::{self, Bounds, MAX_FILES, Refusal, Unpacked};
use super::path::stored_path;
use crate::extract::unreadable;
use crate::multipart::{self, MAX_TEXT_BYTES};
use crate::problem::{ApiError, Code};
use crate::state::State;
use crate::views::upload::UploadReportView;

/// The media types of zip archives.
const ZIP_TYPES: [&str; 3] = ["application/zip", "application/x-zip-compressed", "application/octet-stream"];
/// Files of an archive that are stored at the same time.
const STORED_AT_ONCE: usize = 4;
/// Bytes that are read of a spooled body at a time.
const PIECE: usize = 64 << 10;
/// Left-out files that a refusal lists.
const MAX_ERRORS: usize = 100;

/// The most bytes of one uploaded file: what is larger than a picture may be, no job would read.
fn most_file_bytes(limits: &Limits) -> u64 {
    limits.max_picture_bytes.min(limits.max_upload_bytes)
}

/// Stores the body as one file; tells whether it replaced another one, and its size.
///
/// # Errors
/// 413 over the limit; the older file then stays.
pub async fn one_file(
    state: &State,
    set: &Name,
    path: &str,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<(bool, u64), ApiError> {
    let limit = most_file_bytes(&state.limits);
    refuse_declared(request, "the file", limit)?;
    let key = format!("{set}/{path}");
    let replaced = match state.storage.uploads().head(&key).await {
        Ok(_) => true,
        Err(StorageError::NotFound { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let body = body.map_err(unreadable);
    match store_stream(state, &key, body, limit).await? {
        Stored::Whole(bytes) => Ok((replaced, bytes)),
        Stored::TooLarge => Err(ApiError::too_large("the file", limit)),
    }
}

/// Stores the files of a form or an archive.
///
/// # Errors
/// 413 over a limit, 415 for another media type, 422 when nothing could be stored.
pub async fn many_files(
    state: &State,
    set: &Name,
    request: &HttpRequest,
    body: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
) -> Result<UploadReportView, ApiError> {
    let limit = state.limits.max_upload_bytes;
    refuse_declared(request, "the upload", limit)?;
    let mut report = UploadReportView::of(set.as_str());
    if multipart::is_form(request) {
        store_form(state, set, Multipart::new(request.headers(), body), &mut report).await?;
    } else if ZIP_TYPES.contains(&multipart::media_type(request).as_str()) {
        let body = body.map_err(unreadable);
        let (archive, _) = spool(body, limit).await?;
        store_archive(state, set, archive, &mut report).await?;
    } else {
        return Err(multipart::unsupported(request, "multipart/form-data or application/zip"));
    }
    if report.files == 0 { Err(nothing_stored(&report)) } else { Ok(report) }
}

/// An upload that was received and not looked at yet.
pub struct Received {
    file: Arc<File>,
    /// Tells contents apart, whatever a form's boundary is.
    pub hash: [u8; 32],
}

impl Received {
    /// Receives a whole upload.
    ///
    /// # Errors
    /// 413 over the limit, 400 for a damaged form.
    pub async fn of(state: &State, request: &HttpRequest, body: web::Payload) -> Result<Self, ApiError> {
        let limit = state.limits.max_upload_bytes;
        refuse_declared(request, "the upload", limit)?;
        let body = body.map_err(unreadable);
        let (file, _) = spool(body, limit).await?;
        let mut received = Self { file: Arc::new(file), hash: [0; 32] };
        received.hash = received.content_hash(request).await?;
        Ok(received)
    }

    /// The body once more, from its beginning. Each stream has a place of its own in the file: one that was given up may
    /// still be reading ahead.
    pub fn body(&self) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static {
        let file = self.file.clone();
        Box::pin(stream::try_unfold(0, move |place: u64| {
            let file = file.clone();
            let read = move || {
                let mut piece = vec![0; PIECE];
                let bytes = file.read_at(&mut piece, place)?;
                piece.truncate(bytes);
                Ok::<_, std::io::Error>(piece)
            };
            async move {
                let piece = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::from)??;
                let next = place + piece.len() as u64;
                Ok((!piece.is_empty()).then(|| (Bytes::from(piece), next)))
            }
        }))
    }

    async fn content_hash(&self, request: &HttpRequest) -> Result<[u8; 32], ApiError> {
        let mut hash = Sha256::new();
        let mut body = self.body();
        if !multipart::is_form(request) {
            let failed = |error| ApiError::hidden(Code::Internal, "the upload was lost", format!("{error}"));
            while let Some(piece) = body.try_next().await.map_err(failed)? {
                hash.update(&piece);
            }
            return Ok(hash.finalize().into());
        }
        let mut form = Multipart::new(request.headers(), body);
        while let Some(mut field) = form.try_next().await.map_err(multipart::broken)? {
            let names = [
                field.name().unwrap_or_default().to_owned(),
                multipart::file_name(&field).unwrap_or_default(),
            ];
            let mut content = Sha256::new();
            while let Some(piece) = field.try_next().await.map_err(multipart::broken)? {
                content.update(&piece);
            }
            for part in [names[0].as_bytes(), names[1].as_bytes(), &content.finalize()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Ok(hash.finalize().into())
    }
}

fn nothing_stored(report: &UploadReportView) -> ApiError {
    if report.skipped.is_empty() {
        return ApiError::invalid_field("", "the upload has no file");
    }
    let told = report.skipped.iter().take(MAX_ERRORS);
    ApiError::invalid(
        told.map(|file| FieldError::new("", format!("\"{}\": {}", file.path, file.reason))).collect(),
    )
}

/// A length that is declared is judged before anything is read.
fn refuse_declared(request: &HttpRequest, what: &str, limit: u64) -> Result<(), ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) { Err(ApiError::too_large(what, limit)) } else { Ok(()) }
}

/// What became of a file that was streamed to the store.
enum Stored {
    Whole(u64),
    TooLarge,
}

/// Streams a file to the store; what breaks off or is too large leaves nothing behind.
async fn store_stream(
    state: &State,
    key: &str,
    mut pieces: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
    limit: u64,
) -> Result<Stored, ApiError> {
    let mut writer = state.storage.uploads().writer(key)?;
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let written = match piece {
            Ok(piece) => {
                bytes += piece.len() as u64;
                if bytes > limit {
                    writer.abort().await?;
                    return Ok(Stored::TooLarge);
                }
                writer.write(piece).await.map_err(ApiError::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            writer.abort().await?;
            return Err(error);
        }
    }
    writer.finish().await?;
    Ok(Stored::Whole(bytes))
}

async fn store_form(
    state: &State,
    set: &Name,
    mut form: Multipart,
    report: &mut UploadReportView,
) -> Result<(), ApiError> {
    let limit = state.limits.max_upload_bytes;
    let mut named = None;
    let mut parts = 0;
    while let Some(mut field) = form.try_next().await.map_err(multipart::broken)? {
        parts += 1;
        if parts > MAX_FILES {
            return Err(ApiError::new(Code::PayloadTooLarge, Refusal::TooManyFiles(parts).to_string()));
        }
        let part = field.name().unwrap_or_default().to_owned();
        let file_name = multipart::file_name(&field);
        if file_name.is_none() && part == "path" {
            named = Some(multipart::text(&mut field, &part, MAX_TEXT_BYTES).await?);
            continue;
        }
        let Some(name) = named.take().or(file_name) else {
            report.skip(part, "the part has no file name");
            drain(&mut field).await?;
            continue;
        };
        store_part(state, set, &mut field, &name, report).await?;
        if report.bytes > limit {
            return Err(ApiError::too_large("the upload", limit));
        }
    }
    Ok(())
}

async fn store_part(
    state: &State,
    set: &Name,
    field: &mut Field,
    name: &str,
    report: &mut UploadReportView,
) -> Result<(), ApiError> {
    if name.to_ascii_lowercase().ends_with(".zip") {
        let pieces = field.map_err(multipart::broken);
        let (archive, _) = spool(pieces, state.limits.max_upload_bytes).await?;
        return store_archive(state, set, archive, report).await;
    }
    let path = match stored_path(name) {
        Ok(path) => path,
        Err(bad) => {
            report.skip(name, bad.to_string());
            return drain(field).await;
        }
    };
    let limit = most_file_bytes(&state.limits);
    let pieces = (&mut *field).map_err(multipart::broken);
    match store_stream(state, &format!("{set}/{path}"), pieces, limit).await? {
        Stored::Whole(bytes) => report.store(bytes),
        Stored::TooLarge => {
            report.skip(name, format!("it has more than the {limit} bytes allowed"));
            drain(field).await?;
        }
    }
    Ok(())
}

/// Reads a part's rest, which the parts after it lie behind.
async fn drain(field: &mut Field) -> Result<(), ApiError> {
    while field.try_next().await.map_err(multipart::broken)?.is_some() {}
    Ok(())
}

/// Writes a body to a file without a name, since an archive is read from its end.
async fn spool(
    mut pieces: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
    limit: u64,
) -> Result<(File, u64), ApiError> {
    let failed =
        |error: std::io::Error| ApiError::hidden(Code::Internal, "the upload could not be kept", error);
    let file = tempfile::tempfile_in(temporary_dir()).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes += piece.len() as u64;
        if bytes > limit {
            return Err(ApiError::too_large("the upload", limit));
        }
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok((file.into_std().await, bytes))
}

/// Unpacks an archive on a thread of its own and stores its files, a few at a time.
async fn store_archive(
    state: &State,
    set: &Name,
    archive: File,
    report: &mut UploadReportView,
) -> Result<(), ApiError> {
    let bounds =
        Bounds { file_bytes: most_file_bytes(&state.limits), total_bytes: state.limits.max_upload_bytes };
    let (sink, unpacked) = mpsc::channel(2);
    let unpacking = tokio::task::spawn_blocking(move || archive::unpack(archive, bounds, &sink));
    let unpacked = stream::unfold(unpacked, async |mut files| Some((files.recv().await?, files)));
    let stored = unpacked.map(|file| store_unpacked(state, set, file)).buffer_unordered(STORED_AT_ONCE);
    let mut stored = std::pin::pin!(stored);
    while let Some(file) = stored.try_next().await? {
        match file {
            Kept::File(bytes) => report.store(bytes),
            Kept::Skipped { path, reason } => report.skip(path, reason),
        }
    }
    let unpacking = unpacking
        .await
        .map_err(|error| ApiError::hidden(Code::Internal, "the archive could not be unpacked", error))?;
    unpacking.map_err(|refusal| match refusal {
        Refusal::Unreadable(_) => ApiError::invalid_field("", refusal.to_string()),
        Refusal::TooManyFiles(_) | Refusal::TooLarge { .. } => {
            ApiError::new(Code::PayloadTooLarge, refusal.to_string())
        }
    })
}

/// What became of a file of an archive.
enum Kept {
    File(u64),
    Skipped { path: String, reason: String },
}

async fn store_unpacked(state: &State, set: &Name, file: Unpacked) -> Result<Kept, ApiError> {
    match file {
        Unpacked::Skipped { path, reason } => Ok(Kept::Skipped { path, reason }),
        Unpacked::File { path, bytes } => {
            let size = bytes.len() as u64;
            state.storage.uploads().put(&format!("{set}/{path}"), bytes).await?;
            Ok(Kept::File(size))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_from_its_beginning_while_another_reader_is_on_its_way() {
        let bytes: Vec<u8> = (0..PIECE * 2 + 5).map(|at| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let received = Received { file: Arc::new(file), hash: [0; 32] };
        let (mut first, mut second) = (received.body(), received.body());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            one.extend(first.try_next().await.unwrap().unwrap());
            other.extend(second.try_next().await.unwrap().unwrap());
        }
        assert!(one == bytes && other == bytes);
        assert!(first.try_next().await.unwrap().is_none());
    }
}

//! Reads and decodes the files of a labelled set, batch by batch, the next ones while the last is used.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use lookalike_shared::storage::{Source, StorageError};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use super::LabelledFile;
use crate::picture::{Limits, Picture, PictureError, decode};
use crate::runtime::context::{JobContext, JobError};

/// Files per batch.
const BATCH: usize = 64;
/// Batches under way at a time: one is decoded while another one is fetched and a third one waits to be used.
const AHEAD: usize = 3;
/// Objects that one store may refuse together; of so many none is left out for its own sake.
const MANY: usize = 16;
/// Files of a batch fetched at a time.
const FETCHES: usize = 16;

/// Why a file is no picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// A stable name of the reason.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
}

impl From<PictureError> for Unreadable {
    fn from(error: PictureError) -> Self {
        Self { code: error.code.as_str().to_owned(), detail: error.detail }
    }
}

/// A view of every file of a batch, in the order of the files.
pub type Views<T> = Vec<(LabelledFile, Result<T, Unreadable>)>;

type View<T> = dyn Fn(&[u8], &Picture) -> T + Send + Sync;

/// Reads files in order. While a batch is used the next ones are fetched and decoded, so that neither the store nor the
/// processors wait for who uses them; what was begun ends when the reader is dropped.
pub struct Reader<T> {
    context: JobContext,
    source: Source,
    files: VecDeque<LabelledFile>,
    limits: Limits,
    view: Arc<View<T>>,
    ahead: VecDeque<AbortOnDropHandle<Result<Views<T>, JobError>>>,
}

impl<T: Send + 'static> Reader<T> {
    /// A reader of `files` of `source`, within the bounds of the worker. `view` is taken of each picture that can be
    /// read, from its bytes and its pixels, on many threads at a time.
    pub fn new(
        context: &JobContext,
        source: Source,
        files: Vec<LabelledFile>,
        view: impl Fn(&[u8], &Picture) -> T + Send + Sync + 'static,
    ) -> Self {
        let limits = picture_limits(&context.services.limits);
        let (view, ahead) = (Arc::new(view), VecDeque::new());
        Self { context: context.clone(), source, files: files.into(), limits, view, ahead }
    }

    /// The next batch. None at the end.
    ///
    /// # Errors
    /// [`JobError::Stopped`], or the source failed.
    pub async fn next(&mut self) -> Result<Option<Views<T>>, JobError> {
        self.context.check_stop()?;
        while self.ahead.len() < AHEAD && !self.files.is_empty() {
            let files: Vec<_> = self.files.drain(..BATCH.min(self.files.len())).collect();
            let reading = read(self.source.clone(), files, self.limits, self.view.clone());
            self.ahead.push_back(AbortOnDropHandle::new(tokio::spawn(reading)));
        }
        let Some(batch) = self.ahead.pop_front() else { return Ok(None) };
        batch.await.map_err(|error| JobError::retry("panic", error.to_string()))?.map(Some)
    }
}

async fn read<T: Send + 'static>(
    source: Source,
    files: Vec<LabelledFile>,
    limits: Limits,
    view: Arc<View<T>>,
) -> Result<Views<T>, JobError> {
    let keys: Vec<String> = files.iter().map(|file| file.key.clone()).collect();
    let fetched = fetch_all(&source, keys, limits.max_bytes as u64).await?;
    let views = tokio::task::spawn_blocking(move || {
        let view_one = |bytes: Result<Bytes, Unreadable>| {
            let bytes = bytes?;
            Ok(view(&bytes, &decode(&bytes, &limits)?))
        };
        fetched.into_par_iter().map(view_one).collect::<Vec<_>>()
    });
    let views = views.await.map_err(|error| JobError::retry("panic", error.to_string()))?;
    Ok(files.into_iter().zip(views).collect())
}

/// Fetches objects, several at a time, in order. What is missing, refused or too large is told of its object; a store that
/// fails is tried again by the next attempt, and one that refuses many in a row is no source.
///
/// # Errors
/// The store's failure.
pub async fn fetch_all(
    source: &Source,
    keys: Vec<String>,
    limit: u64,
) -> Result<Vec<Result<Bytes, Unreadable>>, JobError> {
    let fetches = keys.into_iter().map(|key| {
        let source = source.clone();
        async move { source.get(&key, limit).await }
    });
    let mut fetched: Vec<_> = stream::iter(fetches).buffered(FETCHES).collect().await;
    let is_denied =
        |fetched: &Result<Bytes, StorageError>| matches!(fetched, Err(StorageError::Denied { .. }));
    if fetched.len() >= MANY && fetched.iter().all(is_denied) {
        fetched.truncate(1);
        return Err(fetched.remove(0).map(|_| ()).expect_err("all are denied").into());
    }
    fetched.into_iter().map(judge).collect()
}

/// What is wrong with one object is that picture's; anything else is the job's.
fn judge(fetched: Result<Bytes, StorageError>) -> Result<Result<Bytes, Unreadable>, JobError> {
    match fetched {
        Err(error) if error.is_of_object() || matches!(error, StorageError::Changed { .. }) => {
            Ok(Err(Unreadable { code: error.code().to_owned(), detail: error.to_string() }))
        }
        fetched => Ok(Ok(fetched?)),
    }
}

/// The codec's bounds from the worker's.
pub fn picture_limits(limits: &lookalike_shared::config::Limits) -> Limits {
    Limits {
        max_bytes: usize::try_from(limits.max_picture_bytes).unwrap_or(usize::MAX),
        max_pixels: limits.max_picture_pixels,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_one_object_ends_no_training() {
        let (source_name, key, reason) = ("photos".to_owned(), "a.jpg".to_owned(), "403".to_owned());
        let denied = StorageError::Denied {
            source_name: source_name.clone(),
            key: key.clone(),
            reason: reason.clone(),
        };
        let code = |judged: Result<Result<Bytes, Unreadable>, JobError>| judged.unwrap().unwrap_err().code;
        assert_eq!(code(judge(Err(denied))), "denied");
        let changed = StorageError::Changed { source_name: source_name.clone(), key };
        assert_eq!(code(judge(Err(changed))), "changed");
        let down = judge(Err(StorageError::Store { source_name, reason }));
        assert!(matches!(down, Err(JobError::Retry(_))), "{down:?}");
    }
}

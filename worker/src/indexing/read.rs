//! The second stage: objects become pictures, as many at a time as keep the processors busy.
//!
//! How many objects are fetched at a time tunes itself: while the network waits for pictures and the processors have
//! none to decode, the store is what takes long, so more is asked of it at once. Files waiting to be decoded are bounded
//! by bytes, whatever their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use lookalike_shared::db::gallery::ManifestRow;
use lookalike_shared::db::items::NewItem;
use lookalike_shared::storage::{Object, StorageError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::plan::Todo;
use super::stages::Stages;
use super::{Done, Target, Work};
use crate::dataset::{Unreadable, picture_limits};
use crate::picture::{Limits, PictureError, ReadPicture, read_picture};
use crate::runtime::context::{JobContext, JobError};

/// Fewest and most objects under way at a time.
const WIDTH: std::ops::RangeInclusive<usize> = 16..=128;
/// Bytes of files that are fetched or wait to be decoded.
const FILE_BYTES: usize = 256 << 20;
/// Objects in a row that may fail for the store's sake; then it is the store that is down, and the job waits for it.
const MOST_UNREACHABLE: u32 = 16;

/// Why a picture failed that the store did not give.
const UNREACHABLE: &str = "unreachable";

/// A picture that is ready for the network.
pub struct Prepared {
    /// The object.
    pub work: Work,
    /// What is stored of it, from before it changed.
    pub known: Option<ManifestRow>,
    /// Size of the file.
    pub bytes: usize,
    /// What the file shows.
    pub picture: ReadPicture,
}

/// Fetches and decodes.
#[derive(Clone)]
pub struct Reader {
    context: JobContext,
    size: u32,
    limits: Limits,
    stages: Arc<Stages>,
    room: Arc<Semaphore>,
    fetching: Arc<AtomicUsize>,
    unreachable: Arc<AtomicU32>,
}

impl Reader {
    /// A reader for a target's model.
    pub fn new(context: &JobContext, target: &Target, stages: Arc<Stages>) -> Self {
        Self {
            context: context.clone(),
            size: target.model.image_size(),
            limits: picture_limits(&context.services.limits),
            stages,
            room: Arc::new(Semaphore::new(FILE_BYTES)),
            fetching: Arc::default(),
            unreachable: Arc::default(),
        }
    }

    /// Reads objects until there are no more. What cannot be read goes straight to `done`.
    ///
    /// # Errors
    /// The store is down, or a part of this program broke its own rules.
    pub async fn run(
        self,
        mut todos: mpsc::Receiver<Todo>,
        pictures: mpsc::Sender<Prepared>,
        done: mpsc::Sender<Done>,
    ) -> Result<(), JobError> {
        let mut flying = FuturesUnordered::new();
        let mut width = *WIDTH.start();
        let mut open = true;
        while open || !flying.is_empty() {
            let stages = &self.stages.read;
            tokio::select! {
                biased;
                Some(read) = flying.next(), if !flying.is_empty() => {
                    let read: Result<Result<Prepared, Failed>, JobError> = read;
                    match read? {
                        Ok(prepared) => {
                            width = self.tuned(width, flying.len(), &pictures);
                            stages.output.time(pictures.send(prepared)).await.map_err(|_| gone())?;
                        }
                        Err(failed) => {
                            stages.output.time(done.send(Done::Failed(failed))).await.map_err(|_| gone())?;
                        }
                    }
                }
                todo = stages.input.time(todos.recv()), if open && flying.len() < width => match todo {
                    Some(todo) => flying.push(self.clone().spawned(todo)),
                    None => open = false,
                },
            }
        }
        Ok(())
    }

    /// One more at a time when the next stage starves although all of the width is under way, most of it at the store.
    fn tuned(&self, width: usize, flying: usize, pictures: &mpsc::Sender<Prepared>) -> usize {
        let starves = pictures.capacity() == pictures.max_capacity();
        let at_the_store = 2 * self.fetching.load(Ordering::Relaxed) > width;
        let more = starves && at_the_store && flying + 1 >= width;
        (width + usize::from(more)).min(*WIDTH.end())
    }

    async fn spawned(self, todo: Todo) -> Result<Result<Prepared, Failed>, JobError> {
        let reading = AbortOnDropHandle::new(tokio::spawn(self.read(todo)));
        reading.await.unwrap_or_else(|error| Err(JobError::retry("panic", error.to_string())))
    }

    async fn read(self, todo: Todo) -> Result<Result<Prepared, Failed>, JobError> {
        let Todo { mut work, known } = todo;
        let room = usize::try_from(work.object.size).unwrap_or(usize::MAX).clamp(1, self.limits.max_bytes);
        let room = u32::try_from(room.min(FILE_BYTES)).unwrap_or(u32::MAX);
        let _room = self.room.acquire_many(room).await.map_err(|_| gone())?;
        let fetched = self.fetch(&work).await?;
        let (object, bytes) = match fetched {
            Ok(found) => found,
            Err(reason) => return Ok(Err(Failed::new(work, known, reason))),
        };
        work.object = object;
        Ok(match self.decode(bytes.clone()).await? {
            Ok(picture) => Ok(Prepared { work, known, bytes: bytes.len(), picture }),
            Err(error) => Err(Failed::new(work, known, error.into())),
        })
    }

    /// The object as it is now, and its bytes.
    async fn fetch(&self, work: &Work) -> Result<Result<(Object, Bytes), Unreadable>, JobError> {
        let name = work.uri.split('/').next().unwrap_or_default();
        let Some(source) = name.parse().ok().and_then(|name| self.context.storage().find_source(&name))
        else {
            let detail = format!("there is no source \"{name}\"");
            return Ok(Err(Unreadable { code: "unknown_source".to_owned(), detail }));
        };
        self.fetching.fetch_add(1, Ordering::Relaxed);
        let limit = self.limits.max_bytes as u64;
        let fetched = self.stages.fetching.time(source.get_listed(&work.object, limit)).await;
        self.fetching.fetch_sub(1, Ordering::Relaxed);
        let error = match fetched {
            Ok(fetched) => {
                self.unreachable.store(0, Ordering::Relaxed);
                return Ok(Ok((fetched.object, fetched.bytes)));
            }
            Err(error) => error,
        };
        let is_store = matches!(error, StorageError::Store { .. });
        if is_store && self.unreachable.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_UNREACHABLE {
            return Err(error.into());
        }
        let of_object = error.is_of_object() || matches!(error, StorageError::Changed { .. });
        if !is_store && !of_object {
            return Err(error.into());
        }
        let code = if is_store { UNREACHABLE } else { error.code() };
        Ok(Err(Unreadable { code: code.to_owned(), detail: error.to_string() }))
    }

    /// Decodes on one of the processors' threads.
    async fn decode(&self, bytes: Bytes) -> Result<Result<ReadPicture, PictureError>, JobError> {
        let (answer, answered) = oneshot::channel();
        let (limits, size, stages) = (self.limits, self.size, self.stages.clone());
        rayon::spawn(move || {
            // Nobody waits any more when the attempt has been stopped.
            if answer.is_closed() {
                return;
            }
            let started = std::time::Instant::now();
            let read = read_picture(&bytes, &limits, size);
            stages.decoding.add(started.elapsed());
            _ = answer.send(read);
        });
        answered.await.map_err(|_| JobError::retry("panic", "a picture was given up while it was decoded"))
    }
}

/// A picture that did not make it.
pub struct Failed {
    /// The item that tells of it.
    pub item: NewItem,
    /// What is stored of its object, from when it could be read.
    pub known: Option<ManifestRow>,
}

impl Failed {
    fn new(work: Work, known: Option<ManifestRow>, reason: Unreadable) -> Self {
        // What the store did not give may be there all the same.
        let there = [UNREACHABLE, "changed", "denied"].contains(&&*reason.code);
        let known = known.filter(|_| !there);
        Self { item: NewItem { uri: work.uri, code: reason.code, detail: reason.detail }, known }
    }
}

/// A stage that another one relies on has ended: its own error tells why.
pub fn gone() -> JobError {
    JobError::retry("pipeline", "a stage of the pipeline ended early")
}

//! A set's pictures: from the cache where it has them, else read, decoded and kept.

use std::time::Instant;

use lookalike_shared::db::items::{NewItem, insert_items};
use lookalike_shared::domain::progress::Meter;

use super::{Cache, CacheError, Found, Pack, PackKey, PackWriter, Prepared};
use crate::dataset::Unreadable;
use crate::dataset::{ListedSet, Reader, Views, picture_limits, unreadable};
use crate::picture::Picture;
use crate::runtime::context::{JobContext, JobError, LogLevel, PROGRESS_INTERVAL};

/// How far the reading of a job's sets is.
#[derive(Debug)]
pub struct Reading {
    meter: Meter,
    total: u64,
    done: u64,
    failed: u64,
    told: Option<Instant>,
}

impl Reading {
    /// The reading of `files` files in all.
    pub fn of(files: usize) -> Self {
        let total = files as u64;
        let meter = Meter::new("reading", "pictures", Some(total));
        Self { meter, total, done: 0, failed: 0, told: None }
    }

    /// Stores, now and again and at the end, that `files` more were read; `unreadable` among them are the job's items at
    /// once.
    ///
    /// # Errors
    /// [`JobError::Stopped`], or the database failed.
    pub async fn advance(
        &mut self,
        context: &JobContext,
        files: usize,
        unreadable: &[NewItem],
    ) -> Result<(), JobError> {
        self.done += files as u64;
        self.failed += unreadable.len() as u64;
        if !unreadable.is_empty() {
            insert_items(context.db(), context.attempt.job_id, unreadable).await?;
        }
        let seconds = context.started.elapsed().as_secs_f64();
        let progress = self.meter.update(seconds, self.done, self.failed);
        let is_due = self.told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL);
        if !is_due && self.done < self.total {
            return context.check_stop();
        }
        self.told = Some(Instant::now());
        context.progress(progress).await
    }
}

/// The pictures of a set, stored at `side` pixels. They are read, 64 at a time, only where the cache does not have them.
///
/// # Errors
/// The cache has no room, the source failed, or [`JobError::Stopped`].
pub async fn pictures_of(
    context: &JobContext,
    set: &ListedSet,
    side: usize,
    reading: &mut Reading,
) -> Result<Pack, JobError> {
    let started = Instant::now();
    let limits = picture_limits(&context.services.limits);
    let key = PackKey::of(&set.source, &set.listing.files, side, &limits);
    match find(context.services.cache.clone(), key.clone()).await? {
        // What the store did not give then, it may give now.
        Found::Pack(pack) if !is_whole(&pack.read) => {}
        Found::Pack(pack) => {
            let items = unreadable(set.listing.files.iter().zip(&pack.read));
            reading.advance(context, set.listing.len(), &items).await?;
            let seconds = started.elapsed().as_secs_f64();
            let line = format!("{} files of {set} were read before: opened in {seconds:.2} s", key.files());
            context.log(LogLevel::Info, line).await;
            return Ok(pack);
        }
        Found::Nothing => {}
        Found::Damaged(reason) => {
            let line =
                format!("the decoded pictures of {set} that were kept are damaged ({reason}): read anew");
            context.log(LogLevel::Warn, line).await;
        }
    }
    let pack = fill(context, set, &key, reading).await?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = key.files() as f64 / seconds;
    let line = format!("{} files of {set} read in {seconds:.2} s, {rate:.0} per second", key.files());
    context.log(LogLevel::Info, line).await;
    Ok(pack)
}

/// Whether all that is missing is missing for what the files themselves are.
fn is_whole<T>(read: &[Result<T, Unreadable>]) -> bool {
    let passes = |reason: &Unreadable| ["denied", "changed"].contains(&&*reason.code);
    !read.iter().any(|read| read.as_ref().is_err_and(passes))
}

async fn find(cache: Cache, key: PackKey) -> Result<Found, JobError> {
    off_the_loop(move || Ok(cache.open(&key))).await
}

async fn fill(
    context: &JobContext,
    set: &ListedSet,
    key: &PackKey,
    reading: &mut Reading,
) -> Result<Pack, JobError> {
    let (cache, of_set) = (context.services.cache.clone(), key.clone());
    let mut writer = off_the_loop(move || cache.begin(&of_set)).await?;
    let side = u32::try_from(key.side()).unwrap_or(u32::MAX);
    let view = move |bytes: &[u8], picture: &Picture| Prepared::of(bytes, picture, side);
    let mut reader = Reader::new(context, set.source.clone(), set.listing.files.clone(), view);
    while let Some(batch) = reader.next().await? {
        let (files, items) = (batch.len(), unreadable(batch.iter().map(|(file, read)| (file, read))));
        writer = write(context, writer, batch).await?;
        reading.advance(context, files, &items).await?;
    }
    let folder = folder_of(context);
    off_the_loop(move || writer.finish().map_err(|source| CacheError::Io { folder, source })).await
}

async fn write(
    context: &JobContext,
    mut writer: PackWriter,
    batch: Views<Prepared>,
) -> Result<PackWriter, JobError> {
    let folder = folder_of(context);
    off_the_loop(move || {
        for (_, read) in batch {
            writer.push(read).map_err(|source| CacheError::Io { folder: folder.clone(), source })?;
        }
        Ok(writer)
    })
    .await
}

fn folder_of(context: &JobContext) -> String {
    context.services.cache.folder.display().to_string()
}

/// Runs what waits for the disk beside the loops that must not wait.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CacheError> + Send + 'static,
) -> Result<T, JobError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| JobError::retry("panic", error.to_string()))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_refused_is_asked_for_again() {
        let unreadable = |code: &str| Err(Unreadable { code: code.to_owned(), detail: String::new() });
        assert!(is_whole(&[Ok(()), unreadable("corrupt"), unreadable("too_large")]));
        assert!(!is_whole(&[Ok(()), unreadable("denied")]));
        assert!(!is_whole::<()>(&[unreadable("changed")]));
    }
}

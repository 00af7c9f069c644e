//! Looking through a local folder, whatever lies in it: names that are no text, links that lead out or in circles.
//!
//! What has no valid key, or leads out of the root, is given all the same, without size and etag: reading it is
//! refused with the reason, so that one odd file is one failed picture and not a failed listing. What lies behind a
//! link out of the root is not looked at. Only links are resolved: what is reached without one cannot lead out.

mod file;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;
use walkdir::{DirEntry, WalkDir};

use super::{Folder, Listing, Object};

pub(super) use file::{Refusal, open, read, read_start};

/// Objects handed over at a time.
const CHUNK: usize = 256;

/// What is found, told to whoever listens to a walk.
type Found = Result<Vec<Object>, Refusal>;

/// What tells versions of a local file apart.
fn etag(size: u64, modified: DateTime<Utc>) -> String {
    format!("{size}-{}", modified.timestamp_micros())
}

/// Every file at or below `below`, keys relative to `base`, as a stream of constant memory.
pub(super) fn walk(
    root: PathBuf,
    base: PathBuf,
    below: PathBuf,
) -> BoxStream<'static, Result<Object, Refusal>> {
    let (sink, chunks) = mpsc::channel::<Found>(4);
    tokio::task::spawn_blocking(move || {
        // Nobody listens any more when the sending fails.
        if let Err(refusal) = check_root(&root) {
            _ = sink.blocking_send(Err(refusal));
            return;
        }
        if below.exists() && !is_inside(&root, &below) {
            _ = sink.blocking_send(Err(Refusal::outside()));
            return;
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut entries = WalkDir::new(&below).follow_links(true).into_iter();
        while let Some(entry) = entries.next() {
            let is_way_out = entry.as_ref().is_ok_and(|entry| is_way_out(&root, entry));
            if is_way_out && entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()) {
                entries.skip_current_dir();
            }
            let Some(object) = object(&base, entry, is_way_out) else { continue };
            chunk.push(object);
            if chunk.len() == CHUNK {
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
                if sink.blocking_send(Ok(full)).is_err() {
                    return;
                }
            }
        }
        _ = sink.blocking_send(Ok(chunk));
    });
    let chunks = stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
    let objects = chunks.map(|found| match found {
        Ok(objects) => stream::iter(objects).map(Ok).left_stream(),
        Err(refusal) => stream::iter([Err(refusal)]).right_stream(),
    });
    objects.flatten().boxed()
}

/// The place of an entry in its folder: whether it is an object, and its key.
pub(super) type Order = (bool, String);

/// What lies directly in `below`, folders first, each by name: at most `limit` of it, after what `after` names, and
/// after what the next page begins. Only what is given is looked at closely.
pub(super) fn page(
    root: &Path,
    base: &Path,
    below: &Path,
    after: Option<&Order>,
    limit: usize,
) -> Result<(Listing, Option<Order>), Refusal> {
    let mut listing = Listing::default();
    check_root(root)?;
    if !below.is_dir() {
        return Ok((listing, None));
    }
    if !is_inside(root, below) {
        return Err(Refusal::outside());
    }
    let entries = WalkDir::new(below).follow_links(true).min_depth(1).max_depth(1).into_iter();
    let named = entries.filter_map(|entry| {
        let (path, is_folder) = match &entry {
            Ok(entry) => (entry.path(), entry.file_type().is_dir()),
            Err(error) => (error.path()?, false),
        };
        let order = (!is_folder, relative(base, path));
        after.is_none_or(|after| order > *after).then_some((order, entry))
    });
    let mut named: Vec<_> = named.collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    let more = named.len() > limit;
    named.truncate(limit);
    let next = named.last().filter(|_| more).map(|(order, _)| order.clone());
    for ((is_object, key), entry) in named {
        let is_way_out = entry.as_ref().is_ok_and(|entry| is_way_out(root, entry));
        if is_object {
            listing.objects.extend(object(base, entry, is_way_out));
        } else if !is_way_out {
            listing.folders.push(Folder { prefix: key + "/" });
        }
    }
    Ok((listing, next))
}

/// Removes the folders below and at `folder` that hold nothing.
pub(super) async fn remove_empty(folder: PathBuf) {
    let removed = tokio::task::spawn_blocking(move || {
        let folders = WalkDir::new(folder).contents_first(true).into_iter().filter_map(Result::ok);
        for entry in folders.filter(|entry| entry.file_type().is_dir()) {
            // One that is filled meanwhile stays.
            _ = std::fs::remove_dir(entry.path());
        }
    });
    _ = removed.await;
}

/// The object of an entry that is a file, or that is nothing to be read.
fn object(base: &Path, entry: Result<DirEntry, walkdir::Error>, is_way_out: bool) -> Option<Object> {
    let entry = match entry {
        Ok(entry) => entry,
        // A folder that holds itself was walked already; one that is not there holds nothing.
        Err(error) if error.loop_ancestor().is_some() => return None,
        Err(error) if error.depth() == 0 && is_missing(&error) => return None,
        Err(error) => return error.path().map(|path| Object::unreadable(relative(base, path))),
    };
    let key = relative(base, entry.path());
    if is_way_out {
        return Some(Object::unreadable(key));
    }
    if entry.file_type().is_dir() {
        return None;
    }
    let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file);
    let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok()).map(DateTime::<Utc>::from);
    let (Some(metadata), Some(modified), Some(_)) = (metadata, modified, entry.path().to_str()) else {
        return Some(Object::unreadable(key));
    };
    let size = metadata.len();
    Some(Object { key, size, modified, etag: etag(size, modified) })
}

fn is_missing(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The key of a path. What is no UTF-8 in it is replaced.
fn relative(base: &Path, path: &Path) -> String {
    let below = || path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned();
    // Comparing path components one by one would be half of the time of a walk.
    let fast = base.to_str().and_then(|base| path.to_str()?.strip_prefix(base)?.strip_prefix('/'));
    fast.map_or_else(below, ToOwned::to_owned)
}

/// A source whose own folder is gone holds what it held, as far as anybody knows; it is not empty.
fn check_root(root: &Path) -> Result<(), Refusal> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Refusal::Failed(format!("its folder {} is not there", root.display())))
}

/// Whether an entry is a link that leads out of the root.
fn is_way_out(root: &Path, entry: &DirEntry) -> bool {
    entry.path_is_symlink() && !is_inside(root, entry.path())
}

/// Whether a path, links followed, stays in the root.
fn is_inside(root: &Path, path: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real.starts_with(root))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use futures::TryStreamExt;

    use super::*;

    async fn walk_all(root: &Path, below: &Path) -> Result<Vec<Object>, Refusal> {
        walk(root.to_owned(), root.to_owned(), below.to_owned()).try_collect().await
    }

    #[tokio::test]
    async fn odd_names_and_links_are_objects_that_cannot_be_read() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "hush").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/good.jpg"), "12345").unwrap();
        std::fs::write(root.join("a/two\nlines"), "12").unwrap();
        std::fs::write(root.join("a").join(std::ffi::OsStr::from_bytes(b"bad\xff.jpg")), "x").unwrap();
        symlink("..", root.join("a/loop")).unwrap();
        symlink(outside.path(), root.join("a/out")).unwrap();
        symlink(outside.path().join("secret"), root.join("a/secret")).unwrap();
        symlink("nowhere", root.join("a/dangling")).unwrap();
        symlink("good.jpg", root.join("a/same.jpg")).unwrap();
        let found = walk_all(&root, &root).await.unwrap();
        let mut told: Vec<_> = found.iter().map(|object| (object.key.as_str(), object.size)).collect();
        told.sort();
        let expected = [
            ("a/bad\u{fffd}.jpg", 0),
            ("a/dangling", 0),
            ("a/good.jpg", 5),
            ("a/out", 0),
            ("a/same.jpg", 5),
            ("a/secret", 0),
            ("a/two\nlines", 2),
        ];
        assert_eq!(told, expected);
        assert_eq!(found.iter().filter(|object| object.is_unreadable()).count(), 4);
        let (listing, next) = page(&root, &root, &root.join("a"), None, 100).unwrap();
        assert_eq!(
            (listing.folders.len(), listing.objects.len(), next),
            (1, 6, None),
            "the way out is not shown"
        );
        assert_eq!(walk_all(&root, &root.join("nowhere")).await.unwrap(), []);
        assert_eq!(walk_all(&root, &root.join("a/out")).await, Err(Refusal::outside()));
        assert_eq!(page(&root, &root, &root.join("a/out"), None, 9), Err(Refusal::outside()));
    }

    #[tokio::test]
    async fn a_source_whose_folder_is_gone_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(walk_all(&root, &root).await, Ok(Vec::new()));
        drop(folder);
        assert!(matches!(walk_all(&root, &root).await, Err(Refusal::Failed(_))));
        assert!(matches!(page(&root, &root, &root, None, 9), Err(Refusal::Failed(_))));
        assert!(matches!(open(&root, &root.join("x")), Err(Refusal::Failed(_))));
    }

    #[tokio::test]
    async fn only_empty_folders_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("set/a/b")).unwrap();
        std::fs::create_dir_all(folder.path().join("set/c")).unwrap();
        std::fs::write(folder.path().join("set/c/kept"), "x").unwrap();
        remove_empty(folder.path().join("set")).await;
        assert!(folder.path().join("set/c/kept").exists() && !folder.path().join("set/a").exists());
    }
}

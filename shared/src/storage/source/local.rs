//! Looking through a local folder, whatever lies in it: names that are no keys, links that lead out or in circles.
//!
//! What has no valid key, or leads out of the root, is given all the same, without size and etag: reading it is
//! refused with the reason, so that one odd file is one failed picture and not a failed listing.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path as Key;
use tokio::sync::mpsc;
use walkdir::{DirEntry, WalkDir};

use super::{Folder, Listing, Object};

/// Objects handed over at a time.
const CHUNK: usize = 256;

/// What tells versions of a local file apart.
pub(super) fn etag(size: u64, modified: DateTime<Utc>) -> String {
    format!("{size}-{}", modified.timestamp_micros())
}

/// Every file below `root/below`, keys relative to `root/base`, as a stream of constant memory.
pub(super) fn walk(root: PathBuf, base: PathBuf, below: PathBuf) -> BoxStream<'static, Object> {
    let (sink, chunks) = mpsc::channel::<Vec<Object>>(4);
    tokio::task::spawn_blocking(move || {
        let entries = WalkDir::new(&below).follow_links(true).into_iter();
        let files = entries.filter_map(|entry| file(&root, &base, entry));
        let mut chunk = Vec::with_capacity(CHUNK);
        for object in files {
            chunk.push(object);
            // Nobody listens any more when the sending fails.
            if chunk.len() == CHUNK && sink.blocking_send(std::mem::take(&mut chunk)).is_err() {
                return;
            }
        }
        _ = sink.blocking_send(chunk);
    });
    let chunks = stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
    chunks.flat_map(stream::iter).boxed()
}

/// What lies directly in `root/below`.
pub(super) async fn browse(
    root: PathBuf,
    base: PathBuf,
    below: PathBuf,
) -> Result<Listing, object_store::Error> {
    let looked = tokio::task::spawn_blocking(move || {
        let mut listing = Listing { folders: Vec::new(), objects: Vec::new() };
        if !below.is_dir() {
            return listing;
        }
        for entry in WalkDir::new(&below).follow_links(true).min_depth(1).max_depth(1) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() && is_inside(&root, entry.path()) => {
                    let prefix = format!("{}/", relative(&base, entry.path()));
                    listing.folders.push(Folder { prefix });
                }
                entry => listing.objects.extend(file(&root, &base, entry)),
            }
        }
        listing
    });
    Ok(looked.await?)
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
fn file(root: &Path, base: &Path, entry: Result<DirEntry, walkdir::Error>) -> Option<Object> {
    let entry = match entry {
        Ok(entry) => entry,
        // A folder that holds itself was walked already; one that is not there holds nothing.
        Err(error) if error.loop_ancestor().is_some() || error.depth() == 0 => return None,
        Err(error) => return error.path().map(|path| unreadable(base, path)),
    };
    if entry.file_type().is_dir() {
        return None;
    }
    let path = entry.path();
    let known = path.to_str().is_some() && Key::parse(relative(base, path)).is_ok();
    let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file());
    let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok()).map(DateTime::<Utc>::from);
    let (Some(metadata), Some(modified), true) = (metadata, modified, known && is_inside(root, path)) else {
        return Some(unreadable(base, path));
    };
    let size = metadata.len();
    Some(Object { key: relative(base, path), size, modified, etag: etag(size, modified) })
}

fn unreadable(base: &Path, path: &Path) -> Object {
    Object { key: relative(base, path), size: 0, modified: DateTime::UNIX_EPOCH, etag: String::new() }
}

fn relative(base: &Path, path: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned()
}

/// Whether a path, links followed, stays in the root.
fn is_inside(root: &Path, path: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real.starts_with(root))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[tokio::test]
    async fn odd_names_and_links_are_objects_that_cannot_be_read() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "hush").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/good.jpg"), "12345").unwrap();
        std::fs::write(root.join("a").join(std::ffi::OsStr::from_bytes(b"bad\xff.jpg")), "x").unwrap();
        std::os::unix::fs::symlink("..", root.join("a/loop")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("a/out")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("a/dangling")).unwrap();
        let found: Vec<Object> = walk(root.clone(), root.clone(), root.clone()).collect().await;
        let mut sizes: Vec<(&str, u64)> =
            found.iter().map(|object| (object.key.as_str(), object.size)).collect();
        sizes.sort();
        let expected = [("a/bad\u{fffd}.jpg", 0), ("a/dangling", 0), ("a/good.jpg", 5), ("a/out/secret", 0)];
        assert_eq!(sizes, expected);
        let listing = browse(root.clone(), root.clone(), root.join("a")).await.unwrap();
        assert_eq!((listing.folders.len(), listing.objects.len()), (1, 3), "the way out is not shown");
        let missing = walk(root.clone(), root.clone(), root.join("nowhere"));
        assert_eq!(missing.count().await, 0);
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

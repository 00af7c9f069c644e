//! Reading a file of a local source: opened once, and judged by what is open.
//!
//! Where an open file lies is asked of the system after it was opened, so that nothing that is renamed or linked
//! meanwhile leads out of the root. A pipe does not keep the reader waiting.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use nix::fcntl::OFlag;

use super::super::super::error::never;
use super::super::Object;
use super::{check_root, etag, is_inside};

/// How often a file that changes while it is read is read again.
const TRIES: usize = 4;

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Refusal {
    Missing,
    Invalid(String),
    Denied(String),
    TooLarge { size: u64, limit: u64 },
    Changed,
    Failed(String),
}

impl Refusal {
    pub(in super::super) fn outside() -> Self {
        Self::Invalid("it leads out of the source".to_owned())
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let (kind, reason) = (error.kind(), error.to_string());
        // Links in a circle have no kind of their own yet.
        let is_circle = error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32);
        if kind == io::ErrorKind::NotFound {
            Self::Missing
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Denied(reason)
        } else if is_circle || never(kind) {
            Self::Invalid(reason)
        } else {
            Self::Failed(reason)
        }
    }
}

/// A file of the source.
#[derive(Debug)]
pub(in super::super) struct Opened {
    pub(in super::super) file: File,
    pub(in super::super) size: u64,
    modified: DateTime<Utc>,
}

impl Opened {
    /// What it is as an object.
    pub(in super::super) fn object(&self, key: &str) -> Object {
        let Self { size, modified, .. } = *self;
        Object { key: key.to_owned(), size, modified, etag: etag(size, modified) }
    }
}

/// Opens the file at `path`, if it lies in `root` and is one.
pub(in super::super) fn open(root: &Path, path: &Path) -> Result<Opened, Refusal> {
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Ok(file) => file,
        // What is outside is not told of, not even that it cannot be opened.
        Err(error) if error.kind() != io::ErrorKind::NotFound && leads_out(root, path) => {
            return Err(Refusal::outside());
        }
        Err(error) => return Err(check_root(root).err().unwrap_or_else(|| error.into())),
    };
    let metadata = file.metadata()?;
    if !lies_inside(root, path, &file, &metadata) {
        return Err(Refusal::outside());
    }
    if !metadata.is_file() {
        return Err(Refusal::Invalid("it is no file".to_owned()));
    }
    let (size, modified) = (metadata.len(), metadata.modified()?.into());
    Ok(Opened { file, size, modified })
}

/// Reads the file at `path` whole, unless it has more than `limit` bytes.
pub(in super::super) fn read(root: &Path, path: &Path, limit: u64) -> Result<(Opened, Bytes), Refusal> {
    for _ in 0..TRIES {
        let opened = open(root, path)?;
        let size = opened.size;
        if size > limit {
            return Err(Refusal::TooLarge { size, limit });
        }
        // One more, so that the end is found without growing.
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
        (&opened.file).take(size + 1).read_to_end(&mut bytes)?;
        let after = opened.file.metadata()?;
        let is_same = after.len() == size
            && after.modified().is_ok_and(|at| opened.modified == DateTime::<Utc>::from(at));
        if is_same && bytes.len() as u64 == size {
            return Ok((opened, bytes.into()));
        }
    }
    Err(Refusal::Changed)
}

/// Reads at most the first `most` bytes of the file at `path`.
pub(in super::super) fn read_start(root: &Path, path: &Path, most: u64) -> Result<(Opened, Bytes), Refusal> {
    let opened = open(root, path)?;
    let mut bytes = Vec::new();
    (&opened.file).take(most).read_to_end(&mut bytes)?;
    Ok((opened, bytes.into()))
}

/// Whether an open file lies in the root: the system tells where it is, or its path leads to this very file.
fn lies_inside(root: &Path, path: &Path, file: &File, metadata: &Metadata) -> bool {
    let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if place.is_ok_and(|place| place.starts_with(root)) {
        return true;
    }
    let is_same = |other: Metadata| (other.dev(), other.ino()) == (metadata.dev(), metadata.ino());
    let real = path.canonicalize().ok().filter(|real| real.starts_with(root));
    real.is_some_and(|real| std::fs::symlink_metadata(real).is_ok_and(is_same))
}

fn leads_out(root: &Path, path: &Path) -> bool {
    path.exists() && !is_inside(root, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_in_the_root_are_opened() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "hush").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/x"), "12345").unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        symlink(root.join("a"), root.join("in")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let opened = |path: &str| open(&root, &root.join(path)).map(|opened| opened.size);
        assert_eq!(opened("a/x"), Ok(5));
        assert_eq!(opened("in/x"), Ok(5), "a link may lead from one place of the source to another");
        for way_out in ["out/secret", "out"] {
            assert_eq!(opened(way_out), Err(Refusal::outside()));
        }
        for missing in ["none", "out/none"] {
            assert_eq!(opened(missing), Err(Refusal::Missing));
        }
        for odd in ["a", "pipe", "circle", "a/x/y", &"n".repeat(300)] {
            assert!(matches!(opened(odd), Err(Refusal::Invalid(_))), "{odd}: {:?}", opened(odd));
        }
    }

    #[test]
    fn a_file_is_read_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let path = root.join("x");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&root, &path, 5).unwrap().1, "12345");
        assert_eq!(read(&root, &path, 4).unwrap_err(), Refusal::TooLarge { size: 5, limit: 4 });
        assert_eq!(read_start(&root, &path, 2).unwrap().1, "12");
    }
}

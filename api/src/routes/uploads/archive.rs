//! Unpacking a zip archive into a set of uploads, in constant memory.
//!
//! An archive is judged as a whole before anything of it is stored: how many files it has, how many bytes it
//! says they unpack to. A file that then yields another number of bytes than announced is left out, so an
//! archive bomb cannot exceed the bound. Nothing here knows the store: each file is handed to a channel.

use std::fs::File;
use std::io::{BufReader, Read};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use zip::ZipReadOptions;
use zip::read::{Config, ZipFile, ZipFileEntry};
use zip::result::ZipError;
// Pinned by version: the stable reader keeps the whole directory of an archive in memory.
use zip::unstable::read::ZipIterable;

use super::path::stored_path;

/// The most files of one archive.
pub const MAX_FILES: usize = 200_000;

/// Bounds on what is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most bytes of one file.
    pub file_bytes: u64,
    /// The most bytes of all files together.
    pub total_bytes: u64,
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpacked {
    /// To be stored.
    File {
        /// Where in the set.
        path: String,
        /// Its content.
        bytes: Bytes,
    },
    /// Left out.
    Skipped {
        /// Its name in the archive.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Why nothing of an archive is stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is none, or damaged.
    #[error("the zip archive cannot be read: {0}")]
    Unreadable(#[from] ZipError),
    /// More files than [`MAX_FILES`].
    #[error("the archive has {0} files, more than the {MAX_FILES} allowed")]
    TooManyFiles(usize),
    /// Unpacked, it is larger than allowed.
    #[error("the archive unpacks to {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// What it announces.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
}

/// Hands every file of the archive to `sink`. Blocks; stops early when nobody receives.
///
/// # Errors
/// [`Refusal`], before the first file is handed over.
pub fn unpack(archive: File, bounds: Bounds, sink: &Sender<Unpacked>) -> Result<(), Refusal> {
    let bodies = archive.try_clone().map_err(ZipError::from)?;
    let mut archive = ZipIterable::try_new(BufReader::new(archive), Config::default())?;
    judge(&mut archive, bounds)?;
    let mut files = archive.files_with_reader(BufReader::new(bodies), ZipReadOptions::new())?;
    let mut names = Names::default();
    while let Some(file) = files.next() {
        let unpacked = match file {
            Ok(file) if file.is_dir() => continue,
            Ok(file) => read(file, bounds, &mut names),
            Err(error) => Unpacked::Skipped { path: names.after_last(), reason: error.to_string() },
        };
        if sink.blocking_send(unpacked).is_err() {
            break;
        }
    }
    Ok(())
}

/// Remembers where in the archive the reading is, for files whose own name cannot be told.
#[derive(Default)]
struct Names {
    last: String,
}

impl Names {
    fn after_last(&self) -> String {
        format!("(after \"{}\")", self.last)
    }
}

fn judge(archive: &mut ZipIterable<BufReader<File>>, bounds: Bounds) -> Result<(), Refusal> {
    if archive.len() > MAX_FILES {
        return Err(Refusal::TooManyFiles(archive.len()));
    }
    let mut bytes = 0_u64;
    for entry in archive.files()? {
        let entry: ZipFileEntry<'_> = entry?;
        bytes = bytes.saturating_add(entry.size());
    }
    if bytes > bounds.total_bytes {
        return Err(Refusal::TooLarge { bytes, limit: bounds.total_bytes });
    }
    Ok(())
}

fn read(mut file: ZipFile<'_, BufReader<File>>, bounds: Bounds, names: &mut Names) -> Unpacked {
    let name = String::from_utf8_lossy(file.name_raw()).into_owned();
    let name = file.name().map(|name| name.into_owned()).unwrap_or(name);
    names.last.clone_from(&name);
    let skipped = |reason: String| Unpacked::Skipped { path: name.clone(), reason };
    let path = match stored_path(&name) {
        Ok(path) => path,
        Err(reason) => return skipped(reason.to_string()),
    };
    if file.is_symlink() {
        return skipped("links are not followed".to_owned());
    }
    let size = file.size();
    if size > bounds.file_bytes {
        return skipped(format!("it has {size} bytes, more than the {} allowed", bounds.file_bytes));
    }
    let mut bytes = Vec::new();
    match (&mut file).take(size + 1).read_to_end(&mut bytes) {
        Ok(read) if read as u64 == size => Unpacked::File { path, bytes: bytes.into() },
        Ok(_) => skipped(format!("it does not unpack to the {size} bytes it announces")),
        Err(error) => skipped(format!("it cannot be unpacked: {error}")),
    }
}

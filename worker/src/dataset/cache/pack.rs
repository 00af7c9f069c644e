//! One packed file: the pixels of a set's readable pictures, then what is known of every file, then where that begins.
//!
//! | bytes | what |
//! | --- | --- |
//! | `N * side * side * 3` | pixels, `u8` `[N, side, side, 3]`, from the file's first byte, so that they are mapped as they are |
//! | `length` | JSON: the key, and for each file of the set what was seen and the SHA-256 of its pixels, or why it cannot be read |
//! | 8, 32, 8 | `length` (little endian), the SHA-256 of the JSON, the format's name |
//!
//! It is written in one pass under another name, flushed to the disk and then renamed: a file of this name is whole.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::key::PackKey;
use super::room;
use crate::dataset::{ReadFiles, Seen, Unreadable, hex};
use crate::network::Pictures;
use crate::picture::{Picture, content_hash, prepare};

/// The format's name and version, at the end of every file.
pub const FORMAT: &str = "LKPACK02";

const DIGEST_BYTES: usize = 32;
const TRAILER_BYTES: usize = 8 + DIGEST_BYTES + FORMAT.len();

/// A set's decoded pictures. While it lives its file is in use.
#[derive(Debug)]
pub struct Pack {
    /// The readable pictures, in the order of the set's files; a mapped file.
    pub pictures: Pictures,
    /// For each file of the set what was seen, or why it cannot be read.
    pub read: ReadFiles,
}

/// One picture on its way into a file.
#[derive(Debug, Clone)]
pub struct Prepared {
    seen: Seen,
    pixels: Vec<u8>,
    pixels_sha256: String,
}

impl Prepared {
    /// Scales a picture to `side` pixels and takes its hashes.
    pub fn of(bytes: &[u8], picture: &Picture, side: u32) -> Self {
        let pixels = prepare(picture, side);
        let pixels_sha256 = hex(&content_hash(&pixels));
        Self { seen: Seen::of(bytes, picture), pixels, pixels_sha256 }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    key: String,
    side: usize,
    records: Vec<Result<Record, Unreadable>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    seen: Seen,
    pixels: String,
}

/// A packed file under way; dropped unfinished, it is removed.
#[derive(Debug)]
pub struct PackWriter {
    file: NamedTempFile,
    target: PathBuf,
    index: Index,
}

impl PackWriter {
    pub(super) fn new(folder: &Path, target: PathBuf, key: &PackKey) -> io::Result<Self> {
        let file = tempfile::Builder::new().suffix(&format!(".{}", room::PART)).tempfile_in(folder)?;
        // The lock tells a file that is being written from one that a killed worker left behind.
        file.as_file().try_lock().map_err(io::Error::from)?;
        let index = Index { key: key.digest().to_owned(), side: key.side(), records: Vec::new() };
        Ok(Self { file, target, index })
    }

    /// Appends the next file of the set. Blocks.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn push(&mut self, read: Result<Prepared, Unreadable>) -> io::Result<()> {
        let record = match read {
            Ok(Prepared { seen, pixels, pixels_sha256 }) => {
                self.file.write_all(&pixels)?;
                Ok(Record { seen, pixels: pixels_sha256 })
            }
            Err(reason) => Err(reason),
        };
        self.index.records.push(record);
        Ok(())
    }

    /// Flushes the file to the disk, gives it its name and maps it. Blocks.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn finish(mut self) -> io::Result<Pack> {
        let json = serde_json::to_vec(&self.index)?;
        self.file.write_all(&json)?;
        self.file.write_all(&(json.len() as u64).to_le_bytes())?;
        self.file.write_all(&Sha256::digest(&json))?;
        self.file.write_all(FORMAT.as_bytes())?;
        self.file.as_file().sync_all()?;
        let file = self.file.persist(&self.target).map_err(|error| error.error)?;
        if let Some(folder) = self.target.parent() {
            File::open(folder)?.sync_all()?;
        }
        file.lock_shared()?;
        let pixels = map(file, pixel_bytes(&self.index))?;
        Ok(pack(pixels, self.index))
    }
}

/// Opens a file, compares every checksum and notes the use. None when there is no such file.
///
/// # Errors
/// What is wrong with the file.
pub fn open(path: &Path, key: &PackKey) -> Result<Option<Pack>, String> {
    let told = |error: io::Error| error.to_string();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        // It is just being evicted.
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(told(error)),
    }
    let index = read_index(&file)?;
    if index.key != key.digest() || index.side != key.side() || index.records.len() != key.files() {
        return Err("it is of another set".to_owned());
    }
    // A folder that cannot be written keeps its files in the order of their making.
    _ = file.set_modified(SystemTime::now());
    let pixels = map(file, pixel_bytes(&index)).map_err(told)?;
    check_pixels(&pixels, &index)?;
    Ok(Some(pack(pixels, index)))
}

/// The index at a file's end, and whether the pixels before it are as many as it says.
fn read_index(file: &File) -> Result<Index, String> {
    let told = |error: io::Error| error.to_string();
    let length = file.metadata().map_err(told)?.len();
    let Some(trailer_at) = length.checked_sub(TRAILER_BYTES as u64) else {
        return Err(format!("it ends after {length} bytes"));
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, trailer_at).map_err(told)?;
    let (json_length, rest) = trailer.split_at(8);
    let (digest, format) = rest.split_at(DIGEST_BYTES);
    let json_length = u64::from_le_bytes(json_length.try_into().expect("8 bytes"));
    let index_at = trailer_at.checked_sub(json_length);
    let (FORMAT, Some(index_at)) = (std::str::from_utf8(format).unwrap_or_default(), index_at) else {
        return Err(format!("it does not end as {FORMAT} does"));
    };
    let mut json = vec![0; usize::try_from(json_length).map_err(|error| error.to_string())?];
    file.read_exact_at(&mut json, index_at).map_err(told)?;
    if Sha256::digest(&json).as_slice() != digest {
        return Err("its index differs from its checksum".to_owned());
    }
    let index: Index = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let expected = pixel_bytes(&index) as u64;
    if index_at != expected {
        return Err(format!("it has {index_at} bytes of pixels, {expected} expected"));
    }
    Ok(index)
}

fn pixel_bytes(index: &Index) -> usize {
    index.records.iter().flatten().count() * picture_bytes(index)
}

fn picture_bytes(index: &Index) -> usize {
    index.side * index.side * 3
}

/// Reads all pixels, on all processors.
fn check_pixels(pixels: &[u8], index: &Index) -> Result<(), String> {
    let records: Vec<&Record> = index.records.iter().flatten().collect();
    let pictures = pixels.par_chunks_exact(picture_bytes(index)).zip(&records).enumerate();
    let damaged = pictures.find_any(|(_, (pixels, record))| hex(&content_hash(pixels)) != record.pixels);
    damaged.map_or(Ok(()), |(number, _)| Err(format!("picture {number} differs from its checksum")))
}

fn pack(pixels: Bytes, index: Index) -> Pack {
    let pictures = Pictures::new(index.side, pixels).expect("the length was compared with the index");
    Pack {
        pictures,
        read: index.records.into_iter().map(|record| record.map(|record| record.seen)).collect(),
    }
}

/// A mapping and the file whose lock says that it is in use.
struct Mapped {
    map: Mmap,
    _file: File,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// The first `length` bytes of a file, which stays locked for as long as they live.
#[expect(unsafe_code, reason = "a mapped file is memory that others could change")]
fn map(file: File, length: usize) -> io::Result<Bytes> {
    if length == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: nobody writes to a file once it has its name: a new one of the same name is another file, and a deleted
    // one keeps its bytes while it is mapped. The folder is the worker's own, closed to other users when it was made.
    let map = unsafe { MmapOptions::new().len(length).map(&file) }?;
    Ok(Bytes::from_owner(Mapped { map, _file: file }))
}

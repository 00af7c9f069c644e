//! Where the pickle of a file is, and where its storages are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::read::Config;
// Pinned by version: it counts the files of an archive without keeping its directory in memory.
use zip::unstable::read::ZipIterable;

use super::pickle::{self, Id, PickleError, Storage, Values};
use super::state::width;
use super::{ConvertError, LEGACY};

/// The most files of an archive; a network of ten thousand tensors has as many.
const MAX_FILES: usize = 100_000;
/// Versions of the container before 1.6 begin with so many pickles before the state dict: magic number, version, machine.
const LEGACY_HEADS: usize = 3;

/// An open file.
pub(super) struct Container {
    values: Values,
    root: Id,
    storages: Storages,
}

enum Storages {
    /// In the folder of that name.
    Zip(Box<ZipArchive<BufReader<File>>>, String),
    /// One after the other, by key: where the count stands that comes before the numbers.
    Row(File, HashMap<String, u64>),
}

impl Container {
    /// Reads the pickle of a file.
    pub fn open(mut file: File) -> Result<Self, ConvertError> {
        let mut start = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        (&mut file).take(LEGACY.len() as u64).read_to_end(&mut start)?;
        file.seek(SeekFrom::Start(0))?;
        if start == LEGACY { Self::legacy(file) } else { Self::zip(file) }
    }

    fn zip(file: File) -> Result<Self, ConvertError> {
        let counted = ZipIterable::try_new(BufReader::new(file.try_clone()?), Config::default())?;
        if counted.len() > MAX_FILES {
            return Err(damaged(format!("the archive has {} files, more than {MAX_FILES}", counted.len())));
        }
        let mut archive = ZipArchive::new(BufReader::new(file))?;
        let mut names = archive.file_names().filter_map(Result::ok);
        let pickle = names.find(|name| name.split('/').skip(1).eq(["data.pkl"])).map(Cow::into_owned);
        drop(names);
        let pickle = pickle.ok_or_else(|| damaged("the archive has no data.pkl"))?;
        let folder = pickle.trim_end_matches("data.pkl").to_owned();
        if let Ok(mut order) = archive.by_name(&format!("{folder}byteorder")) {
            let mut text = String::new();
            (&mut order).take(16).read_to_string(&mut text).map_err(|error| damaged(error.to_string()))?;
            if text != "little" {
                return Err(damaged(format!("its numbers are in the order \"{text}\", little expected")));
            }
        }
        let (values, root) = pickle::read(&mut archive.by_name(&pickle)?)?;
        Ok(Self { values, root, storages: Storages::Zip(Box::new(archive), folder) })
    }

    fn legacy(file: File) -> Result<Self, ConvertError> {
        let mut reader = BufReader::new(file);
        for _ in 0..LEGACY_HEADS {
            pickle::read(&mut reader)?;
        }
        let (values, root) = pickle::read(&mut reader)?;
        let (keys, list) = pickle::read(&mut reader)?;
        let keys = keys.texts(list).ok_or(PickleError::Broken("the keys of the storages are expected"))?;
        let widths = widths(&values);
        let mut places = HashMap::new();
        for key in keys {
            let width = widths.get(key).ok_or_else(|| damaged(format!("nothing uses storage {key}")))?;
            places.insert(key.to_owned(), reader.stream_position()?);
            let mut count = [0; 8];
            reader.read_exact(&mut count).map_err(PickleError::from)?;
            let bytes = i64::from_le_bytes(count).checked_mul(*width as i64).filter(|bytes| *bytes >= 0);
            reader.seek_relative(bytes.ok_or_else(|| damaged(format!("storage {key} has no size")))?)?;
        }
        // Seeking does not notice the end, and the last storage may be one that no tensor of weights uses.
        let (end, length) = (reader.stream_position()?, reader.get_ref().metadata()?.len());
        if end > length {
            return Err(damaged(format!("it has {length} bytes, {end} expected")));
        }
        Ok(Self { values, root, storages: Storages::Row(reader.into_inner(), places) })
    }

    /// What the pickle made.
    pub fn values(&self) -> (&Values, Id) {
        (&self.values, self.root)
    }

    /// The bytes of a storage, at most `limit`.
    pub fn storage(&mut self, storage: &Storage, limit: u64) -> Result<Vec<u8>, ConvertError> {
        let count = u64::try_from(storage.len).unwrap_or(u64::MAX);
        let expected = count.saturating_mul(width(storage) as u64);
        // The limit is one of 32-bit floats, and 64-bit ones are read too.
        if expected > limit.saturating_mul(2) {
            return Err(ConvertError::TooLarge(limit));
        }
        let key = &storage.key;
        let bytes = match &mut self.storages {
            Storages::Zip(archive, folder) => {
                let mut part = archive.by_name(&format!("{folder}data/{key}"))?;
                read(&mut part, expected)?
            }
            Storages::Row(file, places) => {
                let place = places.get(key).ok_or_else(|| damaged(format!("storage {key} is missing")))?;
                file.seek(SeekFrom::Start(*place))?;
                let mut found = [0; 8];
                file.read_exact(&mut found).map_err(|error| damaged(error.to_string()))?;
                if u64::from_le_bytes(found) != count {
                    return Err(damaged(format!("storage {key} has another length than its tensors say")));
                }
                read(file, expected)?
            }
        };
        if bytes.len() as u64 == expected {
            Ok(bytes)
        } else {
            Err(damaged(format!("storage {key} has {} bytes, {expected} expected", bytes.len())))
        }
    }
}

/// At most `expected` bytes; memory grows with what is there, not with what is announced.
fn read(source: &mut impl Read, expected: u64) -> Result<Vec<u8>, ConvertError> {
    let mut bytes = Vec::new();
    source.take(expected).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    Ok(bytes)
}

/// By key of a storage: bytes of one of its numbers.
fn widths(values: &Values) -> HashMap<String, usize> {
    values.storages().map(|storage| (storage.key.clone(), width(storage))).collect()
}

fn damaged(detail: impl Into<String>) -> ConvertError {
    ConvertError::Damaged(detail.into())
}

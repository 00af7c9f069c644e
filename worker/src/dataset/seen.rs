//! What is known of a file once it was read.

use std::collections::BTreeMap;

use lookalike_shared::db::items::NewItem;
use serde::{Deserialize, Serialize};

use super::{LabelledFile, Unreadable};
use crate::picture::{Picture, content_hash};

/// A readable picture without its pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// SHA-256 of the file, as 64 hexadecimal digits: equal files and only those share it.
    pub sha256: String,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Whether every pixel is gray.
    pub gray: bool,
}

impl Seen {
    /// What is kept of a file and its picture.
    pub fn of(bytes: &[u8], picture: &Picture) -> Self {
        // A coloured picture is told by its first coloured pixel, so this costs next to nothing.
        let gray = picture.rgb.chunks_exact(3).all(|rgb| rgb[0] == rgb[1] && rgb[1] == rgb[2]);
        Self { sha256: hex(&content_hash(bytes)), width: picture.width, height: picture.height, gray }
    }

    /// The shorter of width and height.
    pub fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }
}

/// What was seen of each file of a set, or why it cannot be read, in the order of the files.
pub type ReadFiles = Vec<Result<Seen, Unreadable>>;

/// What a picture of a training is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// To learn from.
    Train,
    /// To be judged by.
    Validation,
}

impl Part {
    /// The word in lists and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }
}

/// A readable file of a labelled set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// The file.
    pub file: LabelledFile,
    /// What is known of it.
    pub seen: Seen,
}

/// The readable ones of files, in their order.
pub fn readable(files: &[LabelledFile], read: ReadFiles) -> Vec<SeenFile> {
    let both = files.iter().zip(read);
    both.filter_map(|(file, read)| Some(SeenFile { file: file.clone(), seen: read.ok()? })).collect()
}

/// The files that cannot be read, as items of a job.
pub fn unreadable<'a, T: 'a>(
    files: impl IntoIterator<Item = (&'a LabelledFile, &'a Result<T, Unreadable>)>,
) -> Vec<NewItem> {
    let mut items = Vec::new();
    for (file, read) in files {
        if let Err(Unreadable { code, detail }) = read {
            items.push(NewItem { uri: file.uri.clone(), code: code.clone(), detail: detail.clone() });
        }
    }
    items
}

/// How many files cannot be read, by the code of the reason.
pub fn count_codes(read: &ReadFiles) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for reason in read.iter().filter_map(|read| read.as_ref().err()) {
        *codes.entry(reason.code.clone()).or_default() += 1;
    }
    codes
}

/// Adds counts by code to others.
pub fn add_counts(codes: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (code, count) in more {
        *codes.entry(code.clone()).or_default() += count;
    }
}

/// How many files of each class there are.
pub fn counts(files: &[SeenFile], classes: usize) -> Vec<u32> {
    let mut counts = vec![0; classes];
    files.iter().for_each(|seen| counts[seen.file.class] += 1);
    counts
}

/// Lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_gray_when_all_its_pixels_are() {
        let mut picture = Picture { width: 2, height: 1, rgb: vec![7, 7, 7, 9, 9, 9] };
        let seen = Seen::of(b"x", &picture);
        assert!(seen.gray && seen.short_side() == 1);
        assert_eq!(seen.sha256, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        picture.rgb[4] = 10;
        assert!(!Seen::of(b"x", &picture).gray);
    }
}

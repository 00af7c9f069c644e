//! The entries of a TIFF's first directory (TIFF 6.0, 2; BigTIFF): how many values the codec would make room for.

use crate::picture::{PictureError, ReasonCode};

/// Values that a tag the codec reads may have: more strips or tiles than any program writes.
///
/// The codec holds 32 bytes a value, whatever the file holds.
const MOST_VALUES: u64 = 1 << 17;

/// Tags whose values are read beside the pixels: sizes, colours, orientation, strips and tiles.
const READ: [u16; 22] = [
    256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339, 347, 530,
    531,
];

/// Refuses a file that declares more values than the codec should make room for.
pub(super) fn check(bytes: &[u8]) -> Result<(), PictureError> {
    let Some(directory) = Directory::of(bytes) else { return Ok(()) };
    for (tag, values) in directory.entries() {
        if values > MOST_VALUES && READ.contains(&tag) {
            let detail = format!("tiff tag {tag} has {values} values; at most {MOST_VALUES} are read");
            return Err(PictureError::new(ReasonCode::UnsupportedFormat, detail));
        }
    }
    Ok(())
}

struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// BigTIFF: counts and offsets are 64 bits wide.
    wide: bool,
    entries_at: usize,
    count: u64,
}

impl<'a> Directory<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let wide = number(bytes, 2, 2, big_endian)? == 43;
        let (at, offset_bytes, count_bytes) = if wide { (8, 8, 8) } else { (4, 4, 2) };
        let directory_at = usize::try_from(number(bytes, at, offset_bytes, big_endian)?).ok()?;
        let count = number(bytes, directory_at, count_bytes, big_endian)?;
        Some(Self { bytes, big_endian, wide, entries_at: directory_at.checked_add(count_bytes)?, count })
    }

    /// The tag and the number of values of each entry, as far as the file reaches.
    fn entries(&self) -> impl Iterator<Item = (u16, u64)> {
        let (entry_bytes, count_bytes) = if self.wide { (20, 8) } else { (12, 4) };
        let entry = move |index: u64| {
            let at = self.entries_at.checked_add(usize::try_from(index).ok()?.checked_mul(entry_bytes)?)?;
            let tag = u16::try_from(number(self.bytes, at, 2, self.big_endian)?).ok()?;
            Some((tag, number(self.bytes, at.checked_add(4)?, count_bytes, self.big_endian)?))
        };
        (0..self.count).map_while(entry)
    }
}

fn number(bytes: &[u8], at: usize, length: usize, big_endian: bool) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    let shifted = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big_endian { field.iter().fold(0, shifted) } else { field.iter().rev().fold(0, shifted) })
}

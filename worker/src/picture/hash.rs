//! Two fingerprints: one of the file, one of what it shows.

use sha2::{Digest, Sha256};

use super::resize::Small;
use super::{Picture, THUMBNAIL_SIDE};

/// SHA-256 of a file's bytes: equal files and only those share it.
pub fn content_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Difference hash: near-duplicates (rescaled, recompressed, slightly retouched) differ in few of its bits.
///
/// The picture is shrunk to thumbnail size, which most of its uses need anyway, and from there to 9x8 gray pixels; bit `8 * row + column`, most significant first, says whether a
/// pixel is darker than its right neighbour. Up to about 10 differing bits mean a likely near-duplicate.
/// Source: Neal Krawetz, "Kind of Like That", The Hacker Factor Blog, 2013.
pub fn perceptual_hash(picture: &Picture) -> u64 {
    perceptual_hash_of(&Small::of(picture, THUMBNAIL_SIDE))
}

/// [`perceptual_hash`] of what has already been shrunk.
pub(super) fn perceptual_hash_of(small: &Small<'_>) -> u64 {
    const COLUMNS: u32 = 9;
    const ROWS: u32 = 8;
    let small = small.stretched(COLUMNS, ROWS);
    let gray: Vec<u32> = small.chunks_exact(3).map(luma).collect();
    let mut hash = 0;
    for row in gray.chunks_exact(COLUMNS as usize) {
        for pair in row.windows(2) {
            hash = hash << 1 | u64::from(pair[0] < pair[1]);
        }
    }
    hash
}

/// Brightness in thousandths, by the weights of ITU-R BT.601.
fn luma(rgb: &[u8]) -> u32 {
    299 * u32::from(rgb[0]) + 587 * u32::from(rgb[1]) + 114 * u32::from(rgb[2])
}

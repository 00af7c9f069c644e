//! One file, read once: all that the index keeps of a picture.

use super::hash::perceptual_hash_of;
use super::resize::{Small, prepare};
use super::{Limits, PictureError, content_hash, decode};

/// Longest side of a stored thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 192;

/// What the index needs of one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPicture {
    /// Network input, RGB `[size, size, 3]`, as [`prepare`] makes it.
    pub input: Vec<u8>,
    /// Upright width of the whole picture, in pixels.
    pub width: u32,
    /// Upright height of the whole picture, in pixels.
    pub height: u32,
    /// As [`content_hash`] of the file.
    pub content_hash: [u8; 32],
    /// As [`super::perceptual_hash`] of the picture.
    pub perceptual_hash: u64,
    /// A JPEG of the whole picture, its longer side at most [`THUMBNAIL_SIDE`].
    pub thumbnail: Vec<u8>,
}

/// Reads a picture file once for everything that indexing keeps of it.
///
/// # Errors
/// [`PictureError`], as [`decode`] gives it.
///
/// # Panics
/// When `size` is 0.
pub fn read_picture(bytes: &[u8], limits: &Limits, size: u32) -> Result<ReadPicture, PictureError> {
    let picture = decode(bytes, limits)?;
    let small = Small::of(&picture, THUMBNAIL_SIDE);
    Ok(ReadPicture {
        input: prepare(&picture, size),
        width: picture.width,
        height: picture.height,
        content_hash: content_hash(bytes),
        perceptual_hash: perceptual_hash_of(&small),
        thumbnail: small.encoded()?,
    })
}

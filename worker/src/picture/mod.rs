//! Pictures: from the bytes of a file to upright RGB, and from there to what the network, the page and
//! the search for duplicates need.
//!
//! - Bytes in, values out: no I/O, no clock, no device. Everything here runs on plain CPU threads.
//! - A file is judged by its content, never by its name.
//! - Sizes are checked against [`Limits`] as soon as the header tells them, before pixels are allocated.
//! - A bad file is an answer ([`PictureError`] with a [`ReasonCode`]), never a panic: codecs that panic
//!   are caught here.
//! - Colour profiles are not applied: samples are taken as sRGB, as the networks' training data were.

mod declared;
mod format;
mod hash;
mod jpeg;
mod raster;
mod read;
mod reason;
mod resize;
#[cfg(test)]
mod tests;

use std::panic;

pub use format::Format;
pub use hash::{content_hash, perceptual_hash};
pub use read::{ReadPicture, THUMBNAIL_SIDE, read_picture};
pub use reason::{PictureError, ReasonCode};
pub use resize::{Region, prepare, prepare_into, prepare_region, rescale_into, thumbnail};

/// Shorter side that a reduced picture still has at least, in samples: the largest network input.
const KEPT_SIDE: u16 = 512;

/// An upright picture in memory: EXIF orientation applied, transparency laid over white.
///
/// A large JPEG has fewer samples than pixels, see [`Picture::sampled`]: whoever asks gets the same ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
    /// RGB samples `[rows, columns, 3]`, row after row, 8 bits each, sRGB; as many as [`Picture::sampled`] says.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Columns and rows of the samples: width and height, or a half, a quarter or an eighth of both, rounded up.
    ///
    /// Only JPEG pictures whose shorter side keeps 512 samples are reduced: as many as the largest network input has.
    ///
    /// # Panics
    /// When `rgb` is of no such length.
    pub fn sampled(&self) -> (u32, u32) {
        [1, 2, 4, 8]
            .map(|reduction| (self.width.div_ceil(reduction), self.height.div_ceil(reduction)))
            .into_iter()
            .find(|(columns, rows)| *columns as usize * *rows as usize * 3 == self.rgb.len())
            .expect("a picture holds the samples of one of its reductions")
    }
}

/// Bounds on what is decoded; a file beyond them is refused by its header alone.
///
/// They bound what one decoding thread holds at a time beside the file, see [`Limits::most_memory`]: 884 MiB by
/// default, reached by nothing but pictures of `max_pixels` with 16 bits a sample, four JPEG components or animation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest file accepted, in bytes. Default 50 MiB.
    pub max_bytes: usize,
    /// Most pixels (width × height) accepted. Default 64 Mi, above the 50 megapixels of a good camera.
    pub max_pixels: u64,
    /// Longest side accepted, in pixels. Default 32 768.
    pub max_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 50 << 20, max_pixels: 64 << 20, max_side: 32_768 }
    }
}

impl Limits {
    /// The most bytes that reading one picture holds at a time, beside the file itself.
    ///
    /// `12 * max_pixels + 2 * max_bytes + 16 MiB`. A pixel takes up to 12 bytes for a moment: coefficients of a
    /// progressive JPEG of four components with their RGB, or 16-bit RGBA beside its 8-bit copy. Profiles and
    /// other segments are held beside the pixels, at most twice the file; codecs' tables, the network input and the
    /// thumbnail take the rest.
    pub const fn most_memory(&self) -> u64 {
        self.most_pixel_bytes().saturating_add(self.codec_slack(self.max_bytes))
    }

    /// The part of [`Self::most_memory`] that is for pixels.
    const fn most_pixel_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(12)
    }

    /// The part that is for everything else about a file of so many bytes.
    const fn codec_slack(&self, file_bytes: usize) -> u64 {
        (2 * file_bytes as u64).saturating_add(16 << 20)
    }

    /// Refuses a size that a header declares: no pixels at all, or more than these limits allow.
    fn check_size(&self, width: u32, height: u32) -> Result<(), PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::corrupt(format!("header declares {width}x{height} pixels")));
        }
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.max_side || pixels > self.max_pixels {
            let detail = format!(
                "header declares {width}x{height} pixels; at most {} pixels and {} a side are accepted",
                self.max_pixels, self.max_side
            );
            return Err(PictureError::new(ReasonCode::TooManyPixels, detail));
        }
        Ok(())
    }

    fn check_bytes(&self, bytes: &[u8]) -> Result<(), PictureError> {
        if bytes.is_empty() {
            return Err(PictureError::new(ReasonCode::Empty, "file has no bytes"));
        }
        if bytes.len() > self.max_bytes {
            let detail = format!("file has {} bytes; at most {} are accepted", bytes.len(), self.max_bytes);
            return Err(PictureError::new(ReasonCode::TooLarge, detail));
        }
        Ok(())
    }
}

/// Decodes the first frame of a JPEG, PNG, GIF, BMP, TIFF or WebP file into an upright [`Picture`].
///
/// Grayscale, palette, 16-bit, CMYK and transparent pictures come out as 8-bit RGB. A JPEG with
/// damaged codes inside is shown as far as they can be read; one that ends before its last row is refused.
///
/// # Errors
/// [`PictureError`], whose code says which bound or format rule the file breaks.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    decode_to(bytes, limits, KEPT_SIDE)
}

/// As [`decode`], with all of its samples, for whoever looks at a part of it.
///
/// # Errors
/// As [`decode`].
pub fn decode_whole(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    decode_to(bytes, limits, u16::MAX)
}

fn decode_to(bytes: &[u8], limits: &Limits, kept_side: u16) -> Result<Picture, PictureError> {
    limits.check_bytes(bytes)?;
    let format = Format::sniff(bytes)?;
    panic::catch_unwind(|| match format {
        Format::Jpeg => jpeg::decode(bytes, limits, kept_side),
        Format::Png | Format::Gif | Format::Bmp | Format::Tiff | Format::WebP => {
            raster::decode(bytes, format, limits)
        }
    })
    .unwrap_or_else(|_| Err(PictureError::corrupt(format!("{format} decoder gave up on this file"))))
}

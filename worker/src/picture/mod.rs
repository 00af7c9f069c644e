//! Pictures: from the bytes of a file to upright RGB, and from there to what the network, the page and
//! the search for duplicates need.
//!
//! - Bytes in, values out: no I/O, no clock, no device. Everything here runs on plain CPU threads.
//! - A file is judged by its content, never by its name.
//! - Sizes are checked against [`Limits`] as soon as the header tells them, before pixels are allocated.
//! - A bad file is an answer ([`PictureError`] with a [`ReasonCode`]), never a panic: codecs that panic
//!   are caught here.
//! - Colour profiles are not applied: samples are taken as sRGB, as the networks' training data were.

mod format;
mod hash;
mod jpeg;
mod raster;
mod reason;
mod resize;
#[cfg(test)]
mod tests;

use std::panic;

pub use format::Format;
pub use hash::{content_hash, perceptual_hash};
pub use reason::{PictureError, ReasonCode};
pub use resize::{prepare, prepare_into, rescale_into, thumbnail};

/// An upright picture in memory: EXIF orientation applied, transparency laid over white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
    /// RGB samples `[height, width, 3]`, row after row, 8 bits each, sRGB.
    pub rgb: Vec<u8>,
}

/// Bounds on what is decoded; a file beyond them is refused by its header alone.
///
/// Decoding takes up to 12 bytes a pixel for a moment (coefficients of a progressive JPEG, or 16-bit RGBA
/// beside its RGB copy), so the default `max_pixels` bounds one decoding thread to 768 MiB.
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
    limits.check_bytes(bytes)?;
    let format = Format::sniff(bytes)?;
    panic::catch_unwind(|| match format.raster() {
        None => jpeg::decode(bytes, limits),
        Some(raster_format) => raster::decode(bytes, raster_format, limits),
    })
    .unwrap_or_else(|_| Err(PictureError::corrupt(format!("{format} decoder gave up on this file"))))
}

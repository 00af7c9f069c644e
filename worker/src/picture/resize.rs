//! The one definition of how a picture becomes network input, and the small JPEG that lists show.
//!
//! Training, indexing and searching all call [`prepare`], so that a picture always gives the same input. The
//! filter is the triangle filter stretched by the scale (anti-aliased bilinear), as in the preprocessing that
//! torchvision's weights were trained with.

use std::borrow::Cow;
use std::cell::RefCell;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};

use super::{Picture, PictureError, ReasonCode};

/// JPEG quality of thumbnails, 1 to 100: small files without visible blocks.
const THUMBNAIL_QUALITY: u8 = 80;

/// Longest side of a JPEG that readers agree on, in pixels.
const LONGEST_JPEG: u32 = 65_500;

thread_local! {
    /// Keeps its tables and its half-scaled rows: a few MiB for the largest pictures.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// Scales the shorter side to `size` pixels and crops the centre: RGB `[size, size, 3]`.
///
/// # Panics
/// When `size` is 0, or `picture.rgb` is of a wrong length.
pub fn prepare(picture: &Picture, size: u32) -> Vec<u8> {
    let mut out = vec![0; samples(size, size)];
    prepare_into(picture, size, &mut out);
    out
}

/// A part of a picture, in shares of its width and height, from the upper left corner; within the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Where it begins from the left.
    pub x: f64,
    /// Where it begins from the top.
    pub y: f64,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

/// [`prepare`] of a part of a picture, of one sample at least.
///
/// # Panics
/// As [`prepare`].
pub fn prepare_region(picture: &Picture, region: Region, size: u32) -> Vec<u8> {
    assert!(size > 0, "network input needs at least one pixel");
    let (columns, rows) = picture.sampled();
    let span = |from: f64, length: f64, samples: u32| {
        let samples = f64::from(samples);
        let length = (length * samples).clamp(1.0, samples);
        ((from * samples).clamp(0.0, samples - length), length)
    };
    let ((left, width), (top, height)) =
        (span(region.x, region.width, columns), span(region.y, region.height, rows));
    let side = width.min(height);
    let cut = bilinear().crop(left + (width - side) / 2.0, top + (height - side) / 2.0, side, side);
    let mut out = vec![0; samples(size, size)];
    scale(&picture.rgb, (columns, rows), (size, size), &cut, &mut out);
    out
}

/// [`prepare`] into a place of a batch: `out` holds RGB `[size, size, 3]`.
///
/// # Panics
/// As [`prepare`], and when `out` does not hold exactly `size * size * 3` samples.
pub fn prepare_into(picture: &Picture, size: u32, out: &mut [u8]) {
    assert!(size > 0, "network input needs at least one pixel");
    assert_eq!(out.len(), samples(size, size), "the place must hold exactly one network input");
    let (columns, rows) = picture.sampled();
    let side = f64::from(columns.min(rows));
    let left = (f64::from(columns) - side) / 2.0;
    let top = (f64::from(rows) - side) / 2.0;
    let cut = bilinear().crop(left, top, side, side);
    scale(&picture.rgb, (columns, rows), (size, size), &cut, out);
}

/// A square picture of `side` pixels, RGB `[side, side, 3]`, at `size` pixels into `out`, RGB `[size, size, 3]`.
///
/// # Panics
/// When a size is 0, or `pixels` or `out` does not hold exactly that many samples.
pub fn rescale_into(pixels: &[u8], side: usize, size: usize, out: &mut [u8]) {
    if side == size {
        return out.copy_from_slice(pixels);
    }
    let [side, size] = [side, size].map(|side| u32::try_from(side).expect("sides fit 32 bits"));
    scale(pixels, (side, side), (size, size), &bilinear(), out);
}

/// A JPEG of the whole picture, its longer side at most `max_side` pixels and never larger than the picture.
///
/// # Errors
/// `too_many_pixels` when a side would be longer than JPEG allows, 65 535 pixels.
pub fn thumbnail(picture: &Picture, max_side: u32) -> Result<Vec<u8>, PictureError> {
    Small::of(picture, max_side).encoded()
}

/// The whole picture, small: what thumbnails and perceptual hashes are made of.
pub(super) struct Small<'a> {
    width: u32,
    height: u32,
    rgb: Cow<'a, [u8]>,
}

impl<'a> Small<'a> {
    /// Its longer side gets at most `max_side` pixels, and no more than there are samples.
    pub fn of(picture: &'a Picture, max_side: u32) -> Self {
        let (columns, rows) = picture.sampled();
        let ratio = (f64::from(max_side.max(1)) / f64::from(columns.max(rows))).min(1.0);
        let [width, height] = [columns, rows].map(|side| shrunk(side, ratio));
        if (width, height) == (columns, rows) {
            return Self { width, height, rgb: Cow::Borrowed(&picture.rgb) };
        }
        let rgb = stretched(&picture.rgb, (columns, rows), (width, height));
        Self { width, height, rgb: Cow::Owned(rgb) }
    }

    /// As a JPEG.
    ///
    /// # Errors
    /// As [`thumbnail`].
    pub fn encoded(&self) -> Result<Vec<u8>, PictureError> {
        let Self { width, height, rgb } = self;
        if *width.max(height) > LONGEST_JPEG {
            let detail = format!("thumbnail of {width}x{height} pixels; jpeg ends at {LONGEST_JPEG} a side");
            return Err(PictureError::new(ReasonCode::TooManyPixels, detail));
        }
        let [width, height] = [*width, *height].map(|side| side as usize);
        Ok(compress(rgb, width, height, PixelFormat::Rgb, THUMBNAIL_QUALITY, Subsampling::S420)
            .expect("memory takes a jpeg of a valid size"))
    }

    /// At exactly this size, whatever its proportions: RGB `[height, width, 3]`.
    pub fn stretched(&self, width: u32, height: u32) -> Vec<u8> {
        stretched(&self.rgb, (self.width, self.height), (width, height))
    }
}

fn stretched(rgb: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let mut out = vec![0; samples(to.0, to.1)];
    let options = if from.0 >= 2 * to.0 && from.1 >= 2 * to.1 { mean() } else { bilinear() };
    scale(rgb, from, to, &options, &mut out);
    out
}

/// `side` times a ratio of at most 1, rounded, and at least one pixel.
fn shrunk(side: u32, ratio: f64) -> u32 {
    ((f64::from(side) * ratio).round() as u32).max(1)
}

fn samples(width: u32, height: u32) -> usize {
    width as usize * height as usize * 3
}

fn bilinear() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}

/// The mean of what a pixel covers: where it is several it looks like [`bilinear`] in half the time.
fn mean() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box))
}

/// The typed call: the one that finds the pixel type at run time makes the compiler build every kernel.
fn scale(rgb: &[u8], from: (u32, u32), (width, height): (u32, u32), options: &ResizeOptions, out: &mut [u8]) {
    let source = TypedImageRef::<U8x3>::from_buffer(from.0, from.1, rgb)
        .expect("a picture holds columns * rows * 3 samples");
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, out)
        .expect("the place holds width * height * 3 samples");
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize_typed(&source, &mut target, options))
        .expect("the crop lies inside the picture");
}

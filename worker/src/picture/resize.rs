//! The one definition of how a picture becomes network input, and the small JPEG that lists show.
//!
//! Training, indexing and searching all call [`prepare`], so that a picture always gives the same input. The
//! filter is the triangle filter stretched by the scale (anti-aliased bilinear), as in the preprocessing that
//! torchvision's weights were trained with.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::Picture;

/// JPEG quality of thumbnails, 1 to 100: small files without visible blocks.
const THUMBNAIL_QUALITY: u8 = 80;

/// Scales the shorter side to `size` pixels and crops the centre: RGB `[size, size, 3]`.
///
/// # Panics
/// When `size` is 0, or `picture.rgb` does not hold `width * height * 3` samples.
pub fn prepare(picture: &Picture, size: u32) -> Vec<u8> {
    let mut out = vec![0; samples(size, size)];
    prepare_into(picture, size, &mut out);
    out
}

/// [`prepare`] into a place of a batch: `out` holds RGB `[size, size, 3]`.
///
/// # Panics
/// As [`prepare`], and when `out` does not hold exactly `size * size * 3` samples.
pub fn prepare_into(picture: &Picture, size: u32, out: &mut [u8]) {
    assert!(size > 0, "network input needs at least one pixel");
    let side = f64::from(picture.width.min(picture.height));
    let left = (f64::from(picture.width) - side) / 2.0;
    let top = (f64::from(picture.height) - side) / 2.0;
    scale(picture, (size, size), &bilinear().crop(left, top, side, side), out);
}

/// A JPEG of the whole picture, its longer side at most `max_side` pixels and never larger than the picture.
///
/// # Errors
/// When the encoder refuses the size; JPEG ends at 65 535 pixels a side.
pub fn thumbnail(picture: &Picture, max_side: u32) -> Result<Vec<u8>, image::ImageError> {
    let longer = picture.width.max(picture.height);
    let ratio = (f64::from(max_side.max(1)) / f64::from(longer)).min(1.0);
    let [width, height] = [picture.width, picture.height].map(|side| shrunk(side, ratio));

    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, THUMBNAIL_QUALITY);
    if (width, height) == (picture.width, picture.height) {
        encoder.encode(&picture.rgb, width, height, ExtendedColorType::Rgb8)?;
    } else {
        let small = stretched(picture, width, height);
        encoder.encode(&small, width, height, ExtendedColorType::Rgb8)?;
    }
    Ok(file)
}

/// The whole picture at exactly this size, whatever its proportions: RGB `[height, width, 3]`.
pub(super) fn stretched(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let mut out = vec![0; samples(width, height)];
    scale(picture, (width, height), &bilinear(), &mut out);
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio of at most 1 shrinks a u32")]
fn shrunk(side: u32, ratio: f64) -> u32 {
    ((f64::from(side) * ratio).round() as u32).max(1)
}

fn samples(width: u32, height: u32) -> usize {
    width as usize * height as usize * 3
}

fn bilinear() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}

fn scale(picture: &Picture, (width, height): (u32, u32), options: &ResizeOptions, out: &mut [u8]) {
    let source = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)
        .expect("a picture holds width * height * 3 samples");
    let mut target = Image::from_slice_u8(width, height, out, PixelType::U8x3)
        .expect("the place holds width * height * 3 samples");
    Resizer::new().resize(&source, &mut target, options).expect("the crop lies inside the picture");
}

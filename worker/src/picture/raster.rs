//! Every format but JPEG, through the decoders of crate `image`, and the last steps that all formats share:
//! transparency over white, and turning the picture upright.

use std::io::{self, Cursor};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use super::{Limits, Picture, PictureError, ReasonCode};

/// Room for a decoder's tables and rows beside the pixels, in bytes.
const CODEC_SLACK_BYTES: u64 = 64 << 20;

/// Bytes of a 16-bit RGBA pixel; wider ones (32-bit float TIFF) fit in smaller pictures only.
const WIDEST_PIXEL_BYTES: u64 = 8;

/// Decodes the first frame of `bytes`, known to be of `format`.
pub(super) fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Picture, PictureError> {
    let mut budget = image::Limits::no_limits();
    budget.max_alloc =
        Some(limits.max_pixels.saturating_mul(WIDEST_PIXEL_BYTES).saturating_add(CODEC_SLACK_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(budget.clone());

    let refusal = |error| refusal(error, bytes);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    budget.reserve(decoder.total_bytes()).map_err(refusal)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok(upright(over_white(image), orientation))
}

/// Turns a picture as its EXIF orientation asks.
pub(super) fn upright(stored: RgbImage, orientation: Orientation) -> Picture {
    let mut image = DynamicImage::ImageRgb8(stored);
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    Picture { width: image.width(), height: image.height(), rgb: image.into_raw() }
}

/// Converts to 8-bit RGB; transparent pixels show white below them, as on most pages.
fn over_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let mut flat = RgbImage::new(image.width(), image.height());
    for (pixel, flat) in image.pixels().zip(flat.pixels_mut()) {
        let [red, green, blue, alpha] = pixel.0;
        flat.0 = [red, green, blue].map(|sample| blend_with_white(sample, alpha));
    }
    flat
}

/// `sample` at opacity `alpha / 255` over white, rounded.
fn blend_with_white(sample: u8, alpha: u8) -> u8 {
    let (sample, alpha) = (u16::from(sample), u16::from(alpha));
    let mixed = (sample * alpha + 255 * (255 - alpha) + 127) / 255;
    u8::try_from(mixed).expect("a weighted mean of two bytes is a byte")
}

/// Turns a codec's complaint about `bytes` into a reason.
fn refusal(error: ImageError, bytes: &[u8]) -> PictureError {
    let code = if matches!(error, ImageError::Limits(_)) {
        ReasonCode::TooManyPixels
    } else if matches!(error, ImageError::Unsupported(_)) {
        ReasonCode::UnsupportedFormat
    } else if ran_out_of_bytes(&error) || riff_is_cut(bytes) {
        ReasonCode::Truncated
    } else {
        ReasonCode::Corrupt
    };
    PictureError::from_codec(code, &error.to_string())
}

/// Some codecs pass the reader's error on, others only its words.
fn ran_out_of_bytes(error: &ImageError) -> bool {
    let by_kind = matches!(error, ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof);
    by_kind || error.to_string().to_ascii_lowercase().contains("unexpected end of file")
}

/// Whether a RIFF header (WebP) announces more bytes than there are; the codec only sees nonsense then.
fn riff_is_cut(bytes: &[u8]) -> bool {
    let [b'R', b'I', b'F', b'F', a, b, c, d, rest @ ..] = bytes else { return false };
    u64::from(u32::from_le_bytes([*a, *b, *c, *d])) > rest.len() as u64
}

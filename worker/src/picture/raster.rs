//! Every format but JPEG, through the decoders of crate `image`, and the last steps that all formats share:
//! transparency over white, and turning the picture upright.

use std::io::{self, Cursor};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, RgbImage};

use super::{Format, Limits, Picture, PictureError, ReasonCode, declared};

/// Decodes the first frame of `bytes`, known to be of `format`.
pub(super) fn decode(bytes: &[u8], format: Format, limits: &Limits) -> Result<Picture, PictureError> {
    declared::check(bytes, format, limits)?;
    // What comes before the pixels, above all a profile that unpacks to more than it should, gets little room.
    let slack = limits.codec_slack(bytes.len());
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
    reader.limits(room(slack));

    let refusal = |error| refusal(error, bytes);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    let output = decoder.total_bytes();
    let held = most_held(format, bytes, (width, height), output);
    let most = limits.most_pixel_bytes();
    if held > most {
        let detail =
            format!("{width}x{height} pixels of this kind take {held} bytes; at most {most} are given");
        return Err(PictureError::new(ReasonCode::TooManyPixels, detail));
    }
    decoder.set_limits(room(most - output + slack)).map_err(refusal)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok(upright(over_white(image), (width, height), orientation))
}

fn room(bytes: u64) -> image::Limits {
    let mut room = image::Limits::no_limits();
    room.max_alloc = Some(bytes);
    room
}

/// The most bytes of pixels that decoding holds at a time, by what each codec keeps beside its `output` bytes.
fn most_held(format: Format, bytes: &[u8], (width, height): (u32, u32), output: u64) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    match format {
        // Decoded beside the output.
        Format::Tiff => 2 * output,
        // Frame, its planes and its opacity, and the canvas.
        Format::WebP if declared::is_animated_webp(bytes) => output + 11 * pixels,
        // Planes and opacity, or all four channels.
        Format::WebP => output + 7 * pixels,
        // A frame beside the canvas; the converted copy beside 16-bit samples.
        Format::Gif | Format::Png | Format::Bmp | Format::Jpeg => output + 4 * pixels,
    }
}

/// Turns a picture of the stored size `(width, height)`, whose samples may be fewer, as its EXIF orientation asks.
pub(super) fn upright(stored: RgbImage, (width, height): (u32, u32), orientation: Orientation) -> Picture {
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let mut image = DynamicImage::ImageRgb8(stored);
    image.apply_orientation(orientation);
    Picture { width, height, rgb: image.into_rgb8().into_raw() }
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
    let words = error.to_string().to_ascii_lowercase();
    by_kind || ["unexpected end of file", "image truncated"].iter().any(|end| words.contains(end))
}

/// Whether a RIFF header (WebP) announces more bytes than there are; the codec only sees nonsense then.
fn riff_is_cut(bytes: &[u8]) -> bool {
    let [b'R', b'I', b'F', b'F', a, b, c, d, rest @ ..] = bytes else { return false };
    u64::from(u32::from_le_bytes([*a, *b, *c, *d])) > rest.len() as u64
}

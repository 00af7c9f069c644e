//! JPEG. Nearly all pictures are plain ones, see [`plain`]; the rest, and whatever is wrong with a file, is up to
//! zune-jpeg itself. Crate `image` uses it too, but hides its strict mode and believes every Adobe segment.
//!
//! zune-jpeg runs in strict mode first, because only then does it tell a file that ends early from a whole
//! one. A whole file with some damage inside (junk between segments, a bad code) gets a second, lenient run,
//! which shows what comes before the damage and gray after it. Four-component pictures are taken as inverted
//! CMYK, Adobe's convention, which browsers and other readers apply to every such file.

mod plain;
mod segments;

use std::borrow::Cow;

use image::RgbImage;
use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use self::segments::{Header, count_scans, has_end_marker};
use super::raster::upright;
use super::{Limits, Picture, PictureError, ReasonCode};

/// Why one run of the decoder gave no pixels.
enum Failure {
    Codec(DecodeErrors),
    Refused(PictureError),
}

/// Decodes `bytes`, known to start like a JPEG, to no less than `kept_side` samples of the shorter side.
pub(super) fn decode(bytes: &[u8], limits: &Limits, kept_side: u16) -> Result<Picture, PictureError> {
    let header = Header::read(bytes);
    header.check_supported()?;
    let size = (u32::from(header.size.0), u32::from(header.size.1));
    let orientation = header.orientation.unwrap_or(Orientation::NoTransforms);
    // Without a frame header there is no size yet; then the decoder says what is missing.
    if size != (0, 0) {
        limits.check_size(size.0, size.1)?;
        check_bytes_suffice(bytes, size.0, size.1)?;
    }
    let effort = Effort::of(bytes, &header);
    effort.check()?;
    if effort.is_usual()
        && let Some(image) = plain::pixels(bytes, &header, kept_side)
    {
        return Ok(upright(image, size, orientation));
    }

    let (bytes, colours) = without_misleading_adobe_segment(bytes, &header);
    let strict = pixels(&bytes, limits, colours, true);
    let image = match strict {
        Err(Failure::Codec(error)) if !ends_early(&error, &bytes) => pixels(&bytes, limits, colours, false),
        outcome => outcome,
    };
    let image = image.map_err(|failure| refusal(failure, &bytes))?;
    let size = image.dimensions();
    Ok(upright(image, size, orientation))
}

/// What three components stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    /// As the decoder finds out for itself.
    Detected,
    /// Red, green and blue, to be copied as they are.
    PlainRgb,
}

/// Removes an Adobe segment whose colour transform does not fit the number of components.
///
/// zune-jpeg believes it and refuses the file. Transform 0 with three components is legitimate: plain RGB.
fn without_misleading_adobe_segment<'a>(bytes: &'a [u8], header: &Header) -> (Cow<'a, [u8]>, Colours) {
    let Some(adobe) = &header.adobe else { return (Cow::Borrowed(bytes), Colours::Detected) };
    match (header.components, adobe.transform) {
        (3, 1) | (4, 0 | 2) => (Cow::Borrowed(bytes), Colours::Detected),
        (components, transform) => {
            let kept = [&bytes[..adobe.span.start], &bytes[adobe.span.end..]].concat();
            let plain = components == 3 && transform == 0;
            (Cow::Owned(kept), if plain { Colours::PlainRgb } else { Colours::Detected })
        }
    }
}

/// One run of the decoder: stored orientation, RGB.
fn pixels(bytes: &[u8], limits: &Limits, colours: Colours, strict: bool) -> Result<RgbImage, Failure> {
    // The decoder's own bounds are lifted: `check_size` is the one that counts, and it speaks plainly.
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(Failure::Codec)?;
    let (width, height) = decoder.info().map_or((0, 0), |info| (info.width, info.height));
    let (width, height) = (u32::from(width), u32::from(height));
    limits.check_size(width, height).map_err(Failure::Refused)?;
    check_bytes_suffice(bytes, width, height).map_err(Failure::Refused)?;

    if colours == Colours::PlainRgb && decoder.input_colorspace() == Some(ColorSpace::YCbCr) {
        // Asked for what it takes the input to be, the decoder converts nothing.
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::YCbCr));
    }
    let rgb = decoder.decode().map_err(Failure::Codec)?;
    let fits = rgb.len() == width as usize * height as usize * 3;
    RgbImage::from_raw(width, height, rgb)
        .filter(|_| fits)
        .ok_or_else(|| Failure::Refused(PictureError::corrupt("jpeg decoder gave a wrong number of samples")))
}

/// How much there is to go through of a progressive picture: nothing to speak of when it is not progressive, or small.
///
/// A scan may be a few bytes that say "nothing new" of every block. Encoders write about ten, thorough ones thirty.
#[derive(Default)]
struct Effort {
    scans: u64,
    pixels: u64,
}

impl Effort {
    /// That of any number of scans that zune-jpeg reads, a hundred, is not worth counting below this.
    const SMALL_PICTURE: u64 = 4 << 20;

    fn of(bytes: &[u8], header: &Header) -> Self {
        let pixels = u64::from(header.size.0) * u64::from(header.size.1);
        if !header.is_progressive() || pixels <= Self::SMALL_PICTURE {
            return Self::default();
        }
        Self { scans: count_scans(bytes), pixels }
    }

    /// Refuses what takes longer than any picture is worth; a second or two on a slow processor is not too long.
    fn check(&self) -> Result<(), PictureError> {
        const ALWAYS_READ: u64 = 24;
        const MOST: u64 = ALWAYS_READ * (64 << 20);
        let Self { scans, pixels } = self;
        if *scans <= ALWAYS_READ || scans * pixels <= MOST {
            return Ok(());
        }
        let detail = format!("jpeg with {scans} scans of {pixels} pixels is not decoded");
        Err(PictureError::new(ReasonCode::UnsupportedFormat, detail))
    }

    /// Whether two decoders may go through it, one after the other.
    const fn is_usual(&self) -> bool {
        self.scans * self.pixels <= 1 << 30
    }
}

/// Refuses a file that is too short for the size it declares, before that is allocated.
///
/// Every 8x8 block takes a bit or more, and at least one component has a block for every 8x8 pixels or, subsampled
/// one way, for twice as many: a byte makes up 1024 pixels at most.
fn check_bytes_suffice(bytes: &[u8], width: u32, height: u32) -> Result<(), PictureError> {
    const MOST_PIXELS_PER_BYTE: u64 = 1024;
    if u64::from(width) * u64::from(height) <= bytes.len() as u64 * MOST_PIXELS_PER_BYTE {
        return Ok(());
    }
    let detail = format!("{} bytes cannot hold {width}x{height} pixels of jpeg", bytes.len());
    Err(PictureError::new(ReasonCode::Truncated, detail))
}

fn ends_early(error: &DecodeErrors, bytes: &[u8]) -> bool {
    matches!(error, DecodeErrors::ExhaustedData) || !has_end_marker(bytes)
}

fn refusal(failure: Failure, bytes: &[u8]) -> PictureError {
    let error = match failure {
        Failure::Refused(reason) => return reason,
        Failure::Codec(error) => error,
    };
    let code = if matches!(error, DecodeErrors::Unsupported(_)) {
        ReasonCode::UnsupportedFormat
    } else if !matches!(error, DecodeErrors::ZeroError) && ends_early(&error, bytes) {
        ReasonCode::Truncated
    } else {
        ReasonCode::Corrupt
    };
    PictureError::from_codec(code, &error.to_string())
}

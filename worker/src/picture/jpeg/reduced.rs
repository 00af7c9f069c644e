//! Large JPEG pictures at a half, a quarter or an eighth of their size, straight from their coefficients.
//!
//! Nothing here looks at more than 512 pixels of a side, and most of the work on a photograph of 12 megapixels lies in
//! transforming, colouring and scaling down what is thrown away afterwards. Crate jpeg-decoder transforms only the low
//! frequencies of each block; zune-jpeg, otherwise the faster one, cannot. It is asked for plain gray and YCbCr only,
//! and has no say in what is refused: whatever it does not read is left to zune-jpeg.

use image::RgbImage;
use jpeg_decoder::{ColorTransform, Decoder};

use super::segments::{Adobe, Header};

/// Shorter side that a reduced picture still has at least, in pixels: the largest network input.
pub(super) const KEPT_SIDE: u16 = 512;

/// The picture in stored orientation; `None` when it is too small to be reduced, not plain, or damaged.
pub(super) fn pixels(bytes: &[u8], header: &Header) -> Option<RgbImage> {
    let (width, height) = header.size;
    let reduction = [8, 4, 2].into_iter().find(|reduction| width.min(height) / reduction >= KEPT_SIDE)?;
    let transform = match (header.components, &header.adobe) {
        (1, _) => ColorTransform::Grayscale,
        (3, None | Some(Adobe { transform: 1, .. })) => ColorTransform::YCbCr,
        _ => return None,
    };
    let mut decoder = Decoder::new(bytes);
    decoder.set_color_transform(transform);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let reduced = (width.div_ceil(reduction), height.div_ceil(reduction));
    if (info.width, info.height) != header.size || decoder.scale(reduced.0, reduced.1).ok()? != reduced {
        return None;
    }
    let samples = decoder.decode().ok()?;
    let rgb =
        if header.components == 1 { samples.iter().flat_map(|gray| [*gray; 3]).collect() } else { samples };
    let fits = rgb.len() == usize::from(reduced.0) * usize::from(reduced.1) * 3;
    RgbImage::from_raw(reduced.0.into(), reduced.1.into(), rgb).filter(|_| fits)
}

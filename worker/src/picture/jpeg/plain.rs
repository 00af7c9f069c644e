//! JPEG pictures as cameras and programs write them: gray or YCbCr, without damage.
//!
//! Nothing here looks at more than 512 pixels of a side, and most of the work on a photograph of 12 megapixels lies in
//! transforming, colouring and scaling down what is thrown away afterwards. So large pictures come out at a half, a
//! quarter or an eighth of their size, straight from their coefficients.
//!
//! libjpeg-turbo-rs gives the samples that libjpeg-turbo gives, which torchvision's weights were trained with. It has no
//! say in what is refused: whatever it does not read without complaint is left to zune-jpeg.

use image::RgbImage;
use libjpeg_turbo_rs::{ColorSpace, Decoder, PixelFormat, ScalingFactor};

use super::segments::{Adobe, Header};

/// The picture in stored orientation, large ones reduced to no less than `kept_side` samples of the shorter side; `None` when it is not plain, or damaged.
pub(super) fn pixels(bytes: &[u8], header: &Header, kept_side: u16) -> Option<RgbImage> {
    let colours = match (header.components, &header.adobe) {
        (1, _) => ColorSpace::Grayscale,
        (3, None | Some(Adobe { transform: 1, .. })) => ColorSpace::YCbCr,
        _ => return None,
    };
    let (width, height) = header.size;
    let reduction =
        [8, 4, 2].into_iter().find(|reduction| width.min(height) / reduction >= kept_side).unwrap_or(1);
    let mut decoder = Decoder::new(bytes).ok()?;
    let frame = decoder.header();
    if (frame.width, frame.height) != header.size || decoder.jpeg_color_space() != colours {
        return None;
    }
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_stop_on_warning(true);
    decoder.set_scale(ScalingFactor::try_new(1, reduction.into()).ok()?);
    let decoded = decoder.decode_image().ok()?;
    let (columns, rows) = (width.div_ceil(reduction).into(), height.div_ceil(reduction).into());
    let fits = decoded.warnings.is_empty() && decoded.data.len() == columns as usize * rows as usize * 3;
    RgbImage::from_raw(columns, rows, decoded.data).filter(|_| fits)
}

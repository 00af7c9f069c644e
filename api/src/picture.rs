//! What can be told of a picture without decoding it: its format, its size, its dimensions.
//!
//! Declared content types and names are never believed. What the header does not give away is left to the
//! worker, which decodes.

use lookalike_shared::config::Limits;

/// The formats that the workers decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF and BigTIFF.
    Tiff,
    /// WebP.
    Webp,
}

/// Why bytes are no acceptable picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No bytes at all.
    #[error("the picture is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("the picture has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// How many there are.
        bytes: u64,
        /// How many there may be.
        limit: u64,
    },
    /// None of the formats.
    #[error("no picture starts with \"{0}\": jpeg, png, gif, bmp, tiff or webp expected")]
    UnknownFormat(String),
    /// More pixels than allowed.
    #[error("the picture has {width} x {height} pixels, more than the {limit} allowed")]
    TooManyPixels {
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
        /// How many pixels there may be.
        limit: u64,
    },
}

impl Format {
    /// Recognises a format by its signature.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [b'B', b'M', ..] => Some(Self::Bmp),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }

    /// The media type that browsers know it by.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Webp => "image/webp",
        }
    }
}

/// Refuses what no worker would decode: emptiness, too many bytes, an unknown format, too many pixels.
///
/// # Errors
/// The first [`Refusal`].
pub fn check(bytes: &[u8], limits: &Limits) -> Result<Format, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let size = bytes.len() as u64;
    if size > limits.max_picture_bytes {
        return Err(Refusal::TooLarge { bytes: size, limit: limits.max_picture_bytes });
    }
    let start = &bytes[..bytes.len().min(8)];
    let format =
        Format::sniff(bytes).ok_or_else(|| Refusal::UnknownFormat(start.escape_ascii().to_string()))?;
    if let Ok(size) = imagesize::blob_size(bytes) {
        let (width, height) = (size.width as u64, size.height as u64);
        if width.saturating_mul(height) > limits.max_picture_pixels {
            return Err(Refusal::TooManyPixels { width, height, limit: limits.max_picture_pixels });
        }
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG's signature and header chunk, which is all that is looked at.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_header_within_bounds_is_a_picture() {
        assert_eq!(check(&png(640, 480), &Limits::default()), Ok(Format::Png));
        assert_eq!(Format::sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::Webp));
        assert_eq!(Format::sniff(b"RIFF\0\0\0\0WAVEfmt "), None);
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let refusal = check(&png(100_000, 100_000), &Limits::default()).unwrap_err();
        assert_eq!(refusal, Refusal::TooManyPixels { width: 100_000, height: 100_000, limit: 100_000_000 });
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let limits = Limits { max_picture_bytes: 30, ..Limits::default() };
        assert_eq!(check(b"", &limits), Err(Refusal::Empty));
        assert_eq!(check(&png(1, 1), &limits), Err(Refusal::TooLarge { bytes: 33, limit: 30 }));
        let told = check(b"<html>\n", &limits).unwrap_err().to_string();
        assert_eq!(told, "no picture starts with \"<html>\\n\": jpeg, png, gif, bmp, tiff or webp expected");
    }
}

//! Tells a file's format from its first bytes. Names and declared content types are never believed.

use std::fmt;

use image::ImageFormat;

use super::{PictureError, ReasonCode};

/// The formats that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Baseline and progressive JPEG, 8 bits a sample.
    Jpeg,
    /// PNG, and the still picture of an animated PNG.
    Png,
    /// GIF; the first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF and BigTIFF; the first page.
    Tiff,
    /// WebP; the first frame.
    WebP,
}

/// Signatures of picture formats that users do bring along and that are refused by name.
const REFUSED: [(usize, &[u8], &str); 7] = [
    (4, b"ftypavif", "avif"),
    (4, b"ftypheic", "heic"),
    (4, b"ftypheix", "heic"),
    (4, b"ftypmif1", "heif"),
    (0, b"\0\0\x01\0", "ico"),
    (0, b"%PDF", "pdf"),
    (0, b"<svg", "svg"),
];

impl Format {
    /// Recognises a file by its signature.
    ///
    /// # Errors
    /// `unsupported_format`, naming the format where it is a known one.
    pub fn sniff(bytes: &[u8]) -> Result<Self, PictureError> {
        match bytes {
            [0xff, 0xd8, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            [b'G', b'I', b'F', b'8', ..] => Ok(Self::Gif),
            [b'B', b'M', ..] => Ok(Self::Bmp),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Self::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            _ => Err(unsupported(bytes)),
        }
    }

    /// The name that crate `image` has for it.
    pub(super) const fn codec(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Gif => ImageFormat::Gif,
            Self::Bmp => ImageFormat::Bmp,
            Self::Tiff => ImageFormat::Tiff,
            Self::WebP => ImageFormat::WebP,
        }
    }

    /// The name users know, lowercase.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

fn unsupported(bytes: &[u8]) -> PictureError {
    let known = REFUSED
        .iter()
        .find(|(offset, signature, _)| bytes.get(*offset..).is_some_and(|tail| tail.starts_with(signature)));
    let found = match known {
        Some((_, _, name)) => format!("{name} is not decoded"),
        None => format!("no picture starts with \"{}\"", bytes[..bytes.len().min(8)].escape_ascii()),
    };
    let detail = format!("{found}; jpeg, png, gif, bmp, tiff and webp are");
    PictureError::new(ReasonCode::UnsupportedFormat, detail)
}

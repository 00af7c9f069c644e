//! Why a file is not a usable picture.
//!
//! The codes are stored with the job's items, filtered on, and shown to users: they are part of the API, so a
//! code may be added but never renamed. The detail is for people and free to change.
//!
//! | code | the file | what would do |
//! | --- | --- | --- |
//! | `empty` | has no bytes | upload it again |
//! | `too_large` | has more bytes than the limit | a smaller file, or a higher limit |
//! | `unsupported_format` | is of a kind that is not decoded | JPEG, PNG, GIF, BMP, TIFF or WebP |
//! | `too_many_pixels` | declares more pixels than the limit | a smaller picture, or a higher limit |
//! | `truncated` | ends before its last pixel | fetch it again |
//! | `corrupt` | breaks the rules of its format | another copy |

use std::fmt;

/// The kind of reason, as stored and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// No bytes at all.
    Empty,
    /// More bytes than `Limits::max_bytes`.
    TooLarge,
    /// Not a picture, or a format or variant that is not decoded.
    UnsupportedFormat,
    /// The header declares more than `Limits::max_pixels` or `Limits::max_side`.
    TooManyPixels,
    /// The data end before the picture does.
    Truncated,
    /// The data break the rules of their format.
    Corrupt,
}

impl ReasonCode {
    /// Every code, in the order of the table above.
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::TooLarge,
        Self::UnsupportedFormat,
        Self::TooManyPixels,
        Self::Truncated,
        Self::Corrupt,
    ];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::UnsupportedFormat => "unsupported_format",
            Self::TooManyPixels => "too_many_pixels",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A file that is not a usable picture: data about that file, not a failure of the job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct PictureError {
    /// The kind of reason, stable.
    pub code: ReasonCode,
    /// What exactly was found, for people: lowercase, with the offending value.
    pub detail: String,
}

impl PictureError {
    /// A reason with its detail.
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// A codec's own complaint, made fit for a page: one line of at most 160 plain characters.
    pub(super) fn from_codec(code: ReasonCode, complaint: &str) -> Self {
        let plain = complaint.chars().map(|c| if c.is_ascii_graphic() && c != '"' { c } else { ' ' });
        let line = plain.collect::<String>().to_ascii_lowercase();
        let line = line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        Self::new(code, line.chars().take(160).collect::<String>())
    }

    /// Shorthand for the most common code.
    pub(super) fn corrupt(detail: impl Into<String>) -> Self {
        Self::new(ReasonCode::Corrupt, detail)
    }
}

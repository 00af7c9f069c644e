//! The sizes that headers declare, read before a codec is trusted with the file.
//!
//! Codecs tell a picture's size themselves, but some allocate first or stumble over something else: then a
//! file that is too large would be refused for another reason, or cost memory that [`Limits`] deny it.

mod tiff;

use super::{Format, Limits, PictureError};

/// Refuses a file whose header declares a size beyond the limits, where that has to be read ahead of the codec.
///
/// Nothing is refused here for what cannot be read: the codec says what is missing.
pub(super) fn check(bytes: &[u8], format: Format, limits: &Limits) -> Result<(), PictureError> {
    match format {
        Format::Gif => {
            check_size(gif_screen(bytes), limits)?;
            check_size(gif_frame(bytes), limits)
        }
        Format::Bmp => check_size(bmp(bytes), limits),
        Format::Tiff => tiff::check(bytes),
        Format::WebP => webp_frames(bytes).try_for_each(|size| check_size(Some(size), limits)),
        Format::Jpeg | Format::Png => Ok(()),
    }
}

/// Whether a WebP file is an animation (flag of the extended header; RFC 9649, 2.7).
pub(super) fn is_animated_webp(bytes: &[u8]) -> bool {
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
}

fn check_size(size: Option<(u32, u32)>, limits: &Limits) -> Result<(), PictureError> {
    size.map_or(Ok(()), |(width, height)| limits.check_size(width, height))
}

/// The logical screen (GIF89a, 18).
fn gif_screen(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((short(bytes, 6)?, short(bytes, 8)?))
}

/// The first frame (GIF89a, 20), behind the palette and the extensions, which are chains of short blocks.
fn gif_frame(bytes: &[u8]) -> Option<(u32, u32)> {
    const EXTENSION: u8 = 0x21;
    const FRAME: u8 = 0x2c;
    let flags = *bytes.get(10)?;
    let mut at = 13 + if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    while *bytes.get(at)? == EXTENSION {
        at += 2;
        while let length @ 1.. = *bytes.get(at)? {
            at += 1 + usize::from(length);
        }
        at += 1;
    }
    if bytes[at] != FRAME {
        return None;
    }
    Some((short(bytes, at + 5)?, short(bytes, at + 7)?))
}

/// From either kind of header; a negative height means rows from the top.
fn bmp(bytes: &[u8]) -> Option<(u32, u32)> {
    const OS2_HEADER_BYTES: u32 = 12;
    if word(bytes, 14)? == OS2_HEADER_BYTES {
        return Some((short(bytes, 18)?, short(bytes, 20)?));
    }
    Some((word(bytes, 18)?, word(bytes, 22)?.cast_signed().unsigned_abs()))
}

/// The sizes of the lossy frames, animated or not: the codec decodes one before it compares its size with the canvas.
fn webp_frames(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    const FRAME_HEADER_BYTES: usize = 16;
    let of_animation = chunks(bytes, 12)
        .filter(|(name, _)| name == b"ANMF")
        .flat_map(|(_, frame)| chunks(frame, FRAME_HEADER_BYTES));
    chunks(bytes, 12).chain(of_animation).filter(|(name, _)| name == b"VP8 ").filter_map(|(_, frame)| {
        // RFC 6386, 9.1: three bytes of tag, three of start code, then 14 bits each.
        Some((short(frame, 6)? & 0x3fff, short(frame, 8)? & 0x3fff))
    })
}

/// The chunks of a RIFF file from `at` on; the last one may be cut.
fn chunks(bytes: &[u8], mut at: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let name = bytes.get(at..at + 4)?;
        let length = word(bytes, at + 4)? as usize;
        let data = &bytes[at + 8..];
        at += 8 + length.next_multiple_of(2);
        Some((name, &data[..length.min(data.len())]))
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    let pair = bytes.get(at..at + 2)?;
    Some(u32::from(u16::from_le_bytes([pair[0], pair[1]])))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

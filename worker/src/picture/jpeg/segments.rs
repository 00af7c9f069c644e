//! The marker segments of a JPEG (ITU-T T.81, annex B): what they say beside the pixels.

use std::ops::Range;

use image::metadata::Orientation;

use crate::picture::{PictureError, ReasonCode};

const RESTART: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;
const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// What the segments before the first scan say.
#[derive(Default)]
pub(super) struct Header {
    /// Number of colour components; 0 when there is no frame header.
    pub components: u8,
    /// Stored width and height; 0 when there is no frame header.
    pub size: (u16, u16),
    /// From the first EXIF block that has a readable one.
    pub orientation: Option<Orientation>,
    /// Adobe's segment, if there is one.
    pub adobe: Option<Adobe>,
    /// Bits a sample; 0 when there is no frame header.
    precision: u8,
    /// The frame marker, which names the coding process.
    process: u8,
}

/// Adobe's APP14 segment.
pub(super) struct Adobe {
    /// 0: RGB or CMYK as stored, 1: YCbCr, 2: YCCK.
    pub transform: u8,
    /// Where the whole segment lies, marker included.
    pub span: Range<usize>,
}

impl Header {
    /// Reads as far as the file makes sense; what is missing stays empty.
    pub fn read(bytes: &[u8]) -> Self {
        let mut header = Self::default();
        for segment in Segments::of(bytes).take_while(|segment| segment.marker != START_OF_SCAN) {
            header.take(&segment);
        }
        header
    }

    /// Refuses what no decoder here knows: lossless and arithmetic coding, 12 bits, unknown colours.
    pub fn check_supported(&self) -> Result<(), PictureError> {
        let feature = match (self.process, self.precision, self.components) {
            // No frame header: the decoder says what is missing.
            (0, _, _) | (0xc0..=0xc2, 8, 1 | 3 | 4) => return Ok(()),
            (0xc0..=0xc2, 8, components) => format!("{components} colour components"),
            (0xc0..=0xc2, bits, _) => format!("{bits} bits a sample"),
            (0xc9..=0xcf, _, _) => "arithmetic coding".into(),
            (process, _, _) => format!("coding process 0x{process:x}"),
        };
        let detail = format!("jpeg with {feature} is not decoded");
        Err(PictureError::new(ReasonCode::UnsupportedFormat, detail))
    }

    /// Whether the picture comes in scans that refine each other.
    pub const fn is_progressive(&self) -> bool {
        self.process == 0xc2
    }

    fn take(&mut self, segment: &Segment<'_>) {
        match (segment.marker, segment.payload) {
            // Frame headers, without the tables that share their range: DHT, JPG and DAC.
            (marker @ 0xc0..=0xcf, [precision, high, low, left, right, components, ..])
                if !matches!(marker, 0xc4 | 0xc8 | 0xcc) =>
            {
                (self.process, self.precision, self.components) = (marker, *precision, *components);
                self.size = (u16::from_be_bytes([*left, *right]), u16::from_be_bytes([*high, *low]));
            }
            (APP1, [b'E', b'x', b'i', b'f', 0, _, tiff @ ..]) => {
                self.orientation = self.orientation.or_else(|| Orientation::from_exif_chunk(tiff));
            }
            (APP14, [b'A', b'd', b'o', b'b', b'e', rest @ ..]) => {
                let transform = rest.get(6).copied().unwrap_or(u8::MAX);
                self.adobe = Some(Adobe { transform, span: segment.span.clone() });
            }
            _ => {}
        }
    }
}

/// Whether the file has an end marker after a scan, so that it was not cut off.
pub(super) fn has_end_marker(bytes: &[u8]) -> bool {
    Segments::of(bytes)
        .skip_while(|segment| segment.marker != START_OF_SCAN)
        .any(|segment| segment.marker == END_OF_IMAGE)
}

/// How many scans the first picture of the file has.
pub(super) fn count_scans(bytes: &[u8]) -> u64 {
    let of_first = Segments::of(bytes).take_while(|segment| segment.marker != END_OF_IMAGE);
    of_first.filter(|segment| segment.marker == START_OF_SCAN).count() as u64
}

struct Segment<'a> {
    marker: u8,
    span: Range<usize>,
    payload: &'a [u8],
}

/// Walks from marker to marker; junk and entropy-coded data between them are passed over.
struct Segments<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Segments<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let start = self.position + self.bytes[self.position..].windows(2).position(is_marker)?;
        let marker = self.bytes[start + 1];
        let (payload, end) = if matches!(marker, START_OF_IMAGE | END_OF_IMAGE) {
            (&self.bytes[..0], start + 2)
        } else {
            let length = self.bytes.get(start + 2..start + 4)?;
            let end = start + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            (self.bytes.get(start + 4..end)?, end)
        };
        self.position = end;
        Some(Segment { marker, span: start..end, payload })
    }
}

/// Stuffed zeroes, fill bytes and restarts belong to the data around them; 0x01 is reserved.
fn is_marker(pair: &[u8]) -> bool {
    pair[0] == 0xff && !matches!(pair[1], 0 | 1 | 0xff) && !RESTART.contains(&pair[1])
}

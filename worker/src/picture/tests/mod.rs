//! Files made in the test by encoders, and by hand where no encoder writes them.

mod colours;
mod mutations;
mod orientation;
mod reading;
mod refusals;
mod results;

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::{Limits, Picture, decode};

/// The formats with their encoders, lossless ones first.
const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Jpeg,
];

/// Four quadrants of one colour each; rows of corners from the top left to the bottom right.
fn quadrants(width: u32, height: u32, corners: [[u8; 3]; 4]) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(corners[2 * usize::from(y >= height / 2) + usize::from(x >= width / 2)])
    })
}

/// A smooth picture with something to see in every part of it.
fn ramps(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let across = (255 * x / width) as u8;
        let down = (255 * y / height) as u8;
        let waves = (127.0 + 120.0 * (f64::from(x * y) / 400.0).sin()) as u8;
        Rgb([across, down, waves])
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn decoded(file: &[u8]) -> Picture {
    decode(file, &Limits::default()).unwrap()
}

fn picture(image: RgbImage) -> Picture {
    Picture { width: image.width(), height: image.height(), rgb: image.into_raw() }
}

/// The largest difference between two samples at the same place.
fn largest_difference(left: &[u8], right: &[u8]) -> u8 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| left.abs_diff(*right)).max().unwrap_or(0)
}

/// An 8x8 baseline JPEG whose components have one value each, with an Adobe segment on request.
///
/// With all quantisers at 8 the DC coefficient is exactly the sample minus 128: nothing is rounded.
fn flat_jpeg(samples: &[u8], adobe_transform: Option<u8>) -> Vec<u8> {
    let count = samples.len() as u8;
    let mut file = vec![0xff, 0xd8];
    if let Some(transform) = adobe_transform {
        segment(&mut file, 0xee, &[b"Adobe".as_slice(), &[0, 100, 0, 0, 0, 0, transform]].concat());
    }
    segment(&mut file, 0xdb, &[[0].as_slice(), &[8; 64]].concat());
    let parts = (1..=count).flat_map(|id| [id, 0x11, 0]);
    segment(&mut file, 0xc0, &[8, 0, 8, 0, 8, count].into_iter().chain(parts).collect::<Vec<_>>());
    // DC: categories 0 to 8, four bits each. AC: only "end of block", one zero bit.
    let lengths = |at: usize, codes: u8| (1..=16).map(move |length| if length == at { codes } else { 0 });
    segment(&mut file, 0xc4, &[0].into_iter().chain(lengths(4, 9)).chain(0..=8).collect::<Vec<_>>());
    segment(&mut file, 0xc4, &[0x10].into_iter().chain(lengths(1, 1)).chain([0]).collect::<Vec<_>>());
    let parts = (1..=count).flat_map(|id| [id, 0]);
    segment(&mut file, 0xda, &[count].into_iter().chain(parts).chain([0, 63, 0]).collect::<Vec<_>>());
    file.extend(flat_scan(samples));
    file.extend([0xff, 0xd9]);
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((payload.len() as u16 + 2).to_be_bytes());
    file.extend(payload);
}

fn flat_scan(samples: &[u8]) -> Vec<u8> {
    let mut bits = String::new();
    for sample in samples {
        let level = i32::from(*sample) - 128;
        let category = (32 - level.unsigned_abs().leading_zeros()) as usize;
        let magnitude = if level < 0 { level + (1 << category) - 1 } else { level };
        bits += &format!("{category:04b}");
        if category > 0 {
            bits += &format!("{magnitude:0category$b}");
        }
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let bytes = (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap());
    bytes.flat_map(|byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect()
}

//! Pictures come out upright: EXIF 2.32, tag 0x0112, values 1 to 8.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use super::{decoded, quadrants, segment};
use crate::picture::Picture;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

/// For each orientation, what a picture stored as red, green / blue, white shows upright.
const UPRIGHT: [(u8, [[u8; 3]; 4]); 8] = [
    (1, [RED, GREEN, BLUE, WHITE]),
    (2, [GREEN, RED, WHITE, BLUE]),
    (3, [WHITE, BLUE, GREEN, RED]),
    (4, [BLUE, WHITE, RED, GREEN]),
    (5, [RED, BLUE, GREEN, WHITE]),
    (6, [BLUE, RED, WHITE, GREEN]),
    (7, [WHITE, GREEN, BLUE, RED]),
    (8, [GREEN, WHITE, RED, BLUE]),
];

/// A TIFF block with the orientation tag alone, in either byte order.
fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation], &[0; 6]].concat()
    } else {
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation], &[0; 7]].concat()
    }
}

fn stored() -> RgbImage {
    quadrants(48, 32, [RED, GREEN, BLUE, WHITE])
}

fn jpeg_with(exif: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    encoder.set_exif_metadata(exif).unwrap();
    let image = stored();
    encoder.write_image(&image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
    file
}

fn png_with(exif: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_exif_metadata(exif).unwrap();
    let image = stored();
    encoder.write_image(&image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
    file
}

fn webp_with(exif: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut file);
    encoder.set_exif_metadata(exif).unwrap();
    let image = stored();
    encoder.write_image(&image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
    file
}

/// The colours in the middle of the four quadrants, each channel rounded to 0 or 255.
fn corners(picture: &Picture) -> [[u8; 3]; 4] {
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
        let (column, row) = (picture.width * x / 4, picture.height * y / 4);
        let at = 3 * (row * picture.width + column) as usize;
        [0, 1, 2].map(|channel| if picture.rgb[at + channel] < 128 { 0 } else { 255 })
    })
}

#[test]
fn every_orientation_is_undone_in_every_format_that_carries_one() {
    for (orientation, expected) in UPRIGHT {
        let size = if orientation < 5 { (48, 32) } else { (32, 48) };
        for encode in [jpeg_with, png_with, webp_with] {
            for big_endian in [false, true] {
                let found = decoded(&encode(exif(orientation, big_endian)));
                assert_eq!((found.width, found.height), size, "orientation {orientation}");
                assert_eq!(corners(&found), expected, "orientation {orientation}");
            }
        }
    }
}

#[test]
fn a_meaningless_orientation_leaves_the_picture_as_stored() {
    let cut_short = exif(6, false)[..12].to_vec();
    for block in [exif(0, false), exif(9, true), cut_short, b"not a tiff block".to_vec(), Vec::new()] {
        assert_eq!(corners(&decoded(&jpeg_with(block.clone()))), UPRIGHT[0].1, "{block:?}");
    }
}

#[test]
fn the_first_readable_of_several_exif_blocks_counts() {
    let plain = jpeg_with(exif(3, false));
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xe1, &[b"Exif\0\0".as_slice(), b"garbage"].concat());
    segment(&mut file, 0xe1, &[b"Exif\0\0".as_slice(), &exif(6, true)].concat());
    file.extend(&plain[2..]);
    assert_eq!(corners(&decoded(&file)), UPRIGHT[5].1);
}

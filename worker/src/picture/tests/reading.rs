//! Large JPEG pictures come out reduced, and a file is read once for everything.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, GrayImage, ImageEncoder, ImageFormat, Luma, RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{decoded, encoded, picture, ramps};
use crate::picture::{
    Limits, Picture, ReasonCode, THUMBNAIL_SIDE, content_hash, decode, perceptual_hash, prepare,
    read_picture, thumbnail,
};

fn jpeg(image: &RgbImage, progressive: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    let (width, height) = (image.width() as u16, image.height() as u16);
    encoder.encode(image.as_raw(), width, height, ColorType::Rgb).unwrap();
    file
}

fn mean_difference(left: &[u8], right: &[u8]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / left.len() as f64
}

#[test]
fn a_large_jpeg_keeps_the_samples_that_the_largest_network_input_has() {
    for (size, sampled) in [
        ((1030, 1023), (1030, 1023)),
        ((1030, 1024), (515, 512)),
        ((2049, 2051), (513, 513)),
        ((5000, 600), (5000, 600)),
        ((4097, 4096), (513, 512)),
    ] {
        let smooth =
            RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb([(x / 20) as u8, (y / 20) as u8, 9]));
        let found = decoded(&jpeg(&smooth, false));
        assert_eq!((found.width, found.height), size);
        assert_eq!(found.sampled(), sampled, "{size:?}");
    }
}

#[test]
fn a_reduced_jpeg_gives_nearly_the_same_input_and_hash_as_the_whole() {
    let original = imageops::blur(&ramps(1400, 1100), 1.5);
    let whole = picture(original.clone());
    for progressive in [false, true] {
        let found = decoded(&jpeg(&original, progressive));
        assert_eq!(found.sampled(), (700, 550));
        for size in [224, 512] {
            let difference = mean_difference(&prepare(&found, size), &prepare(&whole, size));
            assert!(difference < 1.5, "{difference} at {size}");
        }
        assert!((perceptual_hash(&found) ^ perceptual_hash(&whole)).count_ones() <= 2);
    }
}

#[test]
fn a_reduced_jpeg_is_turned_upright_and_gray_has_three_channels() {
    // Orientation 6: the stored left becomes the top.
    let stored = GrayImage::from_fn(1300, 1100, |x, _| Luma([if x < 650 { 20 } else { 230 }]));
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    encoder
        .set_exif_metadata(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec())
        .unwrap();
    encoder.write_image(&stored, 1300, 1100, ExtendedColorType::L8).unwrap();
    let found = decoded(&file);
    assert_eq!((found.width, found.height), (1100, 1300));
    assert_eq!(found.sampled(), (550, 650));
    assert!(found.rgb[..3].iter().all(|sample| sample.abs_diff(20) < 4));
    assert!(found.rgb[found.rgb.len() - 3..].iter().all(|sample| sample.abs_diff(230) < 4));
}

#[test]
fn a_large_jpeg_cut_short_is_truncated() {
    for progressive in [false, true] {
        let file = jpeg(&ramps(1200, 1100), progressive);
        for percent in [40, 80, 95] {
            let refusal = decode(&file[..file.len() * percent / 100], &Limits::default()).unwrap_err();
            assert_eq!(refusal.code, ReasonCode::Truncated, "{percent} %: {refusal}");
        }
    }
}

#[test]
#[should_panic(expected = "one of its reductions")]
fn samples_of_another_size_are_noticed() {
    let wrong = Picture { width: 100, height: 100, rgb: vec![0; 33 * 33 * 3] };
    wrong.sampled();
}

#[test]
fn a_file_is_read_once_for_what_each_function_gives_alone() {
    for file in [encoded(ramps(300, 200), ImageFormat::Png), jpeg(&ramps(1200, 1100), false)] {
        let (whole, read) = (decoded(&file), read_picture(&file, &Limits::default(), 96).unwrap());
        assert_eq!((read.width, read.height), (whole.width, whole.height));
        assert_eq!(read.input, prepare(&whole, 96));
        assert_eq!(read.content_hash, content_hash(&file));
        assert_eq!(read.perceptual_hash, perceptual_hash(&whole));
        assert_eq!(read.thumbnail, thumbnail(&whole, THUMBNAIL_SIDE).unwrap());
    }
    let refusal = read_picture(b"no picture", &Limits::default(), 96).unwrap_err();
    assert_eq!(refusal.code, ReasonCode::UnsupportedFormat);
}

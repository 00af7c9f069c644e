//! What is made of a picture: network input, thumbnails, hashes.

use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};

use super::{decoded, encoded, largest_difference, picture, ramps};
use crate::picture::{
    Picture, ReasonCode, Region, content_hash, perceptual_hash, prepare, prepare_into, prepare_region,
    thumbnail,
};

/// Three vertical or horizontal bands of equal width; the middle one is green.
fn bands(width: u32, height: u32) -> RgbImage {
    let longer = width.max(height);
    RgbImage::from_fn(width, height, |x, y| {
        let along = if width > height { x } else { y };
        [Rgb([255, 0, 0]), Rgb([0, 255, 0]), Rgb([0, 0, 255])][(3 * along / longer) as usize]
    })
}

#[test]
fn network_input_is_the_centre_square() {
    for (width, height) in [(300, 100), (100, 300)] {
        let input = prepare(&picture(bands(width, height)), 64);
        for (at, sample) in input.chunks_exact(3).enumerate() {
            // Only at its rim does the filter see a little of what lies outside.
            let inside = (1..63).contains(&(at % 64)) && (1..63).contains(&(at / 64));
            let tolerance = if inside { 0 } else { 40 };
            assert!(largest_difference(sample, &[0, 255, 0]) <= tolerance, "{width}x{height} at {at}");
        }
    }
}

#[test]
fn shrinking_averages_instead_of_picking_pixels() {
    let fine = RgbImage::from_fn(448, 448, |x, y| Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    let input = prepare(&picture(fine), 64);
    assert!(input.iter().all(|sample| sample.abs_diff(127) <= 3));
}

#[test]
fn scaling_agrees_with_a_triangle_filter_of_other_make() {
    let original = ramps(320, 320);
    let reference = imageops::resize(&original, 64, 64, FilterType::Triangle);
    let input = prepare(&picture(original), 64);
    assert!(largest_difference(&input, reference.as_raw()) <= 2);
}

#[test]
fn one_pixel_fills_the_network_input() {
    let input = prepare(&picture(RgbImage::from_pixel(1, 1, Rgb([9, 8, 7]))), 224);
    assert_eq!(input, [9, 8, 7].repeat(224 * 224));
}

#[test]
fn a_place_of_a_batch_gets_the_same_samples() {
    let source = picture(ramps(90, 50));
    let mut batch = vec![0; 2 * 32 * 32 * 3];
    prepare_into(&source, 32, &mut batch[32 * 32 * 3..]);
    assert_eq!(batch[32 * 32 * 3..], prepare(&source, 32));
    assert!(batch[..32 * 32 * 3].iter().all(|sample| *sample == 0));
}

#[test]
fn thumbnails_keep_the_proportions_and_never_grow() {
    for (size, max_side, expected) in [
        ((400, 100), 200, (200, 50)),
        ((100, 400), 200, (50, 200)),
        ((60, 40), 200, (60, 40)),
        ((1000, 1), 100, (100, 1)),
        ((5, 5), 0, (1, 1)),
    ] {
        let small = decoded(&thumbnail(&picture(ramps(size.0, size.1)), max_side).unwrap());
        assert_eq!((small.width, small.height), expected, "{size:?} in {max_side}");
    }
}

#[test]
fn a_thumbnail_shows_the_picture_in_its_colours() {
    let original = RgbImage::from_fn(256, 256, |x, y| Rgb([x as u8, y as u8, 90]));
    let small = decoded(&thumbnail(&picture(original.clone()), 64).unwrap());
    let reference = imageops::resize(&original, 64, 64, FilterType::Triangle);
    assert!(largest_difference(&small.rgb, reference.as_raw()) <= 24);
}

#[test]
fn a_thumbnail_longer_than_jpeg_allows_is_refused() {
    let long = picture(RgbImage::new(65_536, 1));
    let refusal = thumbnail(&long, u32::MAX).unwrap_err();
    assert_eq!(refusal.code, ReasonCode::TooManyPixels);
    assert!(refusal.detail.contains("65536x1"), "{refusal}");
}

#[test]
fn the_content_hash_is_sha_256() {
    // FIPS 180-4, example of the one-block message "abc".
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let hash: String = content_hash(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, expected);
}

#[test]
fn the_perceptual_hash_tells_where_the_picture_gets_brighter() {
    let brighter = |x: u32, _| Rgb([(x * 255 / 89) as u8; 3]);
    assert_eq!(perceptual_hash(&picture(RgbImage::from_fn(90, 80, brighter))), u64::MAX);
    let left_half = |x: u32, _| Rgb([if x < 50 { x as u8 * 5 } else { 250 - (x - 40) as u8 * 5 }; 3]);
    assert_eq!(perceptual_hash(&picture(RgbImage::from_fn(90, 80, left_half))), 0xf0f0_f0f0_f0f0_f0f0);
}

#[test]
fn near_duplicates_have_close_perceptual_hashes_and_others_do_not() {
    let original = ramps(400, 300);
    let hash = perceptual_hash(&picture(original.clone()));
    let smaller = imageops::resize(&original, 133, 100, FilterType::CatmullRom);
    let recompressed = decoded(&encoded(smaller, ImageFormat::Jpeg));
    assert!((hash ^ perceptual_hash(&recompressed)).count_ones() <= 6);
    let turned = picture(imageops::rotate180(&original));
    assert!((hash ^ perceptual_hash(&turned)).count_ones() >= 16);
}

/// Rows and columns of a picture, cut out.
fn cut(picture: &Picture, (left, top, width, height): (u32, u32, u32, u32)) -> Picture {
    let row = |row: u32| {
        let from = ((row * picture.width + left) * 3) as usize;
        picture.rgb[from..from + (width * 3) as usize].to_vec()
    };
    Picture { width, height, rgb: (top..top + height).flat_map(row).collect() }
}

#[test]
fn a_part_gives_the_input_that_it_gives_as_a_picture_of_its_own() {
    let rgb = (0..80 * 60 * 3_u32).map(|at| (at * 7 % 251) as u8).collect();
    let picture = Picture { width: 80, height: 60, rgb };
    for (region, pixels) in [
        (Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 }, (0, 0, 80, 60)),
        (Region { x: 0.25, y: 0.0, width: 0.5, height: 1.0 }, (20, 0, 40, 60)),
        (Region { x: 0.5, y: 0.5, width: 0.5, height: 0.5 }, (40, 30, 40, 30)),
        (Region { x: 0.9, y: 0.1, width: 0.1, height: 0.1 }, (72, 6, 8, 6)),
    ] {
        let (part, own) = (prepare_region(&picture, region, 32), prepare(&cut(&picture, pixels), 32));
        // At its rim the filter sees a little of what lies around the part.
        let inside = |at: &usize| (4..28).contains(&(at / 3 % 32)) && (4..28).contains(&(at / 3 / 32));
        assert!((0..part.len()).filter(inside).all(|at| part[at] == own[at]), "{region:?}");
    }
    // Smaller than a sample: the sample that it lies in.
    let speck = Region { x: 1.0, y: 1.0, width: 1e-9, height: 1e-9 };
    assert_eq!(prepare_region(&picture, speck, 1), cut(&picture, (79, 59, 1, 1)).rgb);
}

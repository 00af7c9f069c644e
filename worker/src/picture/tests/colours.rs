//! Every way of storing colours comes out as the same 8-bit RGB.

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba, RgbaImage};

use super::{FORMATS, decoded, encoded, flat_jpeg, largest_difference, picture, quadrants, ramps};

#[test]
fn every_format_gives_the_colours_that_were_encoded() {
    let corners = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]];
    let original = quadrants(64, 32, corners);
    for format in FORMATS {
        let found = decoded(&encoded(original.clone(), format));
        assert_eq!((found.width, found.height), (64, 32), "{format:?}");
        let tolerance = if format == ImageFormat::Jpeg { 12 } else { 0 };
        assert!(largest_difference(&found.rgb, original.as_raw()) <= tolerance, "{format:?}");
    }
}

#[test]
fn a_smooth_jpeg_stays_close_to_its_original() {
    let original = ramps(200, 120);
    let found = decoded(&encoded(original.clone(), ImageFormat::Jpeg));
    let total: u64 = found.rgb.iter().zip(original.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(total / (found.rgb.len() as u64) < 6);
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let wide: ImageBuffer<Rgb<u16>, _> = ImageBuffer::from_pixel(3, 2, Rgb([0xffff, 0x8080, 0x0101]));
    let found = decoded(&encoded(DynamicImage::ImageRgb16(wide), ImageFormat::Png));
    assert_eq!(found.rgb, [255, 128, 1].repeat(6));
    let gray: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_pixel(3, 2, Luma([0x4242]));
    let found = decoded(&encoded(DynamicImage::ImageLuma16(gray), ImageFormat::Tiff));
    assert_eq!(found.rgb, [0x42; 18]);
}

#[test]
fn gray_becomes_three_equal_channels() {
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Jpeg] {
        let gray = GrayImage::from_pixel(9, 5, Luma([77]));
        assert_eq!(decoded(&encoded(gray, format)).rgb, [77; 9 * 5 * 3], "{format:?}");
    }
}

#[test]
fn transparency_shows_white_below() {
    let half = RgbaImage::from_pixel(2, 1, Rgba([200, 0, 100, 128]));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        assert_eq!(decoded(&encoded(half.clone(), format)).rgb, [227, 127, 177].repeat(2), "{format:?}");
    }
    let clear = RgbaImage::from_pixel(2, 1, Rgba([9, 9, 9, 0]));
    for format in [ImageFormat::Png, ImageFormat::Gif] {
        assert_eq!(decoded(&encoded(clear.clone(), format)).rgb, [255; 6], "{format:?}");
    }
    let gray = ImageBuffer::from_pixel(1, 1, LumaA([0_u8, 51]));
    assert_eq!(decoded(&encoded(DynamicImage::ImageLumaA8(gray), ImageFormat::Png)).rgb, [204; 3]);
}

#[test]
fn a_jpeg_of_one_gray_component_ignores_what_adobe_says_of_colours() {
    for transform in [None, Some(0), Some(1), Some(2), Some(9)] {
        assert_eq!(decoded(&flat_jpeg(&[77], transform)).rgb, [77; 192], "{transform:?}");
    }
}

#[test]
fn a_jpeg_of_three_components_is_ycbcr_unless_adobe_says_rgb() {
    for transform in [None, Some(1), Some(2), Some(9)] {
        assert_eq!(decoded(&flat_jpeg(&[90, 128, 128], transform)).rgb, [90; 192], "{transform:?}");
    }
    assert_eq!(decoded(&flat_jpeg(&[10, 200, 90], Some(0))).rgb, [10, 200, 90].repeat(64));
}

#[test]
fn a_jpeg_of_four_components_is_inverted_cmyk() {
    for transform in [None, Some(0)] {
        let bright = decoded(&flat_jpeg(&[200, 100, 50, 255], transform));
        assert_eq!(bright.rgb, [200, 100, 50].repeat(64), "{transform:?}");
        let black = decoded(&flat_jpeg(&[200, 100, 50, 0], transform));
        assert_eq!(black.rgb, [0; 192], "{transform:?}");
    }
    let half = decoded(&flat_jpeg(&[200, 100, 50, 51], Some(0)));
    assert_eq!(half.rgb, [40, 20, 10].repeat(64));
}

#[test]
fn adobe_ycck_is_turned_through_ycbcr_first() {
    let found = decoded(&flat_jpeg(&[55, 128, 128, 255], Some(2)));
    assert_eq!(found.rgb, [200; 192]);
}

#[test]
fn one_pixel_and_extreme_proportions_decode() {
    for (width, height) in [(1, 1), (1, 900), (900, 1), (7, 3)] {
        for format in FORMATS {
            let original = picture(ramps(width, height));
            let found = decoded(&encoded(ramps(width, height), format));
            assert_eq!((found.width, found.height), (width, height), "{format:?}");
            assert_eq!(found.rgb.len(), original.rgb.len(), "{format:?}");
        }
    }
}

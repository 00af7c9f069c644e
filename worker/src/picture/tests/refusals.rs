//! What is refused, with which code; and that nothing in a file brings the process down.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::mutations::{crc32, mutated};
use super::{FORMATS, decoded, encoded, flat_jpeg, ramps, segment};
use crate::picture::{Limits, ReasonCode, decode, read_picture};

fn code(file: &[u8], limits: &Limits) -> ReasonCode {
    decode(file, limits).unwrap_err().code
}

#[test]
fn files_that_are_no_picture_are_told_apart() {
    let limits = Limits::default();
    assert_eq!(code(b"", &limits), ReasonCode::Empty);
    for text in [b"This is a text.".as_slice(), b"<!doctype html>", b"\0\0\0\x1cftypavif", b"\xff"] {
        assert_eq!(code(text, &limits), ReasonCode::UnsupportedFormat);
    }
    let heic = decode(b"\0\0\0\x18ftypheic\0\0", &limits).unwrap_err();
    assert_eq!(heic.detail, "heic is not decoded; jpeg, png, gif, bmp, tiff and webp are");
}

#[test]
fn a_file_longer_than_the_limit_is_refused_unread() {
    let file = encoded(ramps(8, 8), ImageFormat::Png);
    let limits = Limits { max_bytes: file.len() - 1, ..Limits::default() };
    assert_eq!(code(&file, &limits), ReasonCode::TooLarge);
    let limits = Limits { max_bytes: file.len(), ..Limits::default() };
    assert!(decode(&file, &limits).is_ok());
}

#[test]
fn the_pixel_limits_hold_in_every_format() {
    for format in FORMATS {
        let file = encoded(ramps(60, 20), format);
        let exact = Limits { max_pixels: 1200, max_side: 60, ..Limits::default() };
        assert!(decode(&file, &exact).is_ok(), "{format:?}");
        let fewer_pixels = Limits { max_pixels: 1199, ..exact };
        assert_eq!(code(&file, &fewer_pixels), ReasonCode::TooManyPixels, "{format:?}");
        let shorter_side = Limits { max_side: 59, ..exact };
        assert_eq!(code(&file, &shorter_side), ReasonCode::TooManyPixels, "{format:?}");
    }
}

/// Small files whose headers declare 65535x65535 pixels: the header alone decides, or the code would be
/// that of missing data.
#[test]
fn a_header_that_declares_billions_of_pixels_is_refused_before_decoding() {
    let limits = Limits::default();
    let jpeg = [0xff, 0xff, 0xff, 0xff];
    let mut bombs = vec![with_bytes_after(&flat_jpeg(&[77], None), &[0xff, 0xc0, 0, 11, 8], &jpeg)];
    bombs.push(with_bytes_at(encoded(ramps(2, 2), ImageFormat::Gif), 6, &[0xff; 4]));
    bombs.push(with_bytes_at(
        encoded(ramps(2, 2), ImageFormat::Bmp),
        18,
        &[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0],
    ));
    let mut png =
        with_bytes_at(encoded(ramps(2, 2), ImageFormat::Png), 16, &[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    bombs.push(png);
    for bomb in bombs {
        let refusal = decode(&bomb, &limits).unwrap_err();
        assert_eq!(refusal.code, ReasonCode::TooManyPixels, "{refusal}");
        assert!(refusal.detail.contains("65535x65535"), "{refusal}");
    }
}

#[test]
fn a_header_without_pixels_is_corrupt() {
    let file = with_bytes_after(&flat_jpeg(&[77], None), &[0xff, 0xc0, 0, 11, 8], &[0; 4]);
    assert_eq!(code(&file, &Limits::default()), ReasonCode::Corrupt);
}

#[test]
fn a_file_cut_anywhere_in_its_pixels_is_truncated() {
    for format in FORMATS {
        let file = encoded(ramps(120, 90), format);
        for percent in [40, 60, 80, 90] {
            let cut = &file[..file.len() * percent / 100];
            let refusal = decode(cut, &Limits::default()).unwrap_err();
            assert_eq!(refusal.code, ReasonCode::Truncated, "{format:?} at {percent} %: {refusal}");
        }
    }
}

#[test]
fn a_cut_jpeg_is_truncated_even_when_other_data_follow() {
    let file = encoded(ramps(120, 90), ImageFormat::Jpeg);
    let mut cut = file[..file.len() / 2].to_vec();
    assert_eq!(code(&cut, &Limits::default()), ReasonCode::Truncated);
    cut.extend([0; 64]);
    assert_eq!(code(&cut, &Limits::default()), ReasonCode::Truncated);
}

#[test]
fn a_second_jpeg_behind_the_first_is_ignored() {
    let mut file = flat_jpeg(&[77], None);
    file.extend(flat_jpeg(&[200], None));
    assert_eq!(decoded(&file).rgb, [77; 192]);
}

#[test]
fn junk_between_segments_does_not_matter() {
    let plain = flat_jpeg(&[77], None);
    let file = [&plain[..2], b"junk of some length", &plain[2..]].concat();
    assert_eq!(decoded(&file).rgb, [77; 192]);
}

#[test]
fn coding_processes_that_are_not_decoded_are_named() {
    let plain = flat_jpeg(&[77], None);
    let frame = plain.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let arithmetic = with_bytes_at(plain.clone(), frame + 1, &[0xc9]);
    let lossless = with_bytes_at(plain.clone(), frame + 1, &[0xc3]);
    let twelve_bits = with_bytes_at(plain, frame + 4, &[12]);
    let expected = ["arithmetic coding", "process 0xc3", "12 bits"];
    for (file, words) in [arithmetic, lossless, twelve_bits].iter().zip(expected) {
        let refusal = decode(file, &Limits::default()).unwrap_err();
        assert_eq!(refusal.code, ReasonCode::UnsupportedFormat);
        assert!(refusal.detail.contains(words), "{refusal}");
    }
}

#[test]
fn two_components_are_refused_as_unsupported() {
    assert_eq!(code(&flat_jpeg(&[77, 88], None), &Limits::default()), ReasonCode::UnsupportedFormat);
}

#[test]
fn every_code_is_explained_in_the_table() {
    let source = include_str!("../reason.rs");
    for code in ReasonCode::ALL {
        assert!(source.contains(&format!("//! | `{code}` |")), "{code}");
    }
}

/// Random damage to good files of every kind. The seed is fixed: a failure repeats itself.
#[test]
fn damaged_files_never_bring_the_process_down() {
    let limits = Limits { max_pixels: 1 << 18, ..Limits::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(20_170_001);
    let mut seeds: Vec<Vec<u8>> = FORMATS.iter().map(|format| encoded(ramps(40, 30), *format)).collect();
    seeds.push(flat_jpeg(&[10, 20, 30, 40], Some(2)));
    seeds.push(jpeg_with_subsampling_and_comment());
    let (mut accepted, mut refused) = (0, 0);
    for (at, seed) in seeds.iter().enumerate() {
        let other = &seeds[(at + 1) % seeds.len()];
        for _ in 0..200 {
            match read_picture(&mutated(seed, other, &mut rng), &limits, 16) {
                Ok(found) => {
                    assert_eq!(found.input.len(), 16 * 16 * 3);
                    assert!(found.width > 0 && found.height > 0 && !found.thumbnail.is_empty());
                    accepted += 1;
                }
                Err(refusal) => {
                    assert!(!refusal.detail.is_empty());
                    refused += 1;
                }
            }
        }
    }
    // Both outcomes occur often, so the damage is neither invisible nor always fatal at once.
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_gif_frame_or_webp_frame_beyond_the_limits_is_refused_like_a_header() {
    let limits = Limits::default();
    let gif = encoded(ramps(2, 2), ImageFormat::Gif);
    let frame = gif.iter().position(|byte| *byte == 0x2c).unwrap();
    let gif = with_bytes_at(gif, frame + 5, &[0xff; 4]);
    // A canvas of 2x2 with a lossy frame of 16383x16383.
    let mut webp = b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x01\0\0\x01\0\0VP8 \x0a\0\0\0".to_vec();
    webp.extend([0, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f]);
    for (file, size) in [(gif, "65535x65535"), (webp, "16383x16383")] {
        let refusal = decode(&file, &limits).unwrap_err();
        assert_eq!(refusal.code, ReasonCode::TooManyPixels, "{refusal}");
        assert!(refusal.detail.contains(size), "{refusal}");
    }
}

#[test]
fn a_tiff_with_more_values_than_any_has_is_refused_before_they_get_room() {
    let file = encoded(ramps(8, 8), ImageFormat::Tiff);
    let directory = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let strip_offsets = file[directory..].windows(2).position(|pair| pair == 273_u16.to_le_bytes()).unwrap();
    let file = with_bytes_at(file, directory + strip_offsets + 4, &8_000_000_u32.to_le_bytes());
    let refusal = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(refusal.code, ReasonCode::UnsupportedFormat, "{refusal}");
    assert!(refusal.detail.contains("tag 273"), "{refusal}");
}

#[test]
fn a_jpeg_too_short_for_its_size_is_refused_before_that_is_allocated() {
    let file = with_bytes_after(&flat_jpeg(&[77], None), &[0xff, 0xc0, 0, 11, 8], &[0x1f, 0x40, 0x1f, 0x40]);
    let refusal = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(refusal.code, ReasonCode::Truncated);
    assert!(refusal.detail.contains("cannot hold 8000x8000"), "{refusal}");
}

#[test]
fn a_progressive_jpeg_of_endless_scans_is_refused() {
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xc2, &[8, 0x1f, 0x40, 0x1f, 0x40, 1, 1, 0x11, 0]);
    for _ in 0..90 {
        segment(&mut file, 0xda, &[1, 1, 0, 1, 63, 0x10]);
        file.extend([0; 1000]);
    }
    file.extend([0xff, 0xd9]);
    let refusal = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(refusal.code, ReasonCode::UnsupportedFormat);
    assert!(refusal.detail.contains("90 scans"), "{refusal}");
}

fn jpeg_with_subsampling_and_comment() -> Vec<u8> {
    let mut plain = Vec::new();
    let image = ramps(40, 30);
    JpegEncoder::new_with_quality(&mut plain, 60).encode(&image, 40, 30, ExtendedColorType::Rgb8).unwrap();
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xfe, b"a comment");
    file.extend(&plain[2..]);
    file
}

fn with_bytes_at(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn with_bytes_after(file: &[u8], anchor: &[u8], bytes: &[u8]) -> Vec<u8> {
    let at = file.windows(anchor.len()).position(|window| window == anchor).unwrap();
    with_bytes_at(file.to_vec(), at + anchor.len(), bytes)
}

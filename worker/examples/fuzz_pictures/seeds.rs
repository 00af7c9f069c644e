//! Good files of every kind to begin with: made here, and those of a folder.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, Frame, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Longest file of a folder that is taken: damage to a few bytes of a large one is seldom seen.
const LONGEST: u64 = 256 << 10;

/// A file with what tells it from the others.
pub struct Seed {
    /// For people.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// All files of a folder and its folders that are not too long, in the order of their paths.
pub fn of_folder(folder: &Path) -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let (path, about) = (entry.path(), entry.metadata()?);
        if about.is_dir() {
            seeds.extend(of_folder(&path)?);
        } else if (1..=LONGEST).contains(&about.len()) {
            seeds.push(Seed { name: path.display().to_string(), bytes: std::fs::read(&path)? });
        }
    }
    Ok(seeds)
}

/// Small files of every format and most of their variants.
pub fn made_here() -> anyhow::Result<Vec<Seed>> {
    let small = picture(40, 30);
    let mut seeds = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| seeds.push(Seed { name: name.to_owned(), bytes });
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif, ImageFormat::WebP]
    {
        add(&format!("{format:?}"), encoded(small.clone(), format)?);
    }
    for (name, image) in deep(&small) {
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            add(&format!("{format:?} {name}"), encoded(image.clone(), format)?);
        }
    }
    let clear = DynamicImage::from(small.clone()).into_rgba8();
    let mut webp = Vec::new();
    WebPEncoder::new_lossless(&mut webp).encode(&clear, 40, 30, ExtendedColorType::Rgba8)?;
    add("WebP alpha", webp);
    let mut gif = Vec::new();
    let frames = [0, 10]
        .map(|left| Frame::from_parts(clear.clone(), left, left, image::Delay::from_numer_denom_ms(40, 1)));
    GifEncoder::new(&mut gif).encode_frames(frames)?;
    add("Gif frames", gif);
    for sampling in [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
        SamplingFactor::F_4_1,
        SamplingFactor::F_4_2,
        SamplingFactor::F_1_4,
        SamplingFactor::F_2_4,
    ] {
        for progressive in [false, true] {
            for color in [ColorType::Rgb, ColorType::Luma, ColorType::Cmyk, ColorType::CmykAsYcck] {
                let name = format!("Jpeg {sampling:?} {color:?} progressive {progressive}");
                add(&name, jpeg(&small, sampling, progressive, color)?);
            }
        }
    }
    // Large enough to be reduced while it is decoded.
    let smooth = RgbImage::from_fn(1_100, 1_030, |x, y| Rgb([(x / 5) as u8, (y / 5) as u8, 90]));
    for progressive in [false, true] {
        for color in [ColorType::Rgb, ColorType::Luma] {
            let name = format!("Jpeg to reduce {color:?} progressive {progressive}");
            add(&name, jpeg(&smooth, SamplingFactor::F_2_2, progressive, color)?);
        }
    }
    Ok(seeds)
}

/// Files of a few KiB that show as many pixels as the usual limits allow: what time and memory a reader can be made to take.
pub fn large() -> anyhow::Result<Vec<Seed>> {
    const SIDE: u32 = 8_000;
    let gray = ImageBuffer::from_pixel(SIDE, SIDE, Luma([77_u8]));
    let deep = ImageBuffer::from_pixel(SIDE, SIDE, Rgba([9_000_u16, 70, 50_000, 30_000]));
    let files = [
        ("large Gif", encoded(DynamicImage::from(gray.clone()).to_rgb8(), ImageFormat::Gif)?),
        ("large Png", encoded(DynamicImage::ImageRgba16(deep), ImageFormat::Png)?),
        ("large WebP", encoded(DynamicImage::from(gray.clone()).to_rgba8(), ImageFormat::WebP)?),
        (
            "large Jpeg",
            jpeg(&DynamicImage::from(gray).to_rgb8(), SamplingFactor::F_2_2, true, ColorType::Cmyk)?,
        ),
    ];
    Ok(files.map(|(name, bytes)| Seed { name: name.to_owned(), bytes }).into())
}

/// A picture of smooth and of rough parts.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let rough = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 13;
        Rgb([(255 * x / width) as u8, (255 * y / height) as u8, if x > y { rough as u8 } else { 90 }])
    })
}

fn deep(small: &RgbImage) -> Vec<(&'static str, DynamicImage)> {
    let (width, height) = small.dimensions();
    let wide: ImageBuffer<Rgba<u16>, _> = ImageBuffer::from_fn(width, height, |x, y| {
        Rgba([x as u16 * 1600, y as u16 * 2000, 30_000, 65_535 - x as u16 * 800])
    });
    let gray: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_fn(width, height, |x, _| Luma([x as u16 * 1600]));
    vec![
        ("16 bit rgba", DynamicImage::ImageRgba16(wide)),
        ("16 bit gray", DynamicImage::ImageLuma16(gray)),
        ("gray", DynamicImage::from(small.clone()).to_luma8().into()),
        ("rgba", DynamicImage::from(small.clone()).to_rgba8().into()),
    ]
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format)?;
    Ok(file.into_inner())
}

fn jpeg(
    image: &RgbImage,
    sampling: SamplingFactor,
    progressive: bool,
    color: ColorType,
) -> anyhow::Result<Vec<u8>> {
    let channels = if color == ColorType::Luma {
        1
    } else if color == ColorType::Rgb {
        3
    } else {
        4
    };
    let samples: Vec<u8> = image.as_raw().iter().cycle().take(image.len() / 3 * channels).copied().collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 85);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder.set_restart_interval(if progressive { 0 } else { 3 });
    encoder.encode(&samples, image.width() as u16, image.height() as u16, color)?;
    Ok(file)
}

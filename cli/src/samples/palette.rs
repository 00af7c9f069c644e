//! Colours: one palette for motifs, backgrounds and distractors of every class.

use rand::{Rng, RngExt};

/// A colour in linear steps of brightness as stored, each channel from 0 to 255.
pub(super) type Colour = [f32; 3];

/// Colours that go well with each other.
const PALETTE: [u32; 22] = [
    0x1d3557, 0x457b9d, 0xa8dadc, 0xf1faee, 0xe63946, 0xf4a261, 0xe9c46a, 0x2a9d8f, 0x264653, 0xe76f51,
    0x6d597a, 0xb56576, 0xffb4a2, 0x355070, 0x8ab17d, 0xfefae0, 0xdda15e, 0x606c38, 0x5a189a, 0xf72585,
    0x4cc9f0, 0x3a0ca3,
];

/// Least difference in brightness between a motif and what lies behind it.
const CONTRAST: f32 = 75.0;

/// Any colour of the palette, slightly varied.
pub(super) fn any(rng: &mut impl Rng) -> Colour {
    let [_, red, green, blue] = PALETTE[rng.random_range(0..PALETTE.len())].to_be_bytes();
    [red, green, blue].map(|channel| (f32::from(channel) + rng.random_range(-14.0..14.0)).clamp(0.0, 255.0))
}

/// A colour that stands out from `background`: the palette has some on both sides of every brightness.
pub(super) fn against(background: Colour, rng: &mut impl Rng) -> Colour {
    loop {
        let colour = any(rng);
        if (brightness(colour) - brightness(background)).abs() >= CONTRAST {
            return colour;
        }
    }
}

/// A mixture: `share` 0 is `from`, 1 is `to`.
pub(super) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

/// Brightness by the weights of ITU-R BT.601, from 0 to 255.
fn brightness([red, green, blue]: Colour) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

//! One picture: a background, shapes that distract, the motif with its shadow, grain.

use std::f32::consts::TAU;
use std::ops::RangeInclusive;

use image::{Rgb, RgbImage};
use rand::{Rng, RngExt};

use super::motif::{Motif, length};
use super::palette::{self, Colour, mix};

/// Everything random about a picture but its grain, so that drawing is a plain function of the place.
pub(super) struct Scene {
    width: u32,
    height: u32,
    background: Background,
    behind: Vec<Distractor>,
    motif: PlacedMotif,
    front: Option<Distractor>,
    grain: f32,
}

/// Two colours that flow into each other.
struct Background {
    colours: [Colour; 2],
    /// Direction and length of the flow, in radians a pixel.
    wave: (f32, f32),
    phase: f32,
    /// Whether the flow spreads from the middle instead of across.
    radial: bool,
}

struct PlacedMotif {
    motif: Motif,
    centre: (f32, f32),
    /// Cosine and sine of the turn.
    turn: (f32, f32),
    /// Pixels per motif unit, across and down.
    scale: (f32, f32),
    colours: [Colour; 2],
}

/// A plain shape of no class: a disc or a bar.
struct Distractor {
    centre: (f32, f32),
    turn: (f32, f32),
    half_length: f32,
    radius: f32,
    colour: Colour,
    opacity: f32,
}

impl Scene {
    /// Draws lots for one picture of `motif` with sides within `side`.
    pub fn random(motif: Motif, side: &RangeInclusive<u32>, rng: &mut impl Rng) -> Self {
        let (width, height) = (rng.random_range(side.clone()), rng.random_range(side.clone()));
        let size = (width as f32, height as f32);
        let background = Background::random(size, rng);
        let middle = mix(background.colours[0], background.colours[1], 0.5);
        let behind = (0..rng.random_range(2..6)).map(|_| Distractor::random(size, middle, rng)).collect();
        let front = rng.random_bool(0.3).then(|| Distractor::random(size, middle, rng).smaller());
        let motif = PlacedMotif::random(motif, size, middle, rng);
        Self { width, height, background, behind, motif, front, grain: rng.random_range(2.0..9.0) }
    }

    /// Draws the picture.
    pub fn render(&self, rng: &mut impl Rng) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |column, row| {
            let colour = self.colour(column as f32 + 0.5, row as f32 + 0.5);
            let grain = self.grain * rng.random_range(-1.0..1.0_f32);
            Rgb(colour.map(|channel| (channel + grain).round().clamp(0.0, 255.0) as u8))
        })
    }

    fn colour(&self, x: f32, y: f32) -> Colour {
        let mut colour = self.background.colour(x, y);
        for shape in &self.behind {
            colour = shape.over(colour, x, y);
        }
        colour = self.motif.over(colour, x, y);
        match &self.front {
            Some(shape) => shape.over(colour, x, y),
            None => colour,
        }
    }
}

impl Background {
    fn random((width, height): (f32, f32), rng: &mut impl Rng) -> Self {
        let colour = palette::any(rng);
        // The second colour stays near the first, or no motif could stand out from both.
        let share = rng.random_range(0.1..0.4);
        let colours = [colour, mix(colour, palette::any(rng), share)];
        let angle = rng.random_range(0.0..TAU);
        let pace = rng.random_range(0.3..1.2) * TAU / width.max(height);
        Self {
            colours,
            wave: (pace * angle.cos(), pace * angle.sin()),
            phase: rng.random_range(0.0..TAU),
            radial: rng.random_bool(0.4),
        }
    }

    fn colour(&self, x: f32, y: f32) -> Colour {
        let flow = if self.radial {
            length(self.wave.0 * x, self.wave.1 * y)
        } else {
            self.wave.0 * x + self.wave.1 * y
        };
        mix(self.colours[0], self.colours[1], 0.5 + 0.5 * (flow + self.phase).sin())
    }
}

impl PlacedMotif {
    fn random(motif: Motif, (width, height): (f32, f32), behind: Colour, rng: &mut impl Rng) -> Self {
        let angle: f32 = rng.random_range(-0.6..0.6);
        let shorter = width.min(height);
        let scale = shorter * rng.random_range(0.26..0.4);
        let stretch: f32 = rng.random_range(0.88..1.14);
        let colour = palette::against(behind, rng);
        let room = (width - 2.2 * scale, height - 2.2 * scale);
        Self {
            motif,
            centre: (
                width / 2.0 + room.0.max(0.0) * rng.random_range(-0.5..0.5),
                height / 2.0 + room.1.max(0.0) * rng.random_range(-0.5..0.5),
            ),
            turn: (angle.cos(), angle.sin()),
            scale: (scale * stretch, scale / stretch),
            colours: [colour, mix(colour, palette::any(rng), rng.random_range(0.0..0.25))],
        }
    }

    /// The motif with its shadow over `below`.
    fn over(&self, below: Colour, x: f32, y: f32) -> Colour {
        const SHADOW: f32 = 0.3;
        // The motif and its shadow end well within this many units.
        const REACH: f32 = 1.7;
        if length(x - self.centre.0, y - self.centre.1) > REACH * self.scale.0.max(self.scale.1) {
            return below;
        }
        let depth = 0.06 * self.scale.0.min(self.scale.1);
        let shade = SHADOW * coverage(self.distance(x - depth, y - depth), 2.0 * depth.max(1.0));
        let shaded = mix(below, [0.0; 3], shade);
        let down = ((y - self.centre.1) / self.scale.1).clamp(-1.0, 1.0);
        let ink = mix(self.colours[0], self.colours[1], 0.5 + 0.5 * down);
        mix(shaded, ink, coverage(self.distance(x, y), 1.0))
    }

    /// Signed distance in pixels.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (x, y) = turned(x - self.centre.0, y - self.centre.1, self.turn);
        let pixels_per_unit = self.scale.0.min(self.scale.1);
        self.motif.distance(x / self.scale.0, y / self.scale.1) * pixels_per_unit
    }
}

impl Distractor {
    fn random((width, height): (f32, f32), background: Colour, rng: &mut impl Rng) -> Self {
        let angle: f32 = rng.random_range(0.0..TAU);
        let shorter = width.min(height);
        let is_bar = rng.random_bool(0.5);
        Self {
            centre: (width * rng.random_range(0.0..1.0), height * rng.random_range(0.0..1.0)),
            turn: (angle.cos(), angle.sin()),
            half_length: if is_bar { shorter * rng.random_range(0.1..0.5) } else { 0.0 },
            radius: shorter * if is_bar { rng.random_range(0.01..0.05) } else { rng.random_range(0.04..0.2) },
            colour: mix(background, palette::any(rng), rng.random_range(0.2..0.6)),
            opacity: rng.random_range(0.4..0.9),
        }
    }

    /// Small enough to leave a motif below it recognisable.
    fn smaller(self) -> Self {
        Self { half_length: self.half_length * 0.4, radius: self.radius * 0.4, ..self }
    }

    fn over(&self, below: Colour, x: f32, y: f32) -> Colour {
        let (x, y) = turned(x - self.centre.0, y - self.centre.1, self.turn);
        let distance = length((x.abs() - self.half_length).max(0.0), y) - self.radius;
        mix(below, self.colour, self.opacity * coverage(distance, 1.0))
    }
}

/// How much of a place a shape covers whose edge is `softness` pixels wide.
fn coverage(distance: f32, softness: f32) -> f32 {
    (0.5 - distance / softness).clamp(0.0, 1.0)
}

fn turned(x: f32, y: f32, (cosine, sine): (f32, f32)) -> (f32, f32) {
    (x * cosine + y * sine, y * cosine - x * sine)
}

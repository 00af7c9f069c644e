//! How a training picture is changed before a step: where it is cut, how it is turned, which colours it takes.
//!
//! Everything about a picture comes down to two small matrices, drawn here from the step's own random stream: one maps
//! places of the result to places of the stored picture, one maps colours. Applying them is left to the device.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::colour::PrincipalColours;
use super::config::Augment;
use super::random;

/// Weights of red, green and blue in grey (ITU-R BT.601).
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// Operations of [`Augment::rand_augment`] on one picture.
const OPERATIONS: usize = 2;
/// The magnitude at which an operation is at its strongest.
const FULL_MAGNITUDE: f64 = 30.0;

/// Places of the result, in -1..1 from left to right and top to bottom, to places of the stored picture in the same
/// units: `x' = a[0][0] x + a[0][1] y + a[0][2]`, and `y'` by the second row.
pub(super) type Placement = [[f32; 3]; 2];

/// Red, green, blue in 0..1 to new ones: `colour'[i] = sum over j of m[i][j] colour[j] + m[i][3]`.
pub(super) type Colouring = [[f32; 4]; 3];

/// Places and colours as they are.
const SAME_PLACES: Placement = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
const SAME_COLOURS: Colouring = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];

/// One picture of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// Its place in the part.
    pub picture: usize,
    /// Where it is cut, in pixels from left and top of the stored picture; all of it is shown when nowhere.
    pub corner: Option<[usize; 2]>,
    /// Whether left and right are swapped.
    pub mirror: bool,
    /// Where its pixels come from, when it is more than cut and mirrored; `corner` and `mirror` are in it already.
    pub placement: Option<Placement>,
    /// What its colours become.
    pub colouring: Colouring,
}

impl View {
    /// All of a picture, as it is.
    pub fn whole(picture: usize) -> Self {
        Self { picture, corner: None, mirror: false, placement: None, colouring: SAME_COLOURS }
    }
}

/// Draws views of stored pictures, `side` pixels wide, of which `size` are shown.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub augment: Augment,
    pub colours: Option<PrincipalColours>,
    pub side: usize,
    pub size: usize,
}

impl Viewer {
    /// The next view of a picture whose mean grey, in 0..1, is `grey`.
    pub fn view(&self, picture: usize, grey: f32, rng: &mut ChaCha8Rng) -> View {
        let augment = &self.augment;
        let mut view = View::whole(picture);
        if augment.crop && augment.resized_crop.is_none() {
            view.corner = Some([0; 2].map(|_: usize| rng.random_range(0..=self.side - self.size)));
        }
        view.mirror = augment.mirror && rng.random();
        if self.needs_placement() {
            view.placement = Some(self.placement(&view, rng));
        }
        self.jitter(&mut view.colouring, grey, rng);
        if augment.rand_augment > 0 {
            self.operate(&mut view, grey, rng);
        }
        if let Some(colours) = &self.colours {
            let shift = colours.shift(rng);
            view.colouring.iter_mut().zip(shift).for_each(|(row, shift)| row[3] += shift);
        }
        view
    }

    /// Whether pictures are more than cut and mirrored.
    pub fn needs_placement(&self) -> bool {
        self.augment.resized_crop.is_some() || self.augment.rand_augment > 0
    }

    /// Whether colours are more than shifted.
    pub fn needs_colouring(&self) -> bool {
        self.augment.color_jitter > 0.0 || self.augment.rand_augment > 0
    }

    /// The part of the stored picture that is shown.
    fn placement(&self, view: &View, rng: &mut ChaCha8Rng) -> Placement {
        let side = self.side as f32;
        let ([width, height], [left, top]) = match (self.augment.resized_crop, view.corner) {
            (Some(least), _) => resized_crop(least, rng),
            (None, Some(corner)) => ([self.size as f32 / side; 2], corner.map(|place| place as f32 / side)),
            (None, None) => ([1.0; 2], [0.0; 2]),
        };
        let flip = if view.mirror { -1.0 } else { 1.0 };
        [[flip * width, 0.0, 2.0 * left + width - 1.0], [0.0, height, 2.0 * top + height - 1.0]]
    }

    fn jitter(&self, colouring: &mut Colouring, grey: f32, rng: &mut ChaCha8Rng) {
        let strength = self.augment.color_jitter as f32;
        if strength > 0.0 {
            let mut factor = || 1.0 + rng.random_range(-strength..=strength);
            let steps = [brightness(factor()), contrast(factor(), grey), saturation(factor())];
            for step in steps {
                *colouring = then_colours(colouring, &step);
            }
        }
    }

    fn operate(&self, view: &mut View, grey: f32, rng: &mut ChaCha8Rng) {
        let strength = (f64::from(self.augment.rand_augment) / FULL_MAGNITUDE) as f32;
        for _ in 0..OPERATIONS {
            let amount = strength * rng.random_range(-1.0_f32..=1.0);
            let kind = rng.random_range(0..9);
            let colours = match kind {
                6 => brightness(1.0 + 0.9 * amount),
                7 => contrast(1.0 + 0.9 * amount, grey),
                8 => saturation(1.0 + 0.9 * amount),
                _ => SAME_COLOURS,
            };
            view.colouring = then_colours(&view.colouring, &colours);
            view.placement = view.placement.map(|placement| after_places(&placement, &places(kind, amount)));
        }
    }
}

/// The geometric operations of RandAugment at their authors' greatest strengths: 30 degrees, a shear of 0.3, a shift by
/// a third.
fn places(kind: usize, amount: f32) -> Placement {
    let (sin, cos) = (amount * 30.0_f32.to_radians()).sin_cos();
    match kind {
        1 => [[cos, -sin, 0.0], [sin, cos, 0.0]],
        2 => [[1.0, 0.3 * amount, 0.0], [0.0, 1.0, 0.0]],
        3 => [[1.0, 0.0, 0.0], [0.3 * amount, 1.0, 0.0]],
        4 => [[1.0, 0.0, 0.66 * amount], [0.0, 1.0, 0.0]],
        5 => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.66 * amount]],
        _ => SAME_PLACES,
    }
}

/// Width and height, then left and top, of a part of a picture of side 1: its area is uniform in `least`..1, the
/// logarithm of its ratio of sides uniform in 3/4..4/3, its place uniform. A part that would stick out is narrowed.
fn resized_crop(least: f64, rng: &mut ChaCha8Rng) -> ([f32; 2], [f32; 2]) {
    let area = rng.random_range(least..=1.0);
    let ratio = rng.random_range((0.75_f64.ln())..=(4.0_f64 / 3.0).ln()).exp();
    let (width, height) = ((area * ratio).sqrt().min(1.0), (area / ratio).sqrt().min(1.0));
    let place = [width, height].map(|length| (rng.random::<f64>() * (1.0 - length)) as f32);
    ([width as f32, height as f32], place)
}

/// Where the places lead to that `inner` maps first and `outer` then.
fn after_places(outer: &Placement, inner: &Placement) -> Placement {
    let row = |row: &[f32; 3]| {
        let along = |column: usize| row[0] * inner[0][column] + row[1] * inner[1][column];
        [along(0), along(1), along(2) + row[2]]
    };
    [row(&outer[0]), row(&outer[1])]
}

/// The colours that `first` and then `second` make.
fn then_colours(first: &Colouring, second: &Colouring) -> Colouring {
    second.map(|row| {
        let mut out = [0.0, 0.0, 0.0, row[3]];
        for (weight, source) in row.iter().zip(first) {
            out.iter_mut().zip(source).for_each(|(target, value)| *target += weight * value);
        }
        out
    })
}

fn brightness(factor: f32) -> Colouring {
    SAME_COLOURS.map(|row| row.map(|weight| weight * factor))
}

/// Away from, or towards, the picture's mean grey.
fn contrast(factor: f32, grey: f32) -> Colouring {
    let mut colouring = brightness(factor);
    colouring.iter_mut().for_each(|row| row[3] = (1.0 - factor) * grey);
    colouring
}

/// Away from, or towards, each pixel's own grey.
fn saturation(factor: f32) -> Colouring {
    let mut colouring = brightness(factor);
    for row in &mut colouring {
        row.iter_mut().zip(GREY).for_each(|(weight, grey)| *weight += (1.0 - factor) * grey);
    }
    colouring
}

/// The share of the first of two pictures that are mixed, from the beta distribution of `alpha` and `alpha`: the first
/// of two gamma variates over their sum (Marsaglia and Tsang 2000).
pub(super) fn mixing_share(alpha: f64, rng: &mut ChaCha8Rng) -> f64 {
    let (a, b) = (gamma(alpha, rng), gamma(alpha, rng));
    if a + b > 0.0 { a / (a + b) } else { 1.0 }
}

fn gamma(shape: f64, rng: &mut ChaCha8Rng) -> f64 {
    if shape < 1.0 {
        let boost = (1.0 - rng.random::<f64>()).powf(1.0 / shape);
        return gamma(shape + 1.0, rng) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random::normal(rng);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - rng.random::<f64>();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::random::Purpose;

    fn near(found: &[f32], expected: &[f32]) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == expected.len() && off < 1e-5, "{found:?} is not {expected:?}");
    }

    fn apply(colouring: &Colouring, colour: [f32; 3]) -> [f32; 3] {
        colouring.map(|row| (0..3).map(|i| row[i] * colour[i]).sum::<f32>() + row[3])
    }

    #[test]
    fn colours_change_as_worked_out_by_hand() {
        let orange = [0.8, 0.4, 0.2];
        near(&apply(&brightness(1.5), orange), &[1.2, 0.6, 0.3]);
        // Half the distance to a mean grey of 0.5.
        near(&apply(&contrast(0.5, 0.5), orange), &[0.65, 0.45, 0.35]);
        // Its own grey is 0.299 * 0.8 + 0.587 * 0.4 + 0.114 * 0.2 = 0.4968.
        near(&apply(&saturation(0.0), orange), &[0.4968; 3]);
        near(&apply(&saturation(2.0), orange), &[1.1032, 0.3032, -0.0968]);
        let both = then_colours(&brightness(2.0), &contrast(0.5, 0.25));
        near(&apply(&both, orange), &[0.925, 0.525, 0.325]);
    }

    #[test]
    fn places_follow_the_operations_from_the_inside_out() {
        // A quarter of the picture at its right lower corner, mirrored: the left edge of the result is the right edge.
        let corner: Placement = [[-0.5, 0.0, 0.5], [0.0, 0.5, 0.5]];
        let shifted = after_places(&corner, &places(4, 0.5));
        near(shifted.as_flattened(), &[-0.5, 0.0, 0.335, 0.0, 0.5, 0.5]);
        let turned = places(1, 1.0);
        near(turned.as_flattened(), &[0.866_025, -0.5, 0.0, 0.5, 0.866_025, 0.0]);
    }

    #[test]
    fn crops_of_random_size_stay_inside_and_cover_the_range() {
        let mut rng = random::stream(1, Purpose::Augment, 0, 0);
        let mut areas = Vec::new();
        for _ in 0..2000 {
            let ([width, height], [left, top]) = resized_crop(0.25, &mut rng);
            assert!(left >= 0.0 && top >= 0.0 && left + width <= 1.0 + 1e-6 && top + height <= 1.0 + 1e-6);
            let ratio = width / height;
            assert!((0.74..1.34).contains(&ratio), "{ratio}");
            areas.push(width * height);
        }
        let (least, most) = areas.iter().fold((1.0_f32, 0.0_f32), |(a, b), x| (a.min(*x), b.max(*x)));
        assert!(least > 0.249 && least < 0.27 && most > 0.97, "{least} {most}");
    }

    #[test]
    fn mixing_shares_have_the_moments_of_the_beta_distribution() {
        let mut rng = random::stream(1, Purpose::Augment, 0, 0);
        for alpha in [0.2, 1.0, 2.0] {
            let shares: Vec<f64> = (0..20_000).map(|_| mixing_share(alpha, &mut rng)).collect();
            let mean = shares.iter().sum::<f64>() / 20_000.0;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 20_000.0;
            // Of beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance / expected - 1.0).abs() < 0.05,
                "{mean} {variance}"
            );
        }
    }
}

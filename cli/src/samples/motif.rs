//! The ten motifs as signed distance functions: negative inside, positive outside, in motif units.
//!
//! A motif fills about the square from -1 to 1. Distances never change faster than the place does, so that an
//! edge one pixel wide comes out smooth. Polygon distance after Inigo Quilez, "2D distance functions"
//! (iquilezles.org/articles/distfunctions2d).

use std::f32::consts::{PI, TAU};

/// A class of sample pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motif {
    /// Four by four squares, every other one drawn.
    Checkerboard,
    /// Parallel bars.
    Stripes,
    /// Concentric circles.
    Rings,
    /// A star with five points.
    Star,
    /// Two crossing bars.
    Cross,
    /// An Archimedean spiral.
    Spiral,
    /// A triangle of equal sides.
    Triangle,
    /// Three by three discs.
    Dots,
    /// Parallel wavy lines.
    Waves,
    /// Walls, a roof, a door and a window.
    House,
}

impl Motif {
    /// Every motif, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Checkerboard,
        Self::Stripes,
        Self::Rings,
        Self::Star,
        Self::Cross,
        Self::Spiral,
        Self::Triangle,
        Self::Dots,
        Self::Waves,
        Self::House,
    ];

    /// The class name, which is also the folder's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkerboard => "checkerboard",
            Self::Stripes => "stripes",
            Self::Rings => "rings",
            Self::Star => "star",
            Self::Cross => "cross",
            Self::Spiral => "spiral",
            Self::Triangle => "triangle",
            Self::Dots => "dots",
            Self::Waves => "waves",
            Self::House => "house",
        }
    }

    /// Signed distance from `(x, y)` to the motif's edge; y grows downwards.
    pub fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Self::Checkerboard => checkerboard(x, y),
            Self::Stripes => bands(x, 0.4, 0.1).max(rectangle(x, y, 0.9, 0.9)),
            Self::Rings => bands(length(x, y) - 0.18, 0.36, 0.1).max(length(x, y) - 1.05),
            Self::Star => star(x, y),
            Self::Cross => rectangle(x, y, 1.0, 0.3).min(rectangle(x, y, 0.3, 1.0)),
            Self::Spiral => spiral(x, y),
            Self::Triangle => polygon(&[(0.0, -1.0), (1.0, 0.732), (-1.0, 0.732)], x, y),
            Self::Dots => dots(x, y),
            Self::Waves => waves(x, y),
            Self::House => house(x, y),
        }
    }
}

/// Four by four cells of half a unit; the drawn ones form two square lattices, mirror images of each other.
fn checkerboard(x: f32, y: f32) -> f32 {
    fn lattice(x: f32, y: f32) -> f32 {
        let nearest = |place: f32| place - 0.25 - (place - 0.25).round().clamp(-1.0, 0.0);
        rectangle(nearest(x), nearest(y), 0.25, 0.25)
    }
    lattice(x, y).min(lattice(-x, -y))
}

fn star(x: f32, y: f32) -> f32 {
    const INNER: f32 = 0.42;
    let corners: [(f32, f32); 10] = std::array::from_fn(|at| {
        let radius = if at % 2 == 0 { 1.05 } else { INNER };
        let angle = PI / 5.0 * at as f32;
        (radius * angle.sin(), -radius * angle.cos())
    });
    polygon(&corners, x, y)
}

fn dots(x: f32, y: f32) -> f32 {
    const PERIOD: f32 = 0.66;
    let nearest = length(to_multiple(x, PERIOD), to_multiple(y, PERIOD)) - 0.24;
    nearest.max(rectangle(x, y, 1.0, 1.0))
}

fn spiral(x: f32, y: f32) -> f32 {
    const PITCH: f32 = 0.36;
    let radius = length(x, y);
    let turns = y.atan2(x) / TAU;
    let from_line = ((radius / PITCH - turns).rem_euclid(1.0) - 0.5).abs() * PITCH;
    // Near the centre the line turns too fast for the estimate to hold: a disc takes its place.
    let arm = (0.9 * (from_line - 0.08)).max(radius - 1.0).max(0.14 - radius);
    arm.min(radius - 0.16)
}

fn waves(x: f32, y: f32) -> f32 {
    const HEIGHT: f32 = 0.13;
    const PER_UNIT: f32 = 5.0;
    const PERIOD: f32 = 0.55;
    let shifted = y - HEIGHT * (PER_UNIT * x).sin();
    let from_line = (shifted - PERIOD * (shifted / PERIOD).round().clamp(-1.0, 1.0)).abs();
    // The steepest slope of the shift is HEIGHT * PER_UNIT; dividing by its length keeps distances honest.
    let across = (from_line - 0.13) / length(HEIGHT * PER_UNIT, 1.0);
    across.max(x.abs() - 1.0)
}

fn house(x: f32, y: f32) -> f32 {
    let walls = rectangle(x, y - 0.3, 0.68, 0.65);
    let roof = polygon(&[(0.0, -1.0), (1.0, -0.15), (-1.0, -0.15)], x, y);
    let door = rectangle(x + 0.25, y - 0.62, 0.17, 0.34);
    let window = rectangle(x - 0.32, y - 0.35, 0.17, 0.17);
    walls.min(roof).max(-door).max(-window)
}

/// Bands of half width `half` around every whole multiple of `period`.
fn bands(position: f32, period: f32, half: f32) -> f32 {
    to_multiple(position, period) - half
}

/// Distance to the nearest whole multiple of `period`.
fn to_multiple(position: f32, period: f32) -> f32 {
    (position - period * (position / period).round()).abs()
}

/// Several times faster than `f32::hypot`, whose care for huge numbers is not needed here.
pub(super) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

fn rectangle(x: f32, y: f32, half_width: f32, half_height: f32) -> f32 {
    let (right, below) = (x.abs() - half_width, y.abs() - half_height);
    length(right.max(0.0), below.max(0.0)) + right.max(below).min(0.0)
}

/// Exact signed distance to a simple polygon.
fn polygon(corners: &[(f32, f32)], x: f32, y: f32) -> f32 {
    let mut nearest = f32::INFINITY;
    let mut inside = false;
    let mut previous = corners[corners.len() - 1];
    for &corner in corners {
        let edge = (previous.0 - corner.0, previous.1 - corner.1);
        let offset = (x - corner.0, y - corner.1);
        let along = (offset.0 * edge.0 + offset.1 * edge.1) / (edge.0 * edge.0 + edge.1 * edge.1);
        let along = along.clamp(0.0, 1.0);
        nearest = nearest.min(length(offset.0 - edge.0 * along, offset.1 - edge.1 * along));
        let crosses = (corner.1 > y) != (previous.1 > y);
        if crosses && x < corner.0 + (y - corner.1) / edge.1 * edge.0 {
            inside = !inside;
        }
        previous = corner;
    }
    if inside { -nearest } else { nearest }
}

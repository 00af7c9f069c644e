//! The nearest of what is offered, and how distances are told in the end.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use uuid::Uuid;

/// How much nearer, in squared distance, than another an entry must be for single precision to be sure of it: some units in
/// the last place of a sum of a few thousand squares.
const UNSURE: f32 = 1e-5;

/// An entry on offer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// Squared distance, in single precision.
    pub squared: f32,
    /// The entry.
    pub entry_id: Uuid,
    /// Where it is: leaf, chunk and row.
    pub place: (u32, u32, u32),
}

impl Eq for Offer {}

impl Ord for Offer {
    /// By distance, ties by entry.
    fn cmp(&self, other: &Self) -> Ordering {
        self.squared.total_cmp(&other.squared).then_with(|| self.entry_id.cmp(&other.entry_id))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The nearest entries of those offered so far.
#[derive(Debug, Clone)]
pub struct Nearest {
    keep: usize,
    bound: f32,
    kept: BinaryHeap<Offer>,
}

impl Nearest {
    /// Keeps `keep` entries, none further than `max_distance`, about: what is just above may be kept too.
    pub fn new(keep: usize, max_distance: Option<f64>) -> Self {
        let bound = max_distance
            .map_or(f32::INFINITY, |distance| (distance * distance) as f32 * (1.0 + UNSURE) + f32::EPSILON);
        Self { keep, bound, kept: BinaryHeap::new() }
    }

    /// Nothing further than this is kept.
    #[inline(always)]
    pub fn bound(&self) -> f32 {
        self.bound
    }

    /// Keeps an entry if it is near enough.
    pub fn offer(&mut self, offer: Offer) {
        if offer.squared > self.bound || self.keep == 0 {
            return;
        }
        if self.kept.len() < self.keep {
            self.kept.push(offer);
        } else if let Some(mut furthest) = self.kept.peek_mut()
            && offer < *furthest
        {
            *furthest = offer;
        }
        if self.kept.len() == self.keep
            && let Some(furthest) = self.kept.peek()
        {
            self.bound = furthest.squared;
        }
    }

    /// The nearest of both.
    pub fn merged(mut self, other: Self) -> Self {
        other.kept.into_iter().for_each(|offer| self.offer(offer));
        self
    }

    /// What was kept, in no order.
    pub fn into_offers(self) -> Vec<Offer> {
        self.kept.into_vec()
    }
}

/// An entry with its distance, the same to the last bit wherever it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The entry.
    pub entry_id: Uuid,
    /// Its class.
    pub class_id: i32,
    /// Euclidean distance from the query, of the values as they are stored.
    pub distance: f64,
    /// Fingerprint of what it shows.
    pub hash: u64,
}

impl Neighbour {
    /// By distance, ties by entry.
    pub fn order(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then_with(|| self.entry_id.cmp(&other.entry_id))
    }
}

/// Euclidean distance in double precision, in which differences and squares of singles are nearly exact.
pub fn distance(query: &[f32], vector: impl Iterator<Item = f32>) -> f64 {
    let square = |(a, b): (&f32, f32)| {
        let difference = f64::from(*a) - f64::from(b);
        difference * difference
    };
    query.iter().zip(vector).map(square).sum::<f64>().sqrt()
}

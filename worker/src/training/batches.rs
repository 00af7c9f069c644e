//! Batches of training pictures: their order, their views, their pixels.

use std::ops::Range;

use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::augment::{View, Viewer, mixing_share};
use super::dataset::Labelled;
use super::random::{self, Purpose};
use crate::network::Pictures;
use crate::picture::rescale_into;

/// One batch of N pictures, ready for the device.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// `[N, side, side, 3]`: whole stored pictures where views have a placement, else the part that is shown.
    pub pixels: Vec<u8>,
    /// Side of these pictures.
    pub side: usize,
    /// How each is shown.
    pub views: Vec<View>,
    /// Class of each.
    pub labels: Vec<i64>,
    /// With whom each is mixed, and the share of the picture itself.
    pub mixing: Option<Mixing>,
}

/// Pairs of pictures that are shown as one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixing {
    /// For each picture of the batch the place of its partner.
    pub partners: Vec<i64>,
    /// Share of the picture itself, 0.5 to 1.
    pub share: f64,
}

/// The batches of all epochs.
#[derive(Debug, Clone)]
pub(super) struct Batches<'a> {
    pub part: &'a Labelled,
    pub batch_size: usize,
    pub viewer: Viewer,
    pub seed: u64,
}

impl Batches<'_> {
    /// Steps in an epoch. Pictures are shared out evenly, so that no batch is much smaller than the others.
    pub fn steps(&self) -> u32 {
        u32::try_from(self.part.labels.len().div_ceil(self.batch_size)).expect("steps fit 32 bits")
    }

    /// The order of pictures in an epoch.
    pub fn order(&self, epoch: u32) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.part.labels.len()).collect();
        order.shuffle(&mut random::stream(self.seed, Purpose::Order, epoch, 0));
        order
    }

    /// The batch of one step, counted from 0, of an epoch with the given order.
    pub fn batch(&self, order: &[usize], epoch: u32, step: u32) -> Batch {
        let chosen = self.chosen(order, step);
        let mut rng = random::stream(self.seed, Purpose::Augment, epoch, step);
        let pictures = &self.part.pictures;
        let needs_grey = self.viewer.needs_colouring();
        let views: Vec<View> = chosen
            .iter()
            .map(|&picture| {
                let grey = if needs_grey { mean_grey(pictures.get(picture)) } else { 0.0 };
                self.viewer.view(picture, grey, &mut rng)
            })
            .collect();
        let side = if self.viewer.needs_placement() { self.viewer.side } else { self.viewer.size };
        Batch {
            pixels: cut_all(pictures, &views, side),
            side,
            views,
            labels: self.labels(chosen),
            mixing: self.mixing(chosen.len(), epoch, step),
        }
    }

    /// Who is mixed with whom in one step of `count` pictures; nobody without mixup.
    ///
    /// The larger share is the picture's own, so that its class stays what is seen most. With partners drawn as a
    /// permutation, this is the same distribution as shares straight from beta.
    pub fn mixing(&self, count: usize, epoch: u32, step: u32) -> Option<Mixing> {
        let alpha = self.viewer.augment.mixup;
        (alpha > 0.0).then(|| {
            let mut rng = random::stream(self.seed, Purpose::Mixing, epoch, step);
            let mut partners: Vec<i64> = (0..count as i64).collect();
            partners.shuffle(&mut rng);
            let share = mixing_share(alpha, &mut rng);
            Mixing { partners, share: share.max(1.0 - share) }
        })
    }

    /// The pictures of one step.
    pub fn chosen<'o>(&self, order: &'o [usize], step: u32) -> &'o [usize] {
        &order[share(order.len(), self.steps(), step)]
    }

    /// The classes of pictures.
    pub fn labels(&self, chosen: &[usize]) -> Vec<i64> {
        chosen.iter().map(|&picture| i64::from(self.part.labels[picture])).collect()
    }
}

/// The pictures chosen as they are indexed and searched, all of each: `[N, size, size, 3]`.
pub(super) fn whole(pictures: &Pictures, chosen: &[usize], size: usize) -> Vec<u8> {
    let mut pixels = vec![0; chosen.len() * size * size * 3];
    let targets = pixels.par_chunks_mut(size * size * 3);
    targets.zip(chosen).for_each(|(target, picture)| copy(pictures, &View::whole(*picture), target, size));
    pixels
}

/// The part of `length` things that falls to one of `steps`.
fn share(length: usize, steps: u32, step: u32) -> Range<usize> {
    let bound = |step: u32| length * step as usize / steps as usize;
    bound(step)..bound(step + 1)
}

/// The mean of a picture's bytes in 0..1, from every eighth pixel or so.
fn mean_grey(pixels: &[u8]) -> f32 {
    const STRIDE: usize = 23;
    let (mut sum, mut count) = (0_u64, 0_u64);
    for byte in pixels.iter().step_by(STRIDE) {
        sum += u64::from(*byte);
        count += 1;
    }
    sum as f32 / (255 * count.max(1)) as f32
}

/// Cuts on the calling thread alone: on a CPU the others are busy with the step before.
fn cut_all(pictures: &Pictures, views: &[View], side: usize) -> Vec<u8> {
    let mut pixels = vec![0; views.len() * side * side * 3];
    for (target, view) in pixels.chunks_exact_mut(side * side * 3).zip(views) {
        if view.placement.is_some() {
            target.copy_from_slice(pictures.get(view.picture));
        } else {
            copy(pictures, view, target, side);
        }
    }
    pixels
}

fn copy(pictures: &Pictures, view: &View, target: &mut [u8], size: usize) {
    let (stored, side) = (pictures.get(view.picture), pictures.side());
    match view.corner {
        Some([left, top]) => {
            for (row, target) in target.chunks_exact_mut(size * 3).enumerate() {
                let start = ((top + row) * side + left) * 3;
                target.copy_from_slice(&stored[start..start + size * 3]);
            }
        }
        None => rescale_into(stored, side, size, target),
    }
    if view.mirror {
        for row in target.chunks_exact_mut(size * 3) {
            row.as_chunks_mut::<3>().0.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::config::Augment;

    /// Pictures of 4 x 4 pixels whose bytes tell picture, row, column and channel apart.
    fn labelled(count: usize) -> Labelled {
        let byte = |at: usize| (at % 251) as u8;
        let pixels: Vec<u8> = (0..count * 48).map(byte).collect();
        let labels = (0..count as u32).collect();
        Labelled { pictures: Pictures::new(4, pixels).unwrap(), labels }
    }

    fn batches(part: &Labelled, augment: Augment) -> Batches<'_> {
        let viewer = Viewer { augment, colours: None, side: 4, size: 2 };
        Batches { part, batch_size: 4, viewer, seed: 5 }
    }

    #[test]
    fn an_epoch_shows_every_picture_once_in_batches_of_about_the_same_size() {
        let part = labelled(10);
        let batches = batches(&part, Augment::NONE);
        let order = batches.order(3);
        let seen: Vec<Vec<i64>> =
            (0..batches.steps()).map(|step| batches.batch(&order, 3, step).labels).collect();
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 4]);
        let mut all = seen.concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<i64>>());
        assert_ne!(batches.order(3), batches.order(4));
        assert_eq!(batches.order(3), order);
    }

    #[test]
    fn without_augmentation_all_of_the_picture_is_shown_as_when_it_is_judged() {
        // Four rows of 0, 40, 80 and 120: halved by a triangle of weights 1 3 3 1, and 3 3 1 at the border, over their sum.
        let pixels: Vec<u8> = (0..48).map(|at| at / 12 * 40).collect();
        let part = Labelled { pictures: Pictures::new(4, pixels).unwrap(), labels: vec![0] };
        let batch = batches(&part, Augment::NONE).batch(&[0], 0, 0);
        assert_eq!(batch.pixels, [[29_u8; 6], [91; 6]].concat());
        assert_eq!(whole(&part.pictures, &[0], 2), batch.pixels);
    }

    #[test]
    fn a_stored_picture_of_the_size_that_is_wanted_is_taken_as_it_is() {
        let part = labelled(2);
        assert_eq!(whole(&part.pictures, &[1], 4), part.pictures.get(1));
    }

    #[test]
    fn a_mirrored_cut_swaps_left_and_right() {
        let part = labelled(1);
        let view = View { corner: Some([2, 0]), mirror: true, ..View::whole(0) };
        let pixel = |row: usize, column: usize| part.pictures.get(0)[(row * 4 + column) * 3..][..3].to_vec();
        let expected = [pixel(0, 3), pixel(0, 2), pixel(1, 3), pixel(1, 2)].concat();
        assert_eq!(cut_all(&part.pictures, &[view], 2), expected);
    }

    #[test]
    fn crops_reach_every_place_and_repeat_with_the_seed() {
        let part = labelled(4);
        let batches = batches(&part, Augment { crop: true, mirror: true, ..Augment::NONE });
        let order = batches.order(0);
        let firsts: std::collections::HashSet<Vec<u8>> =
            (0..200).map(|epoch| batches.batch(&order, epoch, 0).pixels[..12].to_vec()).collect();
        assert_eq!(firsts.len(), 3 * 3 * 2, "nine places, each of them mirrored or not");
        assert_eq!(batches.batch(&order, 7, 0), batches.batch(&order, 7, 0));
    }

    #[test]
    fn every_picture_is_mixed_with_one_of_its_batch() {
        let part = labelled(8);
        let batches = batches(&part, Augment { mixup: 0.4, ..Augment::NONE });
        let mixing = batches.batch(&batches.order(1), 1, 0).mixing.unwrap();
        let mut partners = mixing.partners;
        partners.sort_unstable();
        assert_eq!(partners, [0, 1, 2, 3]);
        assert!((0.5..=1.0).contains(&mixing.share), "each is mostly itself");
    }
}

//! Batches of training pictures: order, crops, mirrors, colours.

use std::ops::Range;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::colour::PrincipalColours;
use super::config::Augment;
use super::dataset::Labelled;
use super::random::{self, Purpose};
use crate::network::Pictures;

/// One batch, ready for the device.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// `[N, size, size, 3]`.
    pub pixels: Vec<u8>,
    /// What is added to each picture's channels; empty for nothing.
    pub shifts: Vec<[f32; 3]>,
}

/// How one picture is cut from its stored form.
#[derive(Debug, Clone, Copy)]
struct Cut {
    picture: usize,
    left: usize,
    top: usize,
    mirror: bool,
}

/// The batches of all epochs.
pub(super) struct Batches<'a> {
    pub part: &'a Labelled,
    pub size: usize,
    pub batch_size: usize,
    pub augment: Augment,
    pub colours: Option<PrincipalColours>,
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
        let cuts: Vec<Cut> = chosen.iter().map(|&picture| self.cut(picture, &mut rng)).collect();
        let shifts = match &self.colours {
            Some(colours) => chosen.iter().map(|_| colours.shift(&mut rng)).collect(),
            None => Vec::new(),
        };
        Batch { pixels: cut_all(&self.part.pictures, &cuts, self.size), shifts }
    }

    /// The pictures of one step.
    pub fn chosen<'o>(&self, order: &'o [usize], step: u32) -> &'o [usize] {
        &order[share(order.len(), self.steps(), step)]
    }

    /// The classes of pictures.
    pub fn labels(&self, chosen: &[usize]) -> Vec<i64> {
        chosen.iter().map(|&picture| i64::from(self.part.labels[picture])).collect()
    }

    fn cut(&self, picture: usize, rng: &mut ChaCha8Rng) -> Cut {
        let margin = self.part.pictures.side() - self.size;
        let mut place = || if self.augment.crop { rng.random_range(0..=margin) } else { margin / 2 };
        let (left, top) = (place(), place());
        Cut { picture, left, top, mirror: self.augment.mirror && rng.random() }
    }
}

/// The centres of the pictures chosen, `[N, size, size, 3]`.
pub(super) fn centres(pictures: &Pictures, chosen: &[usize], size: usize) -> Vec<u8> {
    let margin = (pictures.side() - size) / 2;
    let cut = |&picture| Cut { picture, left: margin, top: margin, mirror: false };
    let cuts: Vec<Cut> = chosen.iter().map(cut).collect();
    cut_all(pictures, &cuts, size)
}

/// The part of `length` things that falls to one of `steps`.
fn share(length: usize, steps: u32, step: u32) -> Range<usize> {
    let bound = |step: u32| length * step as usize / steps as usize;
    bound(step)..bound(step + 1)
}

fn cut_all(pictures: &Pictures, cuts: &[Cut], size: usize) -> Vec<u8> {
    let mut pixels = vec![0; cuts.len() * size * size * 3];
    pixels
        .par_chunks_mut(size * size * 3)
        .zip(cuts)
        .for_each(|(target, cut)| copy(pictures.get(cut.picture), pictures.side(), cut, target, size));
    pixels
}

fn copy(stored: &[u8], side: usize, cut: &Cut, target: &mut [u8], size: usize) {
    for (row, target) in target.chunks_exact_mut(size * 3).enumerate() {
        let start = ((cut.top + row) * side + cut.left) * 3;
        let source = &stored[start..start + size * 3];
        if cut.mirror {
            for (target, source) in target.chunks_exact_mut(3).zip(source.chunks_exact(3).rev()) {
                target.copy_from_slice(source);
            }
        } else {
            target.copy_from_slice(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of 4 x 4 pixels whose bytes tell picture, row, column and channel apart.
    fn labelled(count: usize) -> Labelled {
        let byte = |at: usize| (at % 251) as u8;
        let pixels: Vec<u8> = (0..count * 48).map(byte).collect();
        let labels = (0..count as u32).collect();
        Labelled { pictures: Pictures::new(4, pixels).unwrap(), labels }
    }

    fn batches(part: &Labelled, augment: Augment) -> Batches<'_> {
        Batches { part, size: 2, batch_size: 4, augment, colours: None, seed: 5 }
    }

    const PLAIN: Augment = Augment { crop: false, mirror: false, color_pca: false };

    #[test]
    fn an_epoch_shows_every_picture_once_in_batches_of_about_the_same_size() {
        let part = labelled(10);
        let batches = batches(&part, PLAIN);
        let order = batches.order(3);
        let seen: Vec<Vec<i64>> =
            (0..batches.steps()).map(|step| batches.labels(batches.chosen(&order, step))).collect();
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 4]);
        let mut all = seen.concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<i64>>());
        assert_ne!(batches.order(3), batches.order(4));
        assert_eq!(batches.order(3), order);
    }

    #[test]
    fn without_augmentation_the_centre_is_cut() {
        let part = labelled(1);
        let batch = batches(&part, PLAIN).batch(&[0], 0, 0);
        let pixel = |row: usize, column: usize| part.pictures.get(0)[(row * 4 + column) * 3..][..3].to_vec();
        assert_eq!(batch.pixels, [pixel(1, 1), pixel(1, 2), pixel(2, 1), pixel(2, 2)].concat());
        assert_eq!(centres(&part.pictures, &[0], 2), batch.pixels);
    }

    #[test]
    fn a_mirrored_cut_swaps_left_and_right() {
        let part = labelled(1);
        let cut = Cut { picture: 0, left: 2, top: 0, mirror: true };
        let pixel = |row: usize, column: usize| part.pictures.get(0)[(row * 4 + column) * 3..][..3].to_vec();
        let expected = [pixel(0, 3), pixel(0, 2), pixel(1, 3), pixel(1, 2)].concat();
        assert_eq!(cut_all(&part.pictures, &[cut], 2), expected);
    }

    #[test]
    fn crops_reach_every_place_and_repeat_with_the_seed() {
        let part = labelled(4);
        let batches = batches(&part, Augment { crop: true, mirror: true, color_pca: false });
        let order = batches.order(0);
        let firsts: std::collections::HashSet<Vec<u8>> =
            (0..200).map(|epoch| batches.batch(&order, epoch, 0).pixels[..12].to_vec()).collect();
        assert_eq!(firsts.len(), 3 * 3 * 2, "nine places, each of them mirrored or not");
        assert_eq!(batches.batch(&order, 7, 0), batches.batch(&order, 7, 0));
    }
}

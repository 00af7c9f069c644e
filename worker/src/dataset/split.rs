//! Holding back a share of a labelled set.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Splits the positions of `labels` into (training, validation): stratified, so that each class gives about
/// `fraction` of its pictures, at least one to each part where it has two, and the same for the same seed.
pub fn split(labels: &[u32], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for class in 0..classes as u32 {
        let mut members: Vec<usize> =
            (0..labels.len()).filter(|position| labels[*position] == class).collect();
        members.shuffle(&mut random);
        let wanted = (members.len() as f64 * fraction).round() as usize;
        let held = wanted.clamp(usize::from(members.len() > 1), members.len().saturating_sub(1));
        validation.extend_from_slice(&members[..held]);
        train.extend_from_slice(&members[held..]);
    }
    train.sort_unstable();
    validation.sort_unstable();
    (train, validation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_gives_its_share_once() {
        let labels: Vec<u32> = (0..100).map(|n| u32::from(n >= 40)).collect();
        let (train, validation) = split(&labels, 2, 0.25, 1);
        assert_eq!((train.len(), validation.len()), (75, 25));
        assert_eq!(validation.iter().filter(|n| labels[**n] == 0).count(), 10);
        let mut all = [train.clone(), validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(split(&labels, 2, 0.25, 1).0, train);
        assert_ne!(split(&labels, 2, 0.25, 2).0, train);
    }

    #[test]
    fn a_tiny_class_keeps_a_picture_on_each_side() {
        let (train, validation) = split(&[0, 0, 1, 1], 2, 0.01, 1);
        assert_eq!((train.len(), validation.len()), (2, 2));
    }
}

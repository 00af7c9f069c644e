//! Holding back a share of a labelled set.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::SeenFile;

/// Splits the positions of `files` into (training, validation): stratified, so that each class gives about `fraction` of
/// its pictures, and the same for the same seed.
///
/// Equal files of a class stay together: a picture that is also learnt from would be judged too well. Each part gets
/// something of every class that has two different pictures.
pub fn split(files: &[SeenFile], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for class in 0..classes {
        let mut groups = equals(files, class);
        groups.shuffle(&mut random);
        let members: usize = groups.iter().map(Vec::len).sum();
        let wanted = (members as f64 * fraction).round() as usize;
        let room = wanted.clamp(usize::from(members > 1), members.saturating_sub(1));
        let mut held = Vec::new();
        for group in &groups {
            let part = if held.len() + group.len() <= room { &mut held } else { &mut train };
            part.extend_from_slice(group);
        }
        if held.is_empty() && groups.len() > 1 {
            held.clone_from(groups.iter().min_by_key(|group| group.len()).expect("there are two"));
            train.retain(|position| !held.contains(position));
        }
        validation.append(&mut held);
    }
    train.sort_unstable();
    validation.sort_unstable();
    (train, validation)
}

/// The positions of a class, those of equal files together, in the order of the first ones.
fn equals(files: &[SeenFile], class: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (position, file) in files.iter().enumerate().filter(|(_, file)| file.file.class == class) {
        let group = *known.entry(&file.seen.sha256).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(position);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{LabelledFile, Seen};

    /// Files of (class, content).
    fn files(of: impl IntoIterator<Item = (usize, usize)>) -> Vec<SeenFile> {
        let file = |(class, content): (usize, usize)| {
            let seen = Seen { sha256: format!("{content:064}"), width: 1, height: 1, gray: false };
            let (key, uri) = (String::new(), String::new());
            SeenFile { file: LabelledFile { key, uri, class, size: 1, etag: String::new() }, seen }
        };
        of.into_iter().map(file).collect()
    }

    #[test]
    fn every_class_gives_its_share_once() {
        let files = files((0..100).map(|n| (usize::from(n >= 40), n)));
        let (train, validation) = split(&files, 2, 0.25, 1);
        assert_eq!((train.len(), validation.len()), (75, 25));
        assert_eq!(validation.iter().filter(|n| files[**n].file.class == 0).count(), 10);
        let mut all = [train.clone(), validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(split(&files, 2, 0.25, 1).0, train);
        assert_ne!(split(&files, 2, 0.25, 2).0, train);
    }

    #[test]
    fn a_tiny_class_keeps_a_picture_on_each_side() {
        let (train, validation) = split(&files([(0, 1), (0, 2), (1, 3), (1, 4)]), 2, 0.01, 1);
        assert_eq!((train.len(), validation.len()), (2, 2));
    }

    #[test]
    fn equal_files_stay_together() {
        let files = files((0..200).map(|n| (n % 2, n / 6)));
        for seed in 0..20 {
            let (train, validation) = split(&files, 2, 0.2, seed);
            assert_eq!(train.len() + validation.len(), 200);
            assert!((34..=40).contains(&validation.len()), "{}", validation.len());
            let same = |a: &usize, b: &usize| {
                files[*a].file.class == files[*b].file.class && files[*a].seen == files[*b].seen
            };
            assert!(!train.iter().any(|a| validation.iter().any(|b| same(a, b))));
        }
    }

    #[test]
    fn few_large_groups_give_the_smallest() {
        let files = files([1, 1, 1, 2, 2, 2, 2].map(|content| (0, content)));
        let (train, validation) = split(&files, 1, 0.1, 1);
        assert_eq!((train, validation), (vec![3, 4, 5, 6], vec![0, 1, 2]));
    }
}

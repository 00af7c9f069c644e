//! The samples are what they claim: repeatable, readable, told apart by shape and not by colour.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use image::RgbImage;

use super::{Motif, SampleOptions, SetSizes, write_samples};

fn small(seed: u64) -> SampleOptions {
    SampleOptions { per_class: SetSizes { train: 20, gallery: 10, queries: 2 }, side: 48..=80, seed }
}

/// Every file below `dir` by its path relative to it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for set in ["train", "gallery", "queries"] {
        for motif in Motif::ALL {
            for entry in std::fs::read_dir(dir.join(set).join(motif.name())).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

fn decoded(file: &[u8]) -> RgbImage {
    image::load_from_memory(file).unwrap().into_rgb8()
}

#[test]
fn every_set_holds_as_many_readable_pictures_of_each_class_as_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let report = write_samples(dir.path(), &small(1)).unwrap();
    let files = files(dir.path());
    assert_eq!((report.classes, report.pictures), (10, 320));
    assert_eq!(files.len(), 320);
    assert_eq!(files.values().map(|file| file.len() as u64).sum::<u64>(), report.bytes);
    for (name, count) in [("train/star/", 20), ("gallery/house/", 10), ("queries/dots/", 2)] {
        assert_eq!(files.keys().filter(|path| path.starts_with(name)).count(), count, "{name}");
    }
    for (name, file) in &files {
        let image = decoded(file);
        assert!((48..=80).contains(&image.width()) && (48..=80).contains(&image.height()), "{name}");
    }
}

#[test]
fn the_seed_alone_decides_every_byte() {
    let [first, again, other] = [7, 7, 8].map(|seed| {
        let dir = tempfile::tempdir().unwrap();
        write_samples(dir.path(), &small(seed)).unwrap();
        files(dir.path())
    });
    assert_eq!(first, again);
    assert!(first.iter().all(|(name, file)| other[name] != *file));
}

#[test]
fn asking_for_more_leaves_earlier_pictures_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    write_samples(dir.path(), &small(3)).unwrap();
    let before = files(dir.path());
    let more = SampleOptions { per_class: SetSizes { train: 21, gallery: 12, queries: 3 }, ..small(3) };
    write_samples(dir.path(), &more).unwrap();
    let after = files(dir.path());
    assert_eq!(after.len(), 360);
    assert!(before.iter().all(|(name, file)| after[name] == *file));
}

#[test]
fn no_two_pictures_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    write_samples(dir.path(), &small(4)).unwrap();
    let mut pictures: Vec<Vec<u8>> = files(dir.path()).into_values().collect();
    pictures.sort();
    pictures.dedup();
    assert_eq!(pictures.len(), 320);
}

#[test]
fn sides_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for side in [RangeInclusive::new(8, 80), RangeInclusive::new(80, 79)] {
        let error = write_samples(dir.path(), &SampleOptions { side, ..small(1) }).unwrap_err();
        assert!(error.to_string().starts_with("sides from "), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A classifier that only sees the mean colour does little better than the one in ten of chance.
#[test]
fn mean_colour_does_not_tell_the_classes_apart() {
    let dir = tempfile::tempdir().unwrap();
    let options = SampleOptions { per_class: SetSizes { train: 60, gallery: 40, queries: 0 }, ..small(5) };
    write_samples(dir.path(), &options).unwrap();
    let mut centroids = vec![[0.0; 3]; Motif::ALL.len()];
    let mut tests = Vec::new();
    for (name, file) in files(dir.path()) {
        let class = Motif::ALL.iter().position(|motif| name.contains(motif.name())).unwrap();
        let mean = mean_colour(&decoded(&file));
        if name.starts_with("train/") {
            (0..3).for_each(|channel| centroids[class][channel] += mean[channel] / 60.0);
        } else {
            tests.push((class, mean));
        }
    }
    let hits = tests.iter().filter(|(class, mean)| nearest(&centroids, mean) == *class).count();
    let accuracy = hits as f64 / tests.len() as f64;
    assert!(accuracy < 0.25, "accuracy {accuracy}");
}

fn mean_colour(image: &RgbImage) -> [f64; 3] {
    let pixels = f64::from(image.width() * image.height());
    std::array::from_fn(|channel| {
        image.pixels().map(|pixel| f64::from(pixel.0[channel])).sum::<f64>() / pixels
    })
}

fn nearest(centroids: &[[f64; 3]], mean: &[f64; 3]) -> usize {
    let distance = |at: usize| (0..3).map(|c| (centroids[at][c] - mean[c]).powi(2)).sum::<f64>();
    (0..centroids.len()).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap()
}

/// Places of a grid over the square from -1.2 to 1.2.
fn grid() -> impl Iterator<Item = (f32, f32)> {
    const STEPS: i32 = 120;
    let place = |step: i32| 1.2 * step as f32 / STEPS as f32;
    (-STEPS..=STEPS).flat_map(move |row| (-STEPS..=STEPS).map(move |column| (place(column), place(row))))
}

#[test]
fn motifs_fill_a_fair_part_of_their_square_and_differ_from_each_other() {
    let masks =
        Motif::ALL.map(|motif| grid().map(|(x, y)| motif.distance(x, y) < 0.0).collect::<Vec<bool>>());
    for (motif, mask) in Motif::ALL.iter().zip(&masks) {
        let share = mask.iter().filter(|inside| **inside).count() as f64 / mask.len() as f64;
        assert!((0.15..0.6).contains(&share), "{motif:?} fills {share}");
    }
    for (at, mask) in masks.iter().enumerate() {
        for (other_at, other) in masks.iter().enumerate().skip(at + 1) {
            let differing = mask.iter().zip(other).filter(|(a, b)| a != b).count() as f64 / mask.len() as f64;
            assert!(
                differing > 0.12,
                "{:?} and {:?} differ in {differing}",
                Motif::ALL[at],
                Motif::ALL[other_at]
            );
        }
    }
}

/// Otherwise edges would come out ragged or blurred.
#[test]
fn distances_never_change_faster_than_the_place() {
    const STEP: f32 = 0.004;
    for motif in Motif::ALL {
        for (x, y) in grid() {
            let here = motif.distance(x, y);
            for there in [motif.distance(x + STEP, y), motif.distance(x, y + STEP)] {
                assert!((there - here).abs() <= 1.02 * STEP, "{motif:?} at {x}, {y}: {here} to {there}");
            }
        }
    }
}

//! Judging a finished model: confusion, and how well pictures are found again.

use std::ops::ControlFlow;

use tch::Tensor;

use super::TrainError;
use super::dataset::{Dataset, Labelled};
use super::metrics::{ClassMetrics, Metrics, Rankings};
use super::predict::{Predictions, accuracy, loss, predict};
use super::retrieval::{Gallery, Retrieval, retrieval};
use crate::network::{Network, Normalisation};

/// Training pictures that are searched, at most; more are thinned out evenly, for memory's sake.
const GALLERY: usize = 20_000;

/// Figures of `network` with the validation pictures as queries and training pictures as gallery. What only the
/// training loop knows is left at 0. Nothing when `progress`, told pictures done and to do, breaks.
pub(super) fn evaluate(
    network: &Network,
    dataset: &Dataset,
    normalisation: &Normalisation,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Metrics>, TrainError> {
    let network = network.folded()?;
    let parts = [dataset.validation(), dataset.train()];
    let chosen = [spread(parts[0].labels.len(), usize::MAX), spread(parts[1].labels.len(), GALLERY)];
    let total = chosen[0].len() + chosen[1].len();
    let mut sides = Vec::new();
    for (part, chosen) in parts.into_iter().zip(&chosen) {
        let before: usize = sides.iter().map(|side: &Side| side.labels.len()).sum();
        let done = &mut |done| progress(before + done, total);
        let size = dataset.image_size();
        let Some(predictions) = predict(&network, &part.pictures, chosen, size, normalisation, done)? else {
            return Ok(None);
        };
        sides.push(Side::new(predictions, labels(part, chosen))?);
    }
    Ok(Some(metrics(&sides[0], &sides[1], dataset.classes())?))
}

/// Indices of at most `wanted` of `length` things, spread evenly.
pub(super) fn spread(length: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(length);
    (0..wanted).map(|index| index * length / wanted).collect()
}

/// The true classes of the pictures chosen.
pub(super) fn labels(part: &Labelled, chosen: &[usize]) -> Vec<i64> {
    chosen.iter().map(|&index| i64::from(part.labels[index])).collect()
}

/// One part, answered.
struct Side {
    probabilities: Tensor,
    embeddings: Tensor,
    found: Vec<i64>,
    labels: Vec<i64>,
    loss: f64,
}

impl Side {
    fn new(predictions: Predictions, labels: Vec<i64>) -> Result<Self, TrainError> {
        Ok(Self {
            probabilities: predictions.probabilities()?,
            found: predictions.classes()?,
            loss: loss(&predictions.logits, &labels)?,
            embeddings: predictions.embeddings,
            labels,
        })
    }

    fn ranked_by<'a>(&'a self, features: &'a Tensor) -> Gallery<'a> {
        Gallery { features, found: &self.found, labels: &self.labels }
    }
}

fn metrics(queries: &Side, gallery: &Side, classes: usize) -> Result<Metrics, TrainError> {
    let compare = |own, other| retrieval(&queries.ranked_by(own), &gallery.ranked_by(other), classes);
    let embedding = compare(&queries.embeddings, &gallery.embeddings)?;
    let probabilities = compare(&queries.probabilities, &gallery.probabilities)?;
    let confusion = confusion(&queries.labels, &queries.found, classes);
    Ok(Metrics {
        epochs: 0,
        best_epoch: 0,
        steps: 0,
        train_loss: gallery.loss,
        train_accuracy: accuracy(&gallery.found, &gallery.labels),
        validation_loss: queries.loss,
        validation_accuracy: accuracy(&queries.found, &queries.labels),
        precision_at: Rankings {
            embedding: embedding.precision_at,
            probabilities: probabilities.precision_at,
        },
        map: Rankings { embedding: embedding.map, probabilities: probabilities.map },
        per_class: per_class(&confusion, &embedding, &probabilities),
        confusion,
        gallery: gallery.labels.len() as u32,
        images_per_second: 0.0,
        seconds: 0.0,
    })
}

fn confusion(labels: &[i64], found: &[i64], classes: usize) -> Vec<Vec<u32>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (label, found) in labels.iter().zip(found) {
        confusion[*label as usize][*found as usize] += 1;
    }
    confusion
}

fn per_class(confusion: &[Vec<u32>], embedding: &Retrieval, probabilities: &Retrieval) -> Vec<ClassMetrics> {
    let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
    let metrics = |(class, row): (usize, &Vec<u32>)| {
        let pictures = row.iter().sum();
        let taken = confusion.iter().map(|row| row[class]).sum();
        let (by_embedding, by_probabilities) = (embedding.per_class[class], probabilities.per_class[class]);
        ClassMetrics {
            class: class as u32,
            pictures,
            recall: share(row[class], pictures),
            precision: share(row[class], taken),
            precision_at: Rankings { embedding: by_embedding.0, probabilities: by_probabilities.0 },
            map: Rankings { embedding: by_embedding.1, probabilities: by_probabilities.1 },
        }
    };
    confusion.iter().enumerate().map(metrics).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_thinned_out_evenly() {
        assert_eq!(spread(3, 10), [0, 1, 2]);
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
    }

    #[test]
    fn confusion_gives_recall_and_precision() {
        let confusion = confusion(&[0, 0, 0, 1], &[0, 0, 1, 1], 3);
        assert_eq!(confusion, [[2, 1, 0], [0, 1, 0], [0, 0, 0]]);
        let retrieval =
            Retrieval { precision_at: Default::default(), map: 0.0, per_class: vec![Default::default(); 3] };
        let classes = per_class(&confusion, &retrieval, &retrieval);
        assert_eq!((classes[0].recall, classes[0].precision), (2.0 / 3.0, 1.0));
        assert_eq!((classes[1].recall, classes[1].precision), (1.0, 0.5));
        assert_eq!((classes[2].recall, classes[2].precision), (0.0, 0.0));
    }
}

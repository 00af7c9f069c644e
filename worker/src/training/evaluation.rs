//! Judging a finished model: confusion, and how well pictures are found again.

use std::ops::ControlFlow;

use tch::{Kind, TchError, Tensor};

use super::TrainError;
use super::calibration::calibrate;
use super::config::{BestBy, TrainConfig};
use super::dataset::{Dataset, Labelled};
use super::metrics::{ClassMetrics, HardPicture, Metrics, Rankings};
use super::predict::{Predictions, accuracy, loss, predict};
use super::retrieval::{Gallery, Retrieval, retrieval};
use crate::network::{Network, Precision};

/// Training pictures that are searched, at most; more are thinned out evenly, for memory's sake.
const GALLERY: usize = 20_000;

/// The same after each epoch, where the best one is chosen by retrieval.
const EPOCH_GALLERY: usize = 2_000;

/// Hard pictures that are told.
const HARDEST: usize = 50;

/// Figures of `network` with the validation pictures as queries and training pictures as gallery. What only the
/// training loop knows is left at 0. Nothing when `progress`, told pictures done and to do, breaks.
pub(super) fn evaluate(
    network: &Network,
    dataset: &Dataset,
    config: &TrainConfig,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Metrics>, TrainError> {
    let sides = sides(network, dataset, config, GALLERY, progress)?;
    let Some([queries, gallery]) = sides else { return Ok(None) };
    Ok(Some(metrics(&queries, &gallery, dataset.classes())?))
}

/// How well an epoch's weights find pictures by embedding, in a thinned gallery.
pub(super) fn retrieve(
    network: &Network,
    dataset: &Dataset,
    config: &TrainConfig,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Retrieval>, TrainError> {
    let sides = sides(network, dataset, config, EPOCH_GALLERY, progress)?;
    let Some([queries, gallery]) = sides else { return Ok(None) };
    let [own, other] = [&queries, &gallery].map(|side| side.ranked_by(&side.embeddings));
    Ok(Some(retrieval(&own, &other, dataset.classes())?))
}

/// Pictures that [`evaluate`] looks at.
pub(super) fn evaluated(dataset: &Dataset) -> usize {
    dataset.validation().labels.len() + dataset.train().labels.len().min(GALLERY)
}

/// Pictures that [`retrieve`] looks at after an epoch, where it is asked.
pub(super) fn compared(dataset: &Dataset, best_by: BestBy) -> usize {
    match best_by {
        BestBy::Accuracy => 0,
        BestBy::PrecisionAt10 | BestBy::Map => {
            dataset.validation().labels.len() + dataset.train().labels.len().min(EPOCH_GALLERY)
        }
    }
}

/// The validation part, and at most `gallery` pictures of the training part.
fn sides(
    network: &Network,
    dataset: &Dataset,
    config: &TrainConfig,
    gallery: usize,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<[Side; 2]>, TrainError> {
    let network = network.folded()?;
    let parts = [dataset.validation(), dataset.train()];
    let chosen = [spread(parts[0].labels.len(), usize::MAX), spread(parts[1].labels.len(), gallery)];
    let total = chosen[0].len() + chosen[1].len();
    let mut sides = Vec::new();
    for (part, chosen) in parts.into_iter().zip(&chosen) {
        let before: usize = sides.iter().map(|side: &Side| side.labels.len()).sum();
        let done = &mut |done| progress(before + done, total);
        let size = dataset.image_size();
        let Some(predictions) = predict(&network, &part.pictures, chosen, size, config, done)? else {
            return Ok(None);
        };
        sides.push(Side::new(predictions, labels(part, chosen))?);
    }
    Ok(<[Side; 2]>::try_from(sides).ok())
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
    logits: Tensor,
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
            logits: predictions.logits,
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
        precision: Precision::F32,
        parts: 1,
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
        calibration: calibrate(&queries.logits, &queries.labels)?,
        hardest: hardest(queries)?,
        gallery: gallery.labels.len() as u32,
        images_per_second: 0.0,
        seconds: 0.0,
    })
}

/// The pictures with the largest losses.
fn hardest(side: &Side) -> Result<Vec<HardPicture>, TchError> {
    let labels = Tensor::f_from_slice(&side.labels)?.f_to_device(side.logits.device())?;
    let own = side.logits.f_log_softmax(1, Kind::Double)?.f_gather(1, &labels.f_unsqueeze(1)?, false)?;
    let losses: Vec<f64> = Vec::try_from(own.f_neg()?.f_flatten(0, -1)?)?;
    let surest: Vec<f64> = Vec::try_from(side.probabilities.f_amax([1], false)?.f_to_kind(Kind::Double)?)?;
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
    order.truncate(HARDEST);
    let told = |&picture: &usize| HardPicture {
        picture: picture as u32,
        class: side.labels[picture] as u32,
        predicted: side.found[picture] as u32,
        probability: surest[picture],
        loss: losses[picture],
    };
    Ok(order.iter().map(told).collect())
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

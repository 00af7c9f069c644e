//! The figures that training reports.

use crate::network::Precision;

/// One epoch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRow {
    /// Counted from 1.
    pub epoch: u32,
    /// Steps since the start of the run.
    #[serde(default)]
    pub step: u64,
    /// Mean loss over the training pictures as they were shown, augmented.
    pub loss: f64,
    /// Share of the training pictures, as they were shown, that were classified correctly.
    pub train_accuracy: f64,
    /// Mean loss over the validation pictures.
    pub validation_loss: f64,
    /// Share of the validation pictures that are classified correctly.
    pub validation_accuracy: f64,
    /// Precision among the first ten found by embedding; only where the best epoch is chosen by retrieval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_at_10: Option<f64>,
    /// Mean average precision by embedding; only where the best epoch is chosen by retrieval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<f64>,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Training pictures per second, validation not counted.
    pub images_per_second: f64,
    /// Share of the learning time in which the device waited for pictures.
    pub loader_wait_share: f64,
    /// Time for the epoch, validation included.
    pub seconds: f64,
    /// Part of it for what only the first epochs need: what a frozen backbone makes of the pictures.
    #[serde(default)]
    pub preparing_seconds: f64,
    /// Time since the start of the run, without interruptions.
    pub elapsed_seconds: f64,
    /// Time to the end of the run if no epoch is left out.
    pub eta_seconds: f64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StepRow {
    /// Counted from 1 over the whole run.
    pub step: u64,
    /// Counted from 1.
    pub epoch: u32,
    /// Mean loss over the pictures of the step.
    pub loss: f64,
    /// Share of them that were classified correctly.
    pub accuracy: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Training pictures per second since the start of the epoch.
    pub images_per_second: f64,
    /// Share of that time in which the device waited for pictures.
    pub loader_wait_share: f64,
    /// Time since the start of the run, without interruptions.
    pub elapsed_seconds: f64,
}

/// Share of relevant pictures among the first 1, 5 and 10 found, a mean over queries. A picture is relevant when its
/// true class is the query's; missing places count as irrelevant.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct PrecisionAt {
    /// Among the first.
    #[serde(rename = "1")]
    pub one: f64,
    /// Among the first five.
    #[serde(rename = "5")]
    pub five: f64,
    /// Among the first ten.
    #[serde(rename = "10")]
    pub ten: f64,
}

/// A figure for each of the two features that pictures are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Rankings<T> {
    /// Ranked by distance of embeddings.
    pub embedding: T,
    /// Ranked by distance of probabilities, as in the paper.
    pub probabilities: T,
}

/// Figures of one class, with its validation pictures as queries.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub class: u32,
    /// Its validation pictures.
    pub pictures: u32,
    /// Share of its pictures that are recognised as it.
    pub recall: f64,
    /// Share of what is taken for it that is it.
    pub precision: f64,
    /// Retrieval precision.
    pub precision_at: Rankings<PrecisionAt>,
    /// Mean average precision.
    pub map: Rankings<f64>,
}

/// How far probabilities can be believed, and the temperature that makes them believable (Guo et al. 2017).
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Calibration {
    /// What logits are divided by before softmax, fitted on the validation pictures; above 1 the network is too sure.
    pub temperature: f64,
    /// Mean distance between confidence and accuracy without it, 0 to 1.
    pub ece_before: f64,
    /// The same with it.
    pub ece_after: f64,
    /// Pictures by confidence, with the temperature.
    pub bins: Vec<CalibrationBin>,
}

/// Pictures whose most probable class is about as probable.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct CalibrationBin {
    /// Mean probability of the most probable class.
    pub confidence: f64,
    /// Share that was classified correctly.
    pub accuracy: f64,
    /// How many there are.
    pub pictures: u32,
}

/// A validation picture that the model finds hard.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HardPicture {
    /// Its place in the validation part.
    pub picture: u32,
    /// Its true class.
    pub class: u32,
    /// The class it was taken for.
    pub predicted: u32,
    /// Probability of the class it was taken for.
    pub probability: f64,
    /// Its loss.
    pub loss: f64,
}

/// What is known of a finished model.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Metrics {
    /// Epochs that were run.
    pub epochs: u32,
    /// The epoch whose weights the model has.
    pub best_epoch: u32,
    /// Steps that were taken.
    pub steps: u64,
    /// The numbers that they were computed with.
    pub precision: Precision,
    /// In how many parts each batch went through the device, because its memory was short.
    pub parts: u32,
    /// Mean loss of the model over the training pictures, not augmented.
    pub train_loss: f64,
    /// Accuracy of the model over the training pictures, not augmented.
    pub train_accuracy: f64,
    /// Mean loss over the validation pictures.
    pub validation_loss: f64,
    /// Share of the validation pictures that are classified correctly.
    pub validation_accuracy: f64,
    /// Validation pictures by true class (rows) and class found (columns).
    pub confusion: Vec<Vec<u32>>,
    /// Retrieval precision over all validation pictures.
    pub precision_at: Rankings<PrecisionAt>,
    /// Mean average precision over all validation pictures.
    pub map: Rankings<f64>,
    /// The same for each class.
    pub per_class: Vec<ClassMetrics>,
    /// How far probabilities can be believed.
    pub calibration: Calibration,
    /// The validation pictures with the largest losses, the largest first.
    pub hardest: Vec<HardPicture>,
    /// Training pictures that were searched, and that `train_loss` and `train_accuracy` were measured on.
    pub gallery: u32,
    /// Training pictures per second over all epochs, validation not counted.
    pub images_per_second: f64,
    /// Time for all epochs and the evaluation.
    pub seconds: f64,
}

//! The figures that training reports.

/// One epoch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRow {
    /// Counted from 1.
    pub epoch: u32,
    /// Mean loss over the training pictures as they were shown, augmented.
    pub loss: f64,
    /// Share of the training pictures, as they were shown, that were classified correctly.
    pub train_accuracy: f64,
    /// Mean loss over the validation pictures.
    pub validation_loss: f64,
    /// Share of the validation pictures that are classified correctly.
    pub validation_accuracy: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Training pictures per second, validation not counted.
    pub images_per_second: f64,
    /// Time for the epoch, validation included.
    pub seconds: f64,
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

/// What is known of a finished model.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Metrics {
    /// Epochs that were run.
    pub epochs: u32,
    /// The epoch whose weights the model has.
    pub best_epoch: u32,
    /// Steps that were taken.
    pub steps: u64,
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
    /// Training pictures that were searched, and that `train_loss` and `train_accuracy` were measured on.
    pub gallery: u32,
    /// Training pictures per second over all epochs, validation not counted.
    pub images_per_second: f64,
    /// Time for all epochs and the evaluation.
    pub seconds: f64,
}

//! Training: a network, pictures and settings in; better weights and figures about them out.
//!
//! Knows nothing of jobs, files or the database: whoever calls [`train`] hands over decoded pictures, hears of every
//! step through an [`Observer`], may stop at any step, and keeps the checkpoints where it likes. Everything random is
//! drawn from the seed, the epoch and the step, so a run that is resumed from a checkpoint goes on as if it had never
//! stopped (bit for bit on CPUs).

mod augment;
mod average;
mod batches;
mod calibration;
mod checkpoint;
mod colour;
mod config;
mod dataset;
mod epoch;
mod evaluation;
mod features;
mod fit;
mod loader;
mod measure;
mod metrics;
mod observer;
mod optimizer;
mod pace;
mod precision;
mod predict;
mod random;
mod retrieval;
mod schedule;
mod show;
mod source;

#[cfg(test)]
mod tests;

pub use checkpoint::Snapshot;
pub use config::{
    Augment, BestBy, ConfigError, EarlyStopping, FreezePolicy, OptimizerKind, PrecisionChoice, ScheduleKind,
    TrainConfig,
};
pub use dataset::{Dataset, DatasetError, Labelled};
pub use fit::train;
pub use measure::{augment_rate, step_rate};
pub use metrics::{
    Calibration, CalibrationBin, ClassMetrics, EpochRow, HardPicture, Metrics, PrecisionAt, Rankings, StepRow,
};
pub use observer::{Observer, Outcome, Phase, Progress};
pub use predict::{Predictions, predict};
pub use retrieval::{Gallery, Retrieval, retrieval};

use crate::network::NetworkError;

/// Reasons why training ends without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pictures do not suit the network or the settings.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The network or its device failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The checkpoint cannot be resumed from.
    #[error("the checkpoint cannot be used: {0}")]
    Checkpoint(String),
    /// The loss left the range of numbers.
    #[error(
        "the loss is {loss} in epoch {epoch}, step {step}: a smaller learning rate than {learning_rate} may help"
    )]
    Diverged {
        /// The loss, infinite or not a number.
        loss: f64,
        /// Counted from 1.
        epoch: u32,
        /// Counted from 1.
        step: u32,
        /// The rate at that step.
        learning_rate: f64,
    },
}

impl TrainError {
    /// Whether the device had too little memory. libtorch says so in words only.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Network(NetworkError::Torch(error)) if error.to_string().contains("out of memory"))
    }
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        Self::Network(error.into())
    }
}

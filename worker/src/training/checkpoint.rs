//! A run between two steps, as bytes: weights, their mean, the best weights so far, the optimiser's state and the history.
//!
//! The bytes are a safetensors file. Tensors are called `weights/{name}`, `mean/{name}`, `best/{name}` and
//! `optimizer/{name}/{place}`; the rest is JSON in the file's metadata. Random numbers have no state to be kept: their
//! streams follow from seed, epoch and step.

use std::collections::HashMap;

use safetensors::SafeTensors;
use tch::Tensor;

use super::TrainError;
use super::average::Average;
use super::config::TrainConfig;
use super::metrics::EpochRow;
use super::optimizer::Optimizer;
use crate::network::{Network, NetworkError, Precision, read_tensors, write_tensors};

/// Raised when the meaning of the bytes changes.
const FORMAT: u32 = 3;
const KEY: &str = "lookalike_checkpoint";

/// Everything of a run but tensors.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct History {
    format: u32,
    backbone: String,
    classes: usize,
    /// As JSON: read back as numbers, settings could differ in their last bit from what they were.
    config: String,
    /// Steps that the optimiser has taken.
    pub steps: u64,
    /// The numbers that steps are computed with.
    pub precision: Precision,
    /// In how many parts batches go through the device.
    pub parts: u32,
    /// Every epoch so far.
    pub rows: Vec<EpochRow>,
    /// What is done of the next one.
    pub partial: Partial,
    /// The epoch with the best validation result, counted from 1; 0 before the first.
    pub best_epoch: u32,
    /// What makes it the best: the figure that was asked for, then its validation loss.
    pub best_score: (Exact, Exact),
}

/// An epoch under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Partial {
    /// Steps that are done.
    pub steps: u32,
    /// Pictures of these.
    pub pictures: usize,
    /// Sum of their losses.
    pub loss: Exact,
    /// How many of them were classified correctly.
    pub correct: Exact,
    /// Learning rate of the last step.
    pub learning_rate: Exact,
    /// Seconds spent.
    pub seconds: f64,
    /// Seconds of these in which the device waited for pictures.
    pub waited: f64,
    /// Seconds of these that were spent on features.
    pub preparing: f64,
}

/// A number that comes back from a checkpoint to its last bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Exact(pub f64);

impl From<u64> for Exact {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Exact> for u64 {
    fn from(number: Exact) -> Self {
        number.0.to_bits()
    }
}

impl History {
    pub fn new(network: &Network, config: &TrainConfig) -> Self {
        Self {
            format: FORMAT,
            backbone: network.backbone().name.to_owned(),
            classes: network.classes(),
            config: text(config),
            steps: 0,
            precision: Precision::F32,
            parts: 1,
            rows: Vec::new(),
            partial: Partial::default(),
            best_epoch: 0,
            best_score: (Exact::default(), Exact::default()),
        }
    }

    /// Epochs that are done.
    pub fn epochs(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Whether a run of `network` with `config` may go on from here.
    fn check(&self, network: &Network, config: &TrainConfig) -> Result<(), TrainError> {
        let refuse = |reason: String| Err(TrainError::Checkpoint(reason));
        let (backbone, classes) = (network.backbone().name, network.classes());
        if self.backbone != backbone || self.classes != classes {
            let (own, own_classes) = (&self.backbone, self.classes);
            return refuse(format!(
                "it is of {own} with {own_classes} classes, the run of {backbone} with {classes}"
            ));
        }
        if !is_same(&self.config, config) {
            return refuse("it was made with other settings".to_owned());
        }
        Ok(())
    }
}

fn text(config: &TrainConfig) -> String {
    serde_json::to_string(config).expect("settings are plain data")
}

/// Whether settings are those of a text. A text of an older program means today's defaults by what it does not say, and
/// both sides are read as text, so that numbers are the same to the last bit.
fn is_same(old: &str, config: &TrainConfig) -> bool {
    let read = |text: &str| serde_json::from_str::<TrainConfig>(text).ok();
    read(old).is_some_and(|old| Some(old) == read(&text(config)))
}

/// A run as it stands after a step or an epoch; bytes are made only when asked for.
pub struct Snapshot<'a> {
    pub(super) network: &'a Network,
    pub(super) optimizer: &'a Optimizer,
    pub(super) average: Option<&'a Average>,
    pub(super) best: Option<&'a [(String, Tensor)]>,
    pub(super) history: &'a History,
}

impl Snapshot<'_> {
    /// The checkpoint that [`super::train`] resumes from.
    ///
    /// # Errors
    /// When the device fails.
    pub fn checkpoint(&self) -> Result<Vec<u8>, NetworkError> {
        let mut named: Vec<(String, &Tensor)> = Vec::new();
        named
            .extend(self.network.tensors().named().map(|(name, tensor)| (format!("weights/{name}"), tensor)));
        named.extend(self.optimizer.state().map(|(name, tensor)| (format!("optimizer/{name}"), tensor)));
        let mean = self.average.map(Average::tensors).unwrap_or_default();
        named.extend(mean.iter().map(|(name, tensor)| (format!("mean/{name}"), tensor)));
        let best = self.best.unwrap_or_default();
        named.extend(best.iter().map(|(name, tensor)| (format!("best/{name}"), tensor)));
        let history = serde_json::to_string(self.history).expect("a history is plain data");
        write_tensors(named.iter().map(|(name, tensor)| (&**name, *tensor)), Some((KEY, history)))
    }
}

/// What [`resume`] finds beside what it puts into network and optimiser.
pub(super) struct Resumed {
    pub history: History,
    /// The best weights, once an epoch is done.
    pub best: Option<Vec<(String, Tensor)>>,
}

/// Puts a checkpoint's tensors into `network`, `optimizer` and `average`.
///
/// # Errors
/// [`TrainError::Checkpoint`] when the bytes are damaged or of another run, and when the device fails.
pub(super) fn resume(
    bytes: &[u8],
    network: &Network,
    optimizer: &mut Optimizer,
    average: Option<&mut Average>,
    config: &TrainConfig,
) -> Result<Resumed, TrainError> {
    let found = restore(bytes, network, optimizer, average, config);
    if let Err(TrainError::Network(error @ (NetworkError::File(_) | NetworkError::Mismatch { .. }))) = &found
    {
        return Err(TrainError::Checkpoint(error.to_string()));
    }
    found
}

fn restore(
    bytes: &[u8],
    network: &Network,
    optimizer: &mut Optimizer,
    average: Option<&mut Average>,
    config: &TrainConfig,
) -> Result<Resumed, TrainError> {
    let history = history(bytes)?;
    history.check(network, config)?;
    let mut groups: HashMap<String, Vec<(String, Tensor)>> = HashMap::new();
    for (name, tensor) in read_tensors(bytes)? {
        let Some((group, name)) = name.split_once('/') else { continue };
        groups.entry(group.to_owned()).or_default().push((name.to_owned(), tensor));
    }
    let weights = groups.remove("weights").unwrap_or_default();
    if weights.len() < network.learnt().count() {
        return Err(TrainError::Checkpoint("it lacks weights".to_owned()));
    }
    network.restore(&weights)?;
    let state: HashMap<String, Tensor> = groups.remove("optimizer").unwrap_or_default().into_iter().collect();
    if !optimizer.restore(history.steps, |name| state.get(name).map(Tensor::shallow_clone))? {
        return Err(TrainError::Checkpoint("it lacks the optimiser's state".to_owned()));
    }
    let mean: HashMap<String, Tensor> = groups.remove("mean").unwrap_or_default().into_iter().collect();
    if let Some(average) = average
        && !average.restore(|name| mean.get(name).map(Tensor::shallow_clone))?
    {
        return Err(TrainError::Checkpoint("it lacks the mean of the weights".to_owned()));
    }
    Ok(Resumed { history, best: groups.remove("best") })
}

fn history(bytes: &[u8]) -> Result<History, TrainError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(NetworkError::from)?;
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| TrainError::Checkpoint("it has no history".to_owned()))?;
    let unreadable = |error: serde_json::Error| TrainError::Checkpoint(error.to_string());
    let Made { format } = serde_json::from_str(text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(TrainError::Checkpoint(format!(
            "it was made by another version of this program, in format {format}, and this one reads format {FORMAT}"
        )));
    }
    serde_json::from_str(text).map_err(unreadable)
}

/// What every format says of itself.
#[derive(serde::Deserialize)]
struct Made {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_an_older_program_did_not_know_are_the_defaults() {
        let config = TrainConfig { learning_rate: 0.003, ..TrainConfig::default() };
        let mut older: serde_json::Value = serde_json::from_str(&text(&config)).unwrap();
        older.as_object_mut().unwrap().remove("ema_decay").unwrap();
        assert!(is_same(&older.to_string(), &config));
        assert!(!is_same(&older.to_string(), &TrainConfig { ema_decay: 0.5, ..config.clone() }));
        assert!(!is_same(&text(&config), &TrainConfig { learning_rate: 0.004, ..config }));
    }

    #[test]
    fn damaged_bytes_are_no_checkpoint() {
        assert!(matches!(history(b"no tensors at all"), Err(TrainError::Network(NetworkError::File(_)))));
    }

    #[test]
    fn a_checkpoint_of_another_version_is_told_by_its_format() {
        let bytes = write_tensors([], Some((KEY, r#"{"format": 2, "steps": 7}"#.to_owned()))).unwrap();
        let refused = history(&bytes).unwrap_err().to_string();
        let expected = "the checkpoint cannot be used: it was made by another version of this program, in format 2, \
                        and this one reads format 3";
        assert_eq!(refused, expected);
    }
}

//! What answers pictures, whatever runs the network.

use bytes::Bytes;
use uuid::Uuid;

use crate::network::{NetworkError, Normalisation, Pictures};

/// A model as the inference thread needs it.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Tells models apart; the same id must always come with the same weights.
    pub id: Uuid,
    /// Name of the architecture.
    pub backbone: String,
    /// Values in an embedding; with the name it tells which variant of the architecture this is.
    pub embedding_dim: usize,
    /// Number of classes.
    pub classes: usize,
    /// Side of the pictures it reads.
    pub image_size: usize,
    /// How pixels are scaled for it.
    pub normalisation: Normalisation,
    /// Its weights, a safetensors file.
    pub weights: Bytes,
    /// What ran it best on such a device before, where that is known.
    pub proven: Option<Proven>,
}

/// An engine that was compared with the others on such a device before, and was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// As [`EngineInfo::engine`].
    pub engine: String,
    /// As [`EngineInfo::precision`].
    pub precision: String,
    /// As [`EngineInfo::pictures_per_second`].
    pub pictures_per_second: Option<f64>,
    /// As [`EngineInfo::tuning`].
    pub tuning: Option<Tuning>,
}

/// What is known of a loaded engine.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct EngineInfo {
    /// What runs the network: `torch` or `openvino`.
    pub engine: &'static str,
    /// What it calculates with, e.g. `f32` or `bf16`.
    pub precision: &'static str,
    /// Where, e.g. `cpu` or `cuda:0`.
    pub device: String,
    /// The architecture.
    pub backbone: String,
    /// Number of classes.
    pub classes: usize,
    /// Values in an embedding.
    pub dimensions: usize,
    /// Side of the pictures it reads.
    pub image_size: usize,
    /// Pictures per second in full batches, where engines were compared.
    pub pictures_per_second: Option<f64>,
    /// Why this engine runs the model, in words.
    pub reason: Option<String>,
    /// The sizes of batches that measured best, where the engine has a choice.
    pub tuning: Option<Tuning>,
}

/// Sizes of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tuning {
    /// Pictures in a batch.
    pub batch: usize,
    /// From how many pictures on a batch that is not full is faster than one picture after the other.
    pub pad_from: usize,
}

/// Answers for N pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    classes: usize,
    dimensions: usize,
    probabilities: Vec<f32>,
    embeddings: Vec<f32>,
}

impl Answers {
    /// Answers from `probabilities` `[N, classes]`, each row of sum 1, and `embeddings` `[N, dimensions]`, each row of
    /// length 1.
    pub fn new(classes: usize, dimensions: usize, probabilities: Vec<f32>, embeddings: Vec<f32>) -> Self {
        debug_assert_eq!(probabilities.len() * dimensions, embeddings.len() * classes);
        Self { classes, dimensions, probabilities, embeddings }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.probabilities.len().checked_div(self.classes).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in an embedding.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The probability of every class for one picture.
    pub fn probabilities(&self, picture: usize) -> &[f32] {
        &self.probabilities[picture * self.classes..][..self.classes]
    }

    /// The embedding of one picture, of length 1.
    pub fn embedding(&self, picture: usize) -> &[f32] {
        &self.embeddings[picture * self.dimensions..][..self.dimensions]
    }

    /// The most probable class of one picture; the first of equals.
    pub fn class(&self, picture: usize) -> usize {
        let mut best = 0;
        let probabilities = self.probabilities(picture);
        for (class, probability) in probabilities.iter().enumerate() {
            if *probability > probabilities[best] {
                best = class;
            }
        }
        best
    }

    /// Takes the answers of the first pictures out, `count` at most.
    pub(super) fn take(&mut self, count: usize) -> Self {
        let count = count.min(self.len());
        let probabilities = self.probabilities.drain(..count * self.classes).collect();
        let embeddings = self.embeddings.drain(..count * self.dimensions).collect();
        Self { probabilities, embeddings, ..*self }
    }

    /// Adds answers of the same model.
    pub(super) fn append(&mut self, other: Self) {
        self.classes = other.classes;
        self.dimensions = other.dimensions;
        self.probabilities.extend(other.probabilities);
        self.embeddings.extend(other.embeddings);
    }
}

/// Reasons why pictures are not answered.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model cannot be loaded, or the network or its device failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// No such architecture.
    #[error(transparent)]
    Backbone(#[from] lookalike_shared::domain::backbone::VariantError),
    /// The weights are of another model than the specification says.
    #[error("the weights tell {weights} classes apart, the model has {model}")]
    OtherClasses {
        /// Width of the head in the weights.
        weights: usize,
        /// Classes of the model.
        model: usize,
    },
    /// Pictures of another size than the model reads.
    #[error("pictures of {found} pixels were given to a model that reads {expected}")]
    OtherSize {
        /// Side of the pictures.
        found: usize,
        /// Side that the model reads.
        expected: usize,
    },
    /// OpenVINO's libraries are missing or unfit.
    #[error("OpenVINO cannot be used: {0}")]
    NoOpenVino(String),
    /// OpenVINO refused the network or failed.
    #[error("OpenVINO: {0}")]
    OpenVino(#[from] openvino::InferenceError),
    /// The model cannot be handed to OpenVINO.
    #[error(transparent)]
    Export(#[from] Box<lookalike_shared::onnx::ExportError>),
    /// A part of this program broke its own rules.
    #[error("the engine panicked: {0}")]
    Panic(String),
}

impl From<tch::TchError> for EngineError {
    fn from(error: tch::TchError) -> Self {
        Self::Network(error.into())
    }
}

/// Pictures that come one batch after the other, and where their answers go.
pub trait Feed {
    /// The next pictures, `most` at most; none when there are none now.
    fn next(&mut self, most: usize) -> Option<Pictures>;

    /// Takes the answers of the next pictures, in the order in which they were given.
    fn answer(&mut self, answers: Answers);
}

/// Pictures that are all there from the start.
pub struct Whole<'a> {
    pictures: &'a Pictures,
    most: usize,
    given: usize,
    answers: Answers,
}

impl<'a> Whole<'a> {
    /// A feed of `pictures`, `most` at a time at most.
    pub fn new(pictures: &'a Pictures, most: usize) -> Self {
        Self { pictures, most, given: 0, answers: Answers::default() }
    }
}

impl Feed for Whole<'_> {
    fn next(&mut self, most: usize) -> Option<Pictures> {
        let next = self.pictures.slice(self.given, most.min(self.most));
        self.given += next.len();
        (!next.is_empty()).then_some(next)
    }

    fn answer(&mut self, answers: Answers) {
        self.answers.append(answers);
    }
}

/// One loaded model that answers pictures.
pub trait Engine: Send {
    /// Answers pictures until there are none. Asks for more before the last ones are answered where that keeps the device
    /// busy; none is left without an answer.
    ///
    /// # Errors
    /// When pictures are of another size than the model reads, or the device fails: the oldest without an answer are to
    /// blame, and those after them are forgotten.
    fn run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError>;

    /// Probabilities and embeddings of these pictures.
    ///
    /// # Errors
    /// As [`Engine::run`].
    fn embed(&mut self, pictures: &Pictures) -> Result<Answers, EngineError> {
        let mut whole = Whole::new(pictures, usize::MAX);
        self.run(&mut whole)?;
        Ok(whole.answers)
    }

    /// What this is.
    fn describe(&self) -> EngineInfo;
}

//! Judging a weights file by its header: do the tensors in it make this backbone?

use std::collections::HashMap;
use std::fmt;

use super::{Backbone, LayerId, Parameter, projection};

/// Number types that weights may be stored in, as safetensors writes them.
const TYPES: [&str; 3] = ["F32", "F16", "BF16"];

/// PyTorch keeps this counter beside a batch norm's statistics; nothing needs it.
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

/// One tensor as a weights file announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Its number type as safetensors writes it, e.g. `F16`.
    pub dtype: String,
    /// Length of each dimension.
    pub shape: Vec<usize>,
}

/// What a fitting file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// Classes that its head tells apart.
    pub classes: usize,
    /// Tensors that will be loaded.
    pub tensors: usize,
    /// Values in those tensors.
    pub values: usize,
}

/// What a network takes of a file that begins its training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadReport {
    /// Classes that the file's head tells apart; nothing when it has none.
    pub classes: Option<usize>,
    /// Whether the projection is taken, which is so when both have one of the same shape.
    pub projection: bool,
    /// Whether the head is taken, which is so when it reads the same embedding and tells as many classes apart.
    pub head: bool,
}

/// One reason why a file does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The backbone has a tensor that the file lacks.
    Missing {
        /// Its name.
        name: String,
        /// The shape that it should have.
        shape: Vec<usize>,
    },
    /// The file has a tensor that the backbone lacks.
    Unexpected {
        /// Its name.
        name: String,
    },
    /// Both have it, in different shapes.
    WrongShape {
        /// Its name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// It is stored as numbers that cannot be read.
    WrongType {
        /// Its name.
        name: String,
        /// The number type in the file.
        dtype: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, shape } => write!(f, "`{name}` {shape:?} is missing"),
            Self::Unexpected { name } => write!(f, "`{name}` is not part of this backbone"),
            Self::WrongShape { name, expected, found } => {
                write!(f, "`{name}` is {found:?}, expected {expected:?}")
            }
            Self::WrongType { name, dtype } => {
                write!(f, "`{name}` is {dtype}, expected one of {}", TYPES.join(", "))
            }
        }
    }
}

impl Backbone {
    /// Whether `tensors` are the weights of this backbone; the number of classes is read from the head.
    ///
    /// # Errors
    /// Every mismatch, the backbone's tensors first, in layer order, then what the file has beyond them.
    pub fn check_import(&self, tensors: &[TensorInfo]) -> Result<ImportReport, Vec<Mismatch>> {
        let mut left = by_name(tensors);
        let classes = self.classes_of(&left);
        let parameters = self.parameters(classes);
        let mut mismatches = Vec::new();
        for parameter in &parameters {
            let found = left.remove(&*parameter.name);
            mismatches.extend(mismatch(parameter, found));
        }
        let unexpected = tensors.iter().filter(|tensor| left.contains_key(&*tensor.name));
        mismatches.extend(unexpected.map(|tensor| Mismatch::Unexpected { name: tensor.name.clone() }));
        if !mismatches.is_empty() {
            return Err(mismatches);
        }
        let values = parameters.iter().map(Parameter::len).sum();
        Ok(ImportReport { classes, tensors: parameters.len(), values })
    }

    /// What a network of `classes` classes takes of `tensors`. Head and projection may be missing, or made for other
    /// classes or another length of embeddings: the network then keeps its own. Everything else must fit.
    ///
    /// # Errors
    /// Every mismatch, in the order of [`Backbone::check_import`].
    pub fn check_load(&self, tensors: &[TensorInfo], classes: usize) -> Result<LoadReport, Vec<Mismatch>> {
        let mut left = by_name(tensors);
        let file_classes = self.head_of(&left);
        let projects = left.contains_key(&*format!("{}.weight", projection::NAME));
        let mut mismatches = Vec::new();
        let mut kept: Vec<LayerId> = Vec::new();
        for parameter in self.parameters(classes) {
            let mismatch = mismatch(&parameter, left.remove(&*parameter.name));
            if parameter.layer == self.head || Some(parameter.layer) == self.projection {
                kept.extend(mismatch.map(|_| parameter.layer));
            } else {
                mismatches.extend(mismatch);
            }
        }
        let replaceable = [projection::NAME, &*self.layer(self.head).name];
        let unexpected = tensors.iter().filter(|tensor| {
            let module = tensor.name.rsplit_once('.').map_or("", |(module, _)| module);
            left.contains_key(&*tensor.name) && !replaceable.contains(&module)
        });
        mismatches.extend(unexpected.map(|tensor| Mismatch::Unexpected { name: tensor.name.clone() }));
        if !mismatches.is_empty() {
            return Err(mismatches);
        }
        let projection = self.projection.is_some_and(|layer| !kept.contains(&layer));
        let same_embedding = projects == self.projection.is_some() && projects == projection;
        let head = same_embedding && !kept.contains(&self.head);
        Ok(LoadReport { classes: file_classes, projection, head })
    }

    /// The head's first dimension, or 1 when the file has no usable head: the head is then reported as a mismatch.
    fn classes_of(&self, tensors: &HashMap<&str, &TensorInfo>) -> usize {
        self.head_of(tensors).unwrap_or(1).max(1)
    }

    fn head_of(&self, tensors: &HashMap<&str, &TensorInfo>) -> Option<usize> {
        let head = format!("{}.weight", self.layer(self.head).name);
        tensors.get(&*head)?.shape.first().copied()
    }
}

fn by_name(tensors: &[TensorInfo]) -> HashMap<&str, &TensorInfo> {
    let counted = tensors.iter().filter(|tensor| !is_ignored(&tensor.name));
    counted.map(|tensor| (&*tensor.name, tensor)).collect()
}

/// Whether a tensor of this name is left out of a file's judgement and of loading.
pub(super) fn is_ignored(name: &str) -> bool {
    name.ends_with(IGNORED_SUFFIX)
}

fn mismatch(parameter: &Parameter, found: Option<&TensorInfo>) -> Option<Mismatch> {
    let name = parameter.name.clone();
    let Some(found) = found else {
        return Some(Mismatch::Missing { name, shape: parameter.shape.clone() });
    };
    if found.shape != parameter.shape {
        let expected = parameter.shape.clone();
        return Some(Mismatch::WrongShape { name, expected, found: found.shape.clone() });
    }
    if !TYPES.contains(&&*found.dtype) {
        return Some(Mismatch::WrongType { name, dtype: found.dtype.clone() });
    }
    None
}

//! Labelled pictures, decoded.

use crate::network::Pictures;

/// Pictures and the class of each.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The pictures.
    pub pictures: Pictures,
    /// For each picture its class, from 0.
    pub labels: Vec<u32>,
}

/// What a run learns from and what it is judged by.
#[derive(Debug, Clone)]
pub struct Dataset {
    classes: usize,
    image_size: usize,
    train: Labelled,
    validation: Labelled,
}

/// Pictures that cannot be trained with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// A part has no pictures.
    #[error("the {0} part has no pictures")]
    Empty(&'static str),
    /// Pictures and labels differ in number.
    #[error("the {part} part has {pictures} pictures but {labels} labels")]
    Unlabelled {
        /// `train` or `validation`.
        part: &'static str,
        /// Number of pictures.
        pictures: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label names no class.
    #[error("the {part} part has a picture of class {label}, there are {classes} classes")]
    UnknownClass {
        /// `train` or `validation`.
        part: &'static str,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// Stored pictures are smaller than what is to be cut from them.
    #[error("the {part} part has pictures of {side} pixels, the image size is {image_size}")]
    TooSmall {
        /// `train` or `validation`.
        part: &'static str,
        /// Side of the stored pictures.
        side: usize,
        /// Side of the pictures that the network reads.
        image_size: usize,
    },
    /// The network tells another number of classes apart.
    #[error("the network has {network} classes, the dataset {dataset}")]
    OtherClasses {
        /// Width of the network's head.
        network: usize,
        /// Classes of the dataset.
        dataset: usize,
    },
}

impl Dataset {
    /// A dataset of which pictures are shown at `image_size` pixels: parts of the stored ones, which may be larger, or
    /// all of each. [`Dataset::stored_side`] is the usual size to store.
    ///
    /// # Errors
    /// When a part is empty, a label names no class or pictures are smaller than `image_size`.
    pub fn new(
        classes: usize,
        image_size: usize,
        train: Labelled,
        validation: Labelled,
    ) -> Result<Self, DatasetError> {
        for (part, labelled) in [("train", &train), ("validation", &validation)] {
            check(part, labelled, classes, image_size)?;
        }
        Ok(Self { classes, image_size, train, validation })
    }

    /// Side at which pictures are stored so that crops of `image_size` have room to move: 8/7 of it, as 256 is of 224.
    pub fn stored_side(image_size: usize) -> usize {
        (image_size * 8).div_ceil(7)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Side of the pictures that the network reads.
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// What is learnt from.
    pub fn train(&self) -> &Labelled {
        &self.train
    }

    /// What is judged by.
    pub fn validation(&self) -> &Labelled {
        &self.validation
    }
}

fn check(
    part: &'static str,
    labelled: &Labelled,
    classes: usize,
    image_size: usize,
) -> Result<(), DatasetError> {
    let (pictures, labels) = (labelled.pictures.len(), labelled.labels.len());
    if pictures == 0 {
        return Err(DatasetError::Empty(part));
    }
    if pictures != labels {
        return Err(DatasetError::Unlabelled { part, pictures, labels });
    }
    if let Some(&label) = labelled.labels.iter().find(|&&label| label as usize >= classes) {
        return Err(DatasetError::UnknownClass { part, label, classes });
    }
    let side = labelled.pictures.side();
    if side < image_size {
        return Err(DatasetError::TooSmall { part, side, image_size });
    }
    Ok(())
}

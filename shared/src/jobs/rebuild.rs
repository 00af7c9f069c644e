//! Filling a new generation of an index with another model.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Payload;
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::{ModelRef, Name};

/// Indexes again, with `model`, every picture that the index holds, then swaps the generations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The index.
    pub index: Name,
    /// The model of the new generation.
    pub model: ModelRef,
}

impl Payload for Rebuild {
    const KIND: JobKind = JobKind::Rebuild;

    fn check(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

//! Filling a new generation of an index with another model.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Payload;
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::{ModelRef, Name};

/// Indexes again, with `model`, every picture that the index holds, then swaps the generations or leaves that to later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The index.
    pub index: Name,
    /// The model of the new generation.
    pub model: ModelRef,
    /// Make the new generation the active one as soon as it is whole. With false it stays `ready` beside the active one:
    /// measure both, then activate it or drop it. What comes to the index after it was whole is not in it.
    #[serde(default = "at_once")]
    #[schema(default = true)]
    pub activate: bool,
}

fn at_once() -> bool {
    true
}

impl Payload for Rebuild {
    const KIND: JobKind = JobKind::Rebuild;

    fn check(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

//! Reporting on a labelled set of pictures before training on it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Payload, check_prefix};
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::Name;

/// Reads every picture under a prefix and reports classes, counts, unreadable files and duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// A declared source, or `uploads`.
    pub source: Name,
    /// The folder that holds one folder per class.
    #[serde(default)]
    pub prefix: String,
}

impl Payload for Validate {
    const KIND: JobKind = JobKind::Validate;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/prefix", &self.prefix);
        errors
    }
}

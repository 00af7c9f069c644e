//! Filling an index from a source.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Payload, check_prefix};
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::{ModelRef, Name};

/// What happens to entries whose object is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexMode {
    /// They stay.
    #[default]
    Add,
    /// They leave the index, when under the prefix.
    Sync,
}

/// Puts the pictures under a prefix of a source into an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The index; made when there is none of that name.
    pub index: Name,
    /// The model; required when the index is made, otherwise the index's own or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// A declared source, or `uploads`.
    pub source: Name,
    /// Where in the source; empty means all of it.
    #[serde(default)]
    pub prefix: String,
    /// `add` or `sync`.
    #[serde(default)]
    pub mode: IndexMode,
    /// Only tell what would be added, updated and removed: nothing is fetched or written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Only the pictures that failed in this earlier index job, of the same index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_of: Option<Uuid>,
}

impl Payload for Index {
    const KIND: JobKind = JobKind::Index;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/prefix", &self.prefix);
        errors
    }
}

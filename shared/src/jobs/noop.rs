//! A job that does nothing: it measures and checks the queue itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Payload;
use crate::domain::FieldError;
use crate::domain::job::JobKind;

/// Does nothing, successfully.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Noop {}

impl Payload for Noop {
    const KIND: JobKind = JobKind::Noop;

    fn check(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

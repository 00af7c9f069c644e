//! Filling an index from a source.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Payload, check_prefix};
use crate::domain::job::JobKind;
use crate::domain::name::{ModelRef, Name};
use crate::domain::{FieldError, UnknownValue};

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

impl IndexMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Add, Self::Sync];

    /// The name used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sync => "sync",
        }
    }
}

impl FromStr for IndexMode {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == value)
            .ok_or_else(|| UnknownValue::new("mode", value, Self::ALL.iter().map(|mode| mode.as_str())))
    }
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
    /// Of those, only the pictures that failed for one of these reasons; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_codes: Vec<String>,
}

impl Index {
    /// The most reasons that one job names.
    pub const MAX_CODES: usize = 100;
}

impl Payload for Index {
    const KIND: JobKind = JobKind::Index;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/prefix", &self.prefix);
        if self.failed_of.is_some() && self.mode == IndexMode::Sync {
            let rule = "sync with failed_of would remove every picture that did not fail; use add";
            errors.push(FieldError::new("/mode", rule));
        }
        if self.failed_of.is_none() && !self.failed_codes.is_empty() {
            errors
                .push(FieldError::new("/failed_codes", "they need failed_of, the job whose pictures failed"));
        }
        check_codes(&mut errors, "/failed_codes", &self.failed_codes);
        errors
    }
}

/// Adds an error unless these can be reasons of failed pictures: at most [`Index::MAX_CODES`] of 1 to 63 bytes.
pub fn check_codes(errors: &mut Vec<FieldError>, pointer: &str, codes: &[String]) {
    if codes.len() > Index::MAX_CODES {
        let detail = format!("{} reasons are more than {}", codes.len(), Index::MAX_CODES);
        errors.push(FieldError::new(pointer, detail));
    }
    if codes.iter().any(|code| !(1..=63).contains(&code.len()) || code.contains('\0')) {
        errors.push(FieldError::new(pointer, "a reason has 1 to 63 bytes and no NUL"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(request: serde_json::Value) -> Vec<String> {
        let payload: Index = serde_json::from_value(request).unwrap();
        payload.check().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn a_retry_of_failed_pictures_never_removes_any() {
        let earlier = "0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10";
        let index = json!({"index": "gallery", "source": "photos"});
        let with = |more: serde_json::Value| {
            let mut request = index.clone();
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        assert_eq!(broken(with(json!({"failed_of": earlier, "failed_codes": ["corrupt"]}))), [""; 0]);
        assert_eq!(broken(with(json!({"failed_of": earlier, "mode": "sync"}))), ["/mode"]);
        assert_eq!(broken(with(json!({"failed_codes": ["corrupt"]}))), ["/failed_codes"]);
        assert_eq!(broken(with(json!({"failed_of": earlier, "failed_codes": [""]}))), ["/failed_codes"]);
    }
}

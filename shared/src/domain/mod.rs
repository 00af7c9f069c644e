//! Values, states and rules. No I/O here, and no clock is read.

pub mod backbone;
pub mod generation;
pub mod job;
pub mod name;
pub mod progress;
pub mod retry;
pub mod schedule;
pub mod scope;
pub mod search;

/// A word that is none of those expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{value}\", one of {expected} expected")]
pub struct UnknownValue {
    what: &'static str,
    value: String,
    expected: String,
}

impl UnknownValue {
    /// An error that names the bad `value` and the accepted ones.
    pub fn new(what: &'static str, value: &str, expected: impl Iterator<Item = &'static str>) -> Self {
        let expected = expected.collect::<Vec<_>>().join(", ");
        Self { what, value: value.chars().take(80).collect(), expected }
    }
}

/// A rule that a field of a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the field, e.g. `/dataset/source`; empty for the whole body.
    pub pointer: String,
    /// The value, the bound it breaks and what would do.
    pub detail: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

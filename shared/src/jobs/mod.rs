//! One payload per job kind: what a request asks for, as it is stored in `jobs.params`.
//!
//! A payload checks itself ([`Payload::check`]): every broken rule is told at once, naming the field, the
//! value and the bound. What needs the database (does the index exist?) is checked where it is submitted.

mod evaluate;
mod index;
mod noop;
mod rebuild;
mod search;
mod train;
mod validate;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::FieldError;
use crate::domain::job::JobKind;

pub use evaluate::Evaluate;
pub use index::{Index, IndexMode, check_codes};
pub use noop::Noop;
pub use rebuild::Rebuild;
pub use search::{Crop, Example, Filter, Query, QueryExample, Search};
pub use train::{
    Augment, BestBy, Dataset, EarlyStopping, Fraction, Freeze, Optimizer, Precision, Schedule, Train,
    Validation,
};
pub use validate::Validate;

/// What a job of one kind is asked to do.
pub trait Payload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind, hence the queue, of the job.
    const KIND: JobKind;

    /// Every rule that this payload breaks on its own.
    fn check(&self) -> Vec<FieldError>;
}

/// What every submission may say beside its payload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Submission {
    /// Higher goes first within a queue, -100 to 100.
    pub priority: i32,
    /// How often the job may be tried, 1 to 100; 3 when not given.
    pub max_attempts: Option<i32>,
    /// Free words to find the job by, at most 20 of 63 and 255 characters.
    pub labels: BTreeMap<String, String>,
    /// Not before this time.
    pub scheduled_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl Submission {
    /// Every rule that the common fields break.
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_range(&mut errors, "/priority", self.priority, -100, 100);
        if let Some(attempts) = self.max_attempts {
            check_range(&mut errors, "/max_attempts", attempts, 1, 100);
        }
        if self.labels.len() > MAX_LABELS {
            let detail = format!("{} labels are more than {MAX_LABELS}", self.labels.len());
            errors.push(FieldError::new("/labels", detail));
        }
        self.labels.iter().for_each(|(key, value)| check_label(&mut errors, key, value));
        errors
    }
}

/// The most labels that one thing carries.
pub const MAX_LABELS: usize = 20;

/// Adds an error at `/labels/{key}` unless the label's name has 1 to 63 bytes, its value at most 255, neither a NUL.
pub fn check_label(errors: &mut Vec<FieldError>, key: &str, value: &str) {
    let fits = (1..=63).contains(&key.len()) && value.len() <= 255;
    if !fits || key.contains('\0') || value.contains('\0') {
        let rule = "a label's name has 1 to 63 bytes, its value at most 255, neither a NUL";
        errors.push(FieldError::new(format!("/labels/{}", escape_pointer(key)), rule));
    }
}

/// Adds an error unless `low <= value <= high`.
pub(crate) fn check_range<T: PartialOrd + std::fmt::Display>(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    value: T,
    low: T,
    high: T,
) {
    if !(value >= low && value <= high) {
        errors.push(FieldError::new(pointer, format!("{value} is out of range, {low} to {high} expected")));
    }
}

/// Adds an error unless `prefix` can name a folder of a source: relative, without `..`, at most 1 024 bytes.
pub fn check_prefix(errors: &mut Vec<FieldError>, pointer: &str, prefix: &str) {
    let escapes = prefix.starts_with('/') || prefix.split('/').any(|part| part == ".." || part == ".");
    if escapes {
        let shown: String = prefix.chars().take(80).collect();
        let detail = format!("\"{shown}\" leaves its source: no leading '/', no '.' or '..' part is allowed");
        errors.push(FieldError::new(pointer, detail));
    } else if prefix.len() > 1_024 || prefix.contains('\0') {
        errors.push(FieldError::new(pointer, "it has at most 1024 bytes and no NUL"));
    } else if prefix.split('/').any(|part| part.len() > 255) {
        errors.push(FieldError::new(pointer, "each part between '/' has at most 255 bytes"));
    }
}

/// Escapes a key for a JSON Pointer (RFC 6901 section 3).
fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

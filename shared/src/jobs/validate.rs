//! Reporting on a labelled set of pictures before training on it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dataset, Payload, Train, check_prefix, check_range};
use crate::domain::backbone::{self, Backbone};
use crate::domain::job::JobKind;
use crate::domain::name::Name;
use crate::domain::{FieldError, UnknownValue};

/// Reads every picture under a prefix and reports classes, counts, sizes, unreadable files, duplicates, and whether a
/// training would start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// A declared source, or `uploads`.
    pub source: Name,
    /// The folder that holds one folder per class.
    #[serde(default)]
    pub prefix: String,
    /// The labelled set that a training would be judged by; what both sets hold is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Dataset>,
    /// Readable pictures that each class must have, 1 to 1000000.
    #[serde(default = "Train::default_min_images_per_class")]
    pub min_images_per_class: u32,
    /// The network that a side is suggested for; `mobilenet_v2` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<String>,
}

impl Validate {
    /// The network that a side is suggested for.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn network(&self) -> Result<&'static Backbone, UnknownValue> {
        backbone::by_name(self.backbone.as_deref().unwrap_or(Train::DEFAULT_BACKBONE))
    }
}

impl Payload for Validate {
    const KIND: JobKind = JobKind::Validate;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/prefix", &self.prefix);
        if let Some(set) = &self.validation {
            check_prefix(&mut errors, "/validation/prefix", &set.prefix);
        }
        check_range(&mut errors, "/min_images_per_class", self.min_images_per_class, 1, 1_000_000);
        if let Err(unknown) = self.network() {
            errors.push(FieldError::new("/backbone", unknown.to_string()));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_asked_for_with_the_bounds_of_a_training() {
        let plain: Validate = serde_json::from_value(json!({"source": "photos"})).unwrap();
        assert!(plain.check().is_empty() && plain.min_images_per_class == 100);
        assert_eq!(plain.network().unwrap().name, "mobilenet_v2");
        let asked = json!({"source": "photos", "prefix": "../x", "min_images_per_class": 0,
                           "validation": {"source": "photos", "prefix": "/etc"}, "backbone": "lenet"});
        let asked: Validate = serde_json::from_value(asked).unwrap();
        let pointers: Vec<_> = asked.check().into_iter().map(|error| error.pointer).collect();
        assert_eq!(pointers, ["/prefix", "/validation/prefix", "/min_images_per_class", "/backbone"]);
    }
}

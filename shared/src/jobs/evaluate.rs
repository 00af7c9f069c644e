//! Measuring an index with labelled queries.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Payload, check_prefix, check_range};
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::Name;
use crate::domain::search::Probes;

/// Searches with every picture under a prefix (folder name = true class) and counts right hits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The index to measure.
    pub index: Name,
    /// A declared source, or `uploads`.
    pub source: Name,
    /// The folder that holds one folder per class.
    #[serde(default)]
    pub prefix: String,
    /// The numbers of hits to measure precision and recall at, ascending.
    #[serde(default = "default_k")]
    pub k: Vec<u32>,
    /// Which partitions the searches look into: "auto", "all", a number, or a probability to reach.
    #[serde(default)]
    #[schema(value_type = String, example = "auto")]
    pub probes: Probes,
    /// Other values of `probes` to measure beside it, at most 12, so that one can be chosen by its figures.
    #[serde(default = "default_compare")]
    #[schema(value_type = Vec<String>, example = json!(["auto", 1, 0.8, "all"]))]
    pub compare: Vec<Probes>,
    /// The generation to measure, a ready, active or retired one of the index; the active one when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i32>,
}

fn default_k() -> Vec<u32> {
    vec![1, 5, 10]
}

fn default_compare() -> Vec<Probes> {
    use Probes::{All, Auto, Fixed, Mass};
    vec![Fixed(1), Fixed(2), Fixed(3), Mass(0.8), Auto, Mass(0.99), All]
}

impl Payload for Evaluate {
    const KIND: JobKind = JobKind::Evaluate;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_prefix(&mut errors, "/prefix", &self.prefix);
        check_range(&mut errors, "/k", self.k.len(), 1, 10);
        check_range(&mut errors, "/compare", self.compare.len(), 0, 12);
        for (position, k) in self.k.iter().enumerate() {
            check_range(&mut errors, &format!("/k/{position}"), *k, 1, 1_000);
        }
        errors
    }
}

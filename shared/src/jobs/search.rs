//! Finding look-alikes of a picture.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Payload, check_range};
use crate::domain::FieldError;
use crate::domain::job::JobKind;
use crate::domain::name::Name;
use crate::domain::search::{Probes, RankBy};

/// A stored search. The pictures themselves are rows of `job_pictures`, in the order of `query`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Search {
    /// The index to search.
    pub index: Name,
    /// What to look for.
    pub query: Query,
    /// How many hits, 1 to 1000.
    pub k: u32,
    /// Which partitions to look into: "auto", "all" or a number.
    #[serde(default)]
    #[schema(value_type = String, example = "auto")]
    pub probes: Probes,
    /// What distances are measured between.
    #[serde(default)]
    pub rank_by: RankBy,
    /// What hits must be.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Hits less similar than this are left out, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_similarity: Option<f64>,
}

/// What a search starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Query {
    /// An uploaded picture.
    Picture,
    /// An entry of the same index, which is not among its own hits.
    Entry {
        /// The entry.
        entry_id: Uuid,
    },
    /// An object of a declared source.
    Object {
        /// The source.
        source: Name,
        /// The object's key.
        key: String,
    },
    /// Several uploaded pictures; the vectors' weighted mean is searched for.
    Examples {
        /// One weight per picture.
        examples: Vec<QueryExample>,
    },
}

/// One picture of a search by several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryExample {
    /// How much it counts, -10 to 10; negative pushes away.
    pub weight: f32,
}

/// What hits must be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Only entries of these classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Vec<String>>,
    /// Only entries whose metadata holds all of this.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

impl Filter {
    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.class.is_none() && self.metadata.is_empty()
    }
}

impl Search {
    /// The most hits one search may ask for.
    pub const MAX_K: u32 = 1_000;
    /// The most pictures one search may start from.
    pub const MAX_EXAMPLES: usize = 16;
}

impl Payload for Search {
    const KIND: JobKind = JobKind::Search;

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_range(&mut errors, "/k", self.k, 1, Self::MAX_K);
        if let Some(similarity) = self.min_similarity {
            check_range(&mut errors, "/min_similarity", similarity, 0.0, 1.0);
        }
        // PostgreSQL stores no NUL, not even within JSON.
        if serde_json::to_string(&self.filter).is_ok_and(|filter| filter.contains("\\u0000")) {
            errors.push(FieldError::new("/filter", "no name or value may hold a NUL"));
        }
        match &self.query {
            Query::Picture | Query::Entry { .. } => {}
            Query::Object { key, .. } if key.is_empty() => {
                errors.push(FieldError::new("/key", "it names no object"));
            }
            Query::Object { key, .. } => super::check_prefix(&mut errors, "/key", key),
            Query::Examples { examples } => {
                check_range(&mut errors, "/examples", examples.len(), 1, Self::MAX_EXAMPLES);
                for (position, example) in examples.iter().enumerate() {
                    let pointer = format!("/examples/{position}/weight");
                    check_range(&mut errors, &pointer, example.weight, -10.0, 10.0);
                }
                if examples.iter().all(|example| example.weight <= 0.0) {
                    errors.push(FieldError::new("/examples", "at least one weight above 0 is needed"));
                }
            }
        }
        errors
    }
}

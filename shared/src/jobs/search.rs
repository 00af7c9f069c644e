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
    /// Which partitions to look into: "auto", "all", a number, or a probability to reach (0.8).
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
    /// Whether of pictures that are nearly the same only the nearest is a hit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collapse_duplicates: bool,
}

/// What a search starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Query {
    /// An uploaded picture.
    Picture {
        /// The part of it that is looked for; all of it when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crop: Option<Crop>,
    },
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
        /// The part of it that is looked for; all of it when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crop: Option<Crop>,
    },
    /// Several of these; the vectors' weighted mean is searched for.
    Examples {
        /// What counts how much.
        examples: Vec<QueryExample>,
    },
}

/// One of several that a search starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryExample {
    /// How much it counts, -10 to 10; negative pushes away.
    pub weight: f32,
    /// What it is.
    #[serde(default, skip_serializing_if = "Example::is_whole_picture")]
    pub of: Example,
}

/// A picture, however it is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Example {
    /// An uploaded picture.
    Picture {
        /// The part of it that counts; all of it when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crop: Option<Crop>,
    },
    /// An entry of the same index, which is no hit.
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
        /// The part of it that counts; all of it when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crop: Option<Crop>,
    },
}

impl Default for Example {
    fn default() -> Self {
        Self::Picture { crop: None }
    }
}

/// A part of an upright picture, in shares of its width and height, from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"x": 0.25, "y": 0.1, "width": 0.5, "height": 0.6}))]
pub struct Crop {
    /// Where it begins from the left, 0 to 1.
    pub x: f64,
    /// Where it begins from the top, 0 to 1.
    pub y: f64,
    /// How wide it is, above 0, and within the picture.
    pub width: f64,
    /// How high it is, above 0, and within the picture.
    pub height: f64,
}

impl Crop {
    /// Shares are told in decimals, which may sum to a little more than 1.
    const TOLERANCE: f64 = 1e-6;

    fn check(&self, errors: &mut Vec<FieldError>, pointer: &str) {
        check_range(errors, &format!("{pointer}/x"), self.x, 0.0, 1.0);
        check_range(errors, &format!("{pointer}/y"), self.y, 0.0, 1.0);
        for (side, from, length) in [("width", self.x, self.width), ("height", self.y, self.height)] {
            if !(length > 0.0 && from + length <= 1.0 + Self::TOLERANCE) {
                let detail =
                    format!("{length} is out of range: above 0, and from {from} on within 1 expected");
                errors.push(FieldError::new(format!("{pointer}/{side}"), detail));
            }
        }
    }
}

impl Example {
    fn is_whole_picture(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self, errors: &mut Vec<FieldError>, pointer: &str) {
        let (key, crop) = match self {
            Self::Entry { .. } => return,
            Self::Picture { crop } => (None, crop),
            Self::Object { key, crop, .. } => (Some(key), crop),
        };
        match key {
            Some(key) if key.is_empty() => {
                errors.push(FieldError::new(format!("{pointer}/key"), "it names no object"));
            }
            Some(key) => super::check_prefix(errors, &format!("{pointer}/key"), key),
            None => {}
        }
        if let Some(crop) = crop {
            crop.check(errors, &format!("{pointer}/crop"));
        }
    }
}

impl Query {
    /// Whether pictures were uploaded with the search.
    pub fn has_uploads(&self) -> bool {
        self.parts().iter().any(|part| matches!(part.of, Example::Picture { .. }))
    }

    /// Whether something that is asked with lies in a source.
    pub fn reads_a_source(&self) -> bool {
        self.parts().iter().any(|part| matches!(part.of, Example::Object { .. }))
    }

    /// What the search starts from, each with how much it counts; uploaded pictures are in the order of their rows.
    pub fn parts(&self) -> Vec<QueryExample> {
        let of = match self.clone() {
            Self::Picture { crop } => Example::Picture { crop },
            Self::Entry { entry_id } => Example::Entry { entry_id },
            Self::Object { source, key, crop } => Example::Object { source, key, crop },
            Self::Examples { examples } => return examples,
        };
        vec![QueryExample { weight: 1.0, of }]
    }
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
    /// Only entries whose uris (`source/key`) begin with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "photos/2024/")]
    pub uri_prefix: Option<String>,
}

impl Filter {
    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.class.is_none() && self.metadata.is_empty() && self.uri_prefix.is_none()
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
            Query::Examples { examples } => {
                check_range(&mut errors, "/examples", examples.len(), 1, Self::MAX_EXAMPLES);
                for (position, example) in examples.iter().enumerate() {
                    let pointer = format!("/examples/{position}");
                    check_range(&mut errors, &format!("{pointer}/weight"), example.weight, -10.0, 10.0);
                    example.of.check(&mut errors, &pointer);
                }
                if examples.iter().all(|example| example.weight <= 0.0) {
                    errors.push(FieldError::new("/examples", "at least one weight above 0 is needed"));
                }
            }
            Query::Picture { .. } | Query::Entry { .. } | Query::Object { .. } => {
                self.query.parts().iter().for_each(|part| part.of.check(&mut errors, ""));
            }
        }
        errors
    }
}

//! What a search is asked with, apart from how it is stored.

use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::search::{Probes, RankBy};
use lookalike_shared::jobs::{Crop, Filter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A search as JSON. Exactly one of `image_base64`, `entry_id`, `source` with `key`, and `examples` says what to
/// look for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// The index to search.
    pub index: Name,
    /// How many hits, 1 to 1000.
    #[serde(default = "SearchRequest::default_k")]
    #[schema(minimum = 1, maximum = 1000)]
    pub k: u32,
    /// A picture's file in base64; a `data:` URL is read too.
    #[serde(default)]
    pub image_base64: Option<String>,
    /// An entry of the same index.
    #[serde(default)]
    pub entry_id: Option<Uuid>,
    /// A declared source; `key` names the object in it.
    #[serde(default)]
    pub source: Option<Name>,
    /// An object of `source`.
    #[serde(default)]
    #[schema(example = "queries/teapot.jpg")]
    pub key: Option<String>,
    /// The part of the picture or object that is looked for; all of it when not given.
    #[serde(default)]
    pub crop: Option<Crop>,
    /// Several pictures, at most 16; the weighted mean of their vectors is looked for.
    #[serde(default)]
    pub examples: Option<Vec<ExampleRequest>>,
    /// Which partitions to look into: "auto", "all", a number, or a probability to reach (0.8).
    #[serde(default)]
    #[schema(value_type = String, example = "auto")]
    pub probes: Probes,
    /// What distances are measured between.
    #[serde(default)]
    pub rank_by: RankBy,
    /// What hits must be.
    #[serde(default)]
    pub filter: Filter,
    /// Hits less similar than this are left out, 0 to 1.
    #[serde(default)]
    pub min_similarity: Option<f64>,
    /// Whether of pictures that are nearly the same only the nearest is a hit.
    #[serde(default)]
    pub collapse_duplicates: bool,
}

impl SearchRequest {
    fn default_k() -> u32 {
        20
    }
}

/// One picture of a search by several: exactly one of `image_base64`, `entry_id`, and `source` with `key` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleRequest {
    /// The picture's file in base64; a `data:` URL is read too.
    #[serde(default)]
    pub image_base64: Option<String>,
    /// An entry of the same index, which is no hit.
    #[serde(default)]
    pub entry_id: Option<Uuid>,
    /// A declared source; `key` names the object in it.
    #[serde(default)]
    pub source: Option<Name>,
    /// An object of `source`.
    #[serde(default)]
    pub key: Option<String>,
    /// The part of the picture or object that counts; all of it when not given.
    #[serde(default)]
    pub crop: Option<Crop>,
    /// How much it counts, -10 to 10; negative pushes away.
    #[serde(default = "ExampleRequest::default_weight")]
    pub weight: f32,
}

impl ExampleRequest {
    /// The weight of an example that names none.
    pub fn default_weight() -> f32 {
        1.0
    }
}

/// A search as `multipart/form-data`: the picture as a file, the rest as text.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it documents the parts, which are read one by one")]
pub struct SearchForm {
    /// The index to search.
    index: Name,
    /// A picture's file. Repeated, up to 16 times, the weighted mean of the pictures is looked for.
    #[schema(value_type = Vec<String>, format = Binary)]
    image: Vec<Vec<u8>>,
    /// One number for each picture, as a JSON array; 1 each when not given.
    #[schema(example = "[1, 1, -0.5]")]
    weights: Option<String>,
    /// How many hits, 1 to 1000; 20 when not given.
    k: Option<u32>,
    /// An entry of the same index, instead of a picture.
    entry_id: Option<Uuid>,
    /// A declared source, instead of a picture; `key` names the object in it.
    source: Option<Name>,
    /// An object of `source`.
    key: Option<String>,
    /// The part of the picture or object that is looked for, as JSON: shares of its width and height.
    #[schema(example = "{\"x\": 0.25, \"y\": 0.1, \"width\": 0.5, \"height\": 0.6}")]
    crop: Option<String>,
    /// Which partitions to look into: `auto`, `all`, a number, or a probability to reach (`0.8`).
    #[schema(example = "auto")]
    probes: Option<String>,
    /// What distances are measured between.
    rank_by: Option<RankBy>,
    /// What hits must be, as JSON.
    #[schema(example = "{\"class\": [\"teapot\"]}")]
    filter: Option<String>,
    /// Hits less similar than this are left out, 0 to 1.
    min_similarity: Option<f64>,
    /// Whether of pictures that are nearly the same only the nearest is a hit.
    collapse_duplicates: Option<bool>,
    /// Higher goes first within a queue, -100 to 100.
    priority: Option<i32>,
    /// How often the job may be tried, 1 to 100.
    max_attempts: Option<i32>,
    /// Free words to find the job by, as a JSON object.
    #[schema(example = "{\"team\": \"x\"}")]
    labels: Option<String>,
    /// Not before this time.
    scheduled_at: Option<String>,
}

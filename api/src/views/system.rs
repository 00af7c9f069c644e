//! The system and the caller over HTTP.

use chrono::{DateTime, Utc};
use lookalike_shared::db::keys::Key;
use lookalike_shared::domain::scope::Scope;
use serde::Serialize;
use utoipa::ToSchema;

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// The name of the key.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The same, with what is included.
    pub scopes: Vec<Scope>,
    /// When the key stops to work.
    pub expires_at: Option<DateTime<Utc>>,
}

impl From<&Key> for Me {
    fn from(key: &Key) -> Self {
        Self {
            name: key.name.clone(),
            scope: key.scope,
            scopes: key.scope.granted().collect(),
            expires_at: key.expires_at,
        }
    }
}

/// The state of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct System {
    /// The version of this API.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Where things are.
    pub storage: StorageView,
    /// Bounds on requests.
    pub limits: LimitsView,
    /// The database.
    pub database: DatabaseView,
    /// Networks that can be trained, or imported into.
    pub backbones: Vec<BackboneView>,
    /// How long things are kept.
    pub retention: RetentionView,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StorageView {
    /// Weights and uploads, without credentials.
    pub artifacts: String,
    /// Sources of pictures.
    pub sources: Vec<SourceLocation>,
}

/// A source of pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceLocation {
    /// Its name.
    pub name: String,
    /// Where it is, without credentials.
    pub location: String,
}

/// Bounds on requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LimitsView {
    /// The most bytes of one picture.
    pub max_picture_bytes: u64,
    /// The most pixels of one picture.
    pub max_picture_pixels: u64,
    /// The most bytes of one upload or imported file of weights.
    pub max_upload_bytes: u64,
    /// The most hits of one search.
    pub max_k: u32,
    /// The most items of a page.
    pub max_page_items: i64,
    /// The most jobs of one bulk request.
    pub max_bulk_jobs: usize,
    /// The longest `Prefer: wait`.
    pub max_wait_seconds: u64,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatabaseView {
    /// The version of PostgreSQL.
    pub version: String,
    /// Its size.
    pub size_bytes: i64,
}

/// A network architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BackboneView {
    /// Its name.
    #[schema(example = "mobilenet_v2")]
    pub name: String,
    /// The side of its square input, in pixels, when a request does not say.
    pub default_image_size: u32,
    /// The smallest side that works.
    pub min_image_size: u32,
    /// Values of an embedding.
    pub embedding_dim: usize,
}

/// How long things are kept, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionView {
    /// Finished jobs.
    pub jobs_seconds: u64,
    /// Finished searches.
    pub searches_seconds: u64,
    /// Events.
    pub events_seconds: u64,
    /// Samples of queues and devices.
    pub samples_seconds: u64,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or `failed` when a check fails.
    pub status: &'static str,
    /// One line per check.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `migrations` or `storage`.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What is wrong, without secrets.
    pub detail: Option<String>,
}

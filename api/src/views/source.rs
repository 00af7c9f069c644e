//! Sources and what is in them, as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::config::UPLOADS;
use lookalike_shared::storage::{Folder, Object, Source};
use serde::Serialize;
use utoipa::ToSchema;

/// A place that pictures are read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    /// Its name.
    #[schema(example = "photos")]
    pub name: String,
    /// What keeps it: `file`, `s3`, `gs`, `az`.
    #[schema(example = "s3")]
    pub kind: String,
    /// Where it is, without credentials.
    #[schema(example = "s3://bucket/photos")]
    pub url: String,
    /// Whether users put files into it through this API; only `uploads` is.
    pub writable: bool,
}

impl From<&Source> for SourceView {
    fn from(source: &Source) -> Self {
        let url = source.location().to_owned();
        let kind = url.split(':').next().unwrap_or_default().to_owned();
        Self { name: source.name().to_owned(), kind, url, writable: source.name() == UPLOADS }
    }
}

/// A folder or an object directly under a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SourceObject)]
pub struct SourceObjectView {
    /// Its key in the source; a folder's ends in `/` and is the prefix to look into it with.
    #[schema(example = "gallery/teapots/")]
    pub key: String,
    /// Whether it is a folder.
    pub is_prefix: bool,
    /// The object's size; null for a folder.
    pub size_bytes: Option<u64>,
    /// When the object last changed; null for a folder.
    pub modified_at: Option<DateTime<Utc>>,
}

impl From<Folder> for SourceObjectView {
    fn from(folder: Folder) -> Self {
        Self { key: folder.prefix, is_prefix: true, size_bytes: None, modified_at: None }
    }
}

impl From<Object> for SourceObjectView {
    fn from(object: Object) -> Self {
        Self {
            key: object.key,
            is_prefix: false,
            size_bytes: Some(object.size),
            modified_at: Some(object.modified),
        }
    }
}

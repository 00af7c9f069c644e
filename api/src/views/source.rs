//! Sources and what is in them, as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::config::UPLOADS;
use lookalike_shared::storage::{Folder, Object, Probe, Source};
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

/// What was found out about a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SourceTest)]
pub struct SourceTestView {
    /// Whether it can be listed and read.
    pub ok: bool,
    /// Where it is, without credentials.
    #[schema(example = "s3://bucket/photos")]
    pub location: String,
    /// Objects that were listed, at most 1000.
    pub objects_seen: u64,
    /// Whether these are all of its objects.
    pub complete: bool,
    /// The object whose first bytes were read; null when there is none.
    pub sample: Option<SourceObjectView>,
    /// How long the test took.
    pub milliseconds: u64,
    /// What is wrong with it.
    pub error: Option<SourceErrorView>,
}

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SourceError)]
pub struct SourceErrorView {
    /// A stable name: `denied`, `not_found`, `storage_unavailable`, `invalid_settings`, `invalid_key`, `changed`.
    #[schema(example = "denied")]
    pub code: String,
    /// What the store said, without credentials.
    #[schema(example = "source \"photos\" refuses \"\": 403 Forbidden: SignatureDoesNotMatch")]
    pub detail: String,
}

impl SourceTestView {
    /// What `probe` told of `source`.
    pub fn new(source: &Source, probe: Probe) -> Self {
        let error = probe
            .error
            .map(|error| SourceErrorView { code: error.code().to_owned(), detail: error.to_string() });
        Self {
            ok: error.is_none(),
            location: source.location().to_owned(),
            objects_seen: probe.objects_seen,
            complete: probe.complete,
            sample: probe.sample.map(SourceObjectView::from),
            milliseconds: u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX),
            error,
        }
    }
}

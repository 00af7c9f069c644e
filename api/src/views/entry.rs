//! Entries of an index as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::db::gallery::Entry;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::index::class_name;
use super::model::hex;

/// One indexed picture.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryView {
    /// Its id.
    pub entry_id: Uuid,
    /// Where it was read from, as `source/key`.
    #[schema(example = "photos/gallery/t1.jpg")]
    pub uri: String,
    /// Its most probable class.
    #[schema(example = "teapot")]
    pub class: String,
    /// Upright width in pixels.
    pub width: i32,
    /// Upright height in pixels.
    pub height: i32,
    /// Size of the file.
    pub bytes: i64,
    /// SHA-256 of the file, in hexadecimal.
    pub content_hash: String,
    /// Fingerprint of what the picture shows, 16 hexadecimal digits: near-duplicates differ in few bits.
    #[schema(example = "c3e1f0783c1e0f87")]
    pub perceptual_hash: Option<String>,
    /// What the submitter said of it.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// When it was indexed.
    pub indexed_at: DateTime<Utc>,
    /// A small JPEG of it.
    #[schema(example = "/v1/indexes/gallery/entries/0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10/thumbnail")]
    pub thumbnail: String,
    /// The picture itself, from its source.
    #[schema(example = "/v1/indexes/gallery/entries/0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10/image")]
    pub image: String,
}

impl EntryView {
    /// An entry of `index`, whose model has these classes.
    pub fn of(index: &str, classes: &[String], entry: Entry) -> Self {
        let path = format!("/v1/indexes/{index}/entries/{}", entry.entry_id);
        Self {
            entry_id: entry.entry_id,
            uri: entry.uri,
            class: class_name(classes, entry.class_id),
            width: entry.width,
            height: entry.height,
            bytes: entry.bytes,
            content_hash: hex(&entry.content_hash),
            perceptual_hash: entry.perceptual_hash.map(|hash| format!("{:016x}", hash.cast_unsigned())),
            metadata: entry.metadata,
            indexed_at: entry.indexed_at,
            thumbnail: format!("{path}/thumbnail"),
            image: format!("{path}/image"),
        }
    }
}

//! Uploads as they travel.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lookalike_shared::storage::Object;
use serde::Serialize;
use utoipa::ToSchema;

/// A set of uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UploadSet)]
pub struct UploadSetView {
    /// Its name.
    #[schema(example = "teapots")]
    pub name: String,
    /// The source to read it from.
    #[schema(example = "uploads")]
    pub source: String,
    /// The prefix in that source.
    #[schema(example = "teapots/")]
    pub prefix: String,
}

/// One file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UploadedFile)]
pub struct UploadedFileView {
    /// Where it is in its set.
    #[schema(example = "teapot/blue one.jpg")]
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was uploaded.
    pub modified_at: DateTime<Utc>,
    /// What tells its versions apart.
    pub etag: String,
}

impl UploadedFileView {
    /// A file of `set`, from the uploads source's object.
    pub fn of(set: &str, object: Object) -> Self {
        let path = object.key.strip_prefix(set).unwrap_or(&object.key).trim_start_matches('/').to_owned();
        Self { path, bytes: object.size, modified_at: object.modified, etag: object.etag }
    }
}

/// A page of a set's files, and counts of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UploadedFiles)]
pub struct UploadedFilesView {
    /// The set.
    pub name: String,
    /// Files of the whole set.
    pub files: u64,
    /// Bytes of the whole set.
    pub bytes: u64,
    /// Files per folder; of a labelled set, pictures per class. `""` is the set itself.
    pub folders: BTreeMap<String, u64>,
    /// The files of this page, by path.
    pub items: Vec<UploadedFileView>,
    /// Ask with it for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A file that was stored by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StoredFile)]
pub struct StoredFileView {
    /// The set.
    pub name: String,
    /// Where it is in the set.
    #[schema(example = "teapot/blue one.jpg")]
    pub path: String,
    /// Where jobs find it, as `source/key`.
    #[schema(example = "uploads/teapots/teapot/blue one.jpg")]
    pub uri: String,
    /// Its size.
    pub bytes: u64,
}

/// What became of an upload of several files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UploadReport)]
pub struct UploadReportView {
    /// The set.
    pub name: String,
    /// Files that were stored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were left out, with the reason; at most 1000 are listed.
    pub skipped: Vec<SkippedFileView>,
    /// How many were left out.
    pub skipped_total: u64,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SkippedFile)]
pub struct SkippedFileView {
    /// Its name, as it was sent.
    #[schema(example = "../escape.jpg")]
    pub path: String,
    /// Why.
    #[schema(example = "the path has an empty part, '.' or '..'")]
    pub reason: String,
}

impl UploadReportView {
    /// The most left-out files that are listed.
    const MAX_LISTED: usize = 1_000;

    /// Nothing stored yet.
    pub fn of(set: &str) -> Self {
        Self { name: set.to_owned(), ..Self::default() }
    }

    /// Counts a stored file.
    pub fn store(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// Counts a file that was left out.
    pub fn skip(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.skipped_total += 1;
        if self.skipped.len() < Self::MAX_LISTED {
            self.skipped.push(SkippedFileView { path: path.into(), reason: reason.into() });
        }
    }
}

/// The parts of an upload, `multipart/form-data`.
#[derive(Debug, ToSchema)]
#[schema(as = Upload)]
#[expect(dead_code, reason = "it documents the parts, which are read one by one")]
pub struct UploadForm {
    /// Any number of files, under any part name.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
    /// Where the file after this part goes, instead of its file name.
    #[schema(example = "teapot/blue one.jpg")]
    path: Option<String>,
}

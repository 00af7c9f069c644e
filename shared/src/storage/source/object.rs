//! What a source holds: objects, and the folders that their keys make.

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;

/// An object of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key, relative to the source.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it last changed.
    pub modified: DateTime<Utc>,
    /// What tells its versions apart: the store's etag without quotes, or size and time. Empty for what cannot be read.
    pub etag: String,
}

/// What lies directly under a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The folders, by name.
    pub folders: Vec<Folder>,
    /// The objects, by key.
    pub objects: Vec<Object>,
}

/// A folder of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its prefix, with a `/` at the end.
    pub prefix: String,
}

impl Object {
    /// Whether there is only a name: of what no key can name, leads out of the source, or may not be looked at. A folder
    /// that may not be looked into is one as well, so that what lies below it is known to be unknown.
    pub fn is_unreadable(&self) -> bool {
        self.etag.is_empty()
    }

    pub(super) fn unreadable(key: String) -> Self {
        Self { key, size: 0, modified: DateTime::UNIX_EPOCH, etag: String::new() }
    }

    /// A list of Azure has etags without quotes and an answer has them with quotes, so both are kept without.
    pub(super) fn of_bucket(key: String, meta: &ObjectMeta) -> Self {
        let own = meta.e_tag.as_deref().map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
        let (size, modified) = (meta.size, meta.last_modified);
        let etag =
            own.filter(|etag| !etag.is_empty()).map_or_else(|| weak(size, modified), ToOwned::to_owned);
        Self { key, size, modified, etag }
    }

    /// Whether `self`, as it was listed, is the version that `found` was read of. A store may have etags in answers
    /// and none in lists.
    pub(super) fn is(&self, found: &Self) -> bool {
        self.size == found.size && (self.etag == found.etag || self.etag == weak(found.size, found.modified))
    }

    /// `found`, told like `self`, which was listed by the same store.
    pub(super) fn like(&self, found: Self) -> Self {
        if self.etag == weak(self.size, self.modified) {
            return Self { etag: weak(found.size, found.modified), ..found };
        }
        found
    }
}

/// What tells versions apart where a bucket has no etags: lists have finer times than answers, so seconds.
fn weak(size: u64, modified: DateTime<Utc>) -> String {
    format!("{size}-{}", modified.timestamp())
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;

    fn meta(size: u64, milliseconds: i64, etag: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            location: Path::from("a"),
            last_modified: DateTime::from_timestamp_millis(milliseconds).unwrap(),
            size,
            e_tag: etag.map(ToOwned::to_owned),
            version: None,
        }
    }

    #[test]
    fn versions_are_told_apart_whatever_a_store_tells_of_them() {
        let object = |size, at, etag| Object::of_bucket("a".to_owned(), &meta(size, at, etag));
        assert!(object(1, 5, Some("x")).is(&object(1, 0, Some("\"x\""))));
        assert!(object(1, 5, Some("\"x\"")).is(&object(1, 0, Some("W/\"x\""))));
        assert!(!object(1, 5, Some("x")).is(&object(1, 5, Some("y"))));
        assert!(!object(1, 5, Some("x")).is(&object(2, 5, Some("x"))));
        let listed = object(1, 1_234, None);
        assert!(listed.is(&object(1, 1_000, Some("x"))), "lists may lack etags");
        assert!(!listed.is(&object(1, 2_000, Some("x"))));
        assert_eq!(listed.like(object(1, 2_000, Some("x"))), object(1, 2_000, None));
    }
}

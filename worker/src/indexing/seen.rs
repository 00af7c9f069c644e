//! What a job that follows a source has met, so that the rest can be removed.

use std::sync::{Mutex, MutexGuard};

use lookalike_shared::db::gallery::{ManifestRow, list_manifest};
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::storage::Object;
use roaring::RoaringTreemap;

/// Parts of a source that cannot be looked into and are remembered one by one; beyond that nothing is removed.
const MOST_BLIND: usize = 10_000;

/// Rows of the manifest looked at by one statement, and removed by one transaction at most.
const PAGE: i64 = 2_000;

/// The rows of a manifest that a job has met: about two bits a row, whatever their number.
#[derive(Debug, Default)]
pub struct Seen {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rows: RoaringTreemap,
    /// Uris of what the listing could not look at.
    blind: Vec<String>,
    objects: u64,
}

impl Seen {
    /// Notes rows whose objects are there.
    pub fn add<'a>(&self, rows: impl IntoIterator<Item = &'a ManifestRow>) {
        let mut inner = self.lock();
        rows.into_iter().for_each(|row| _ = inner.rows.insert(row.seq.unsigned_abs()));
    }

    /// Notes an object as it was listed: one without an etag could not be looked at, nor what may lie below it.
    pub fn note(&self, uri: &str, object: &Object) {
        let mut inner = self.lock();
        inner.objects += 1;
        if object.is_unreadable() && inner.blind.len() <= MOST_BLIND {
            inner.blind.push(uri.to_owned());
        }
    }

    /// Objects listed.
    pub fn objects(&self) -> u64 {
        self.lock().objects
    }

    /// Whether the object of a row was not listed, and would have been were it there.
    pub fn misses(&self, row: &ManifestRow) -> bool {
        let inner = self.lock();
        let below =
            |folder: &String| row.uri.strip_prefix(&**folder).is_some_and(|rest| rest.starts_with('/'));
        !inner.rows.contains(row.seq.unsigned_abs())
            && inner.blind.len() <= MOST_BLIND
            && !inner.blind.iter().any(|blind| row.uri == *blind || below(blind))
    }

    /// Looks at the next rows of a manifest under a uri prefix, after `after`, up to `horizon`, and gives those that are
    /// missed; none at all when there are no more rows.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn next_missed(
        &self,
        db: &PgPool,
        generation: i32,
        uri_prefix: &str,
        horizon: i64,
        after: &mut String,
    ) -> Result<Option<Vec<ManifestRow>>, DbError> {
        let rows = list_manifest(db, generation, uri_prefix, after, horizon, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        after.clone_from(&last.uri);
        Ok(Some(rows.into_iter().filter(|row| self.misses(row)).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn row(seq: i64, uri: &str) -> ManifestRow {
        let (entry_id, written_by) = (Uuid::nil(), Uuid::nil());
        ManifestRow {
            seq,
            uri: uri.to_owned(),
            entry_id,
            class_id: 0,
            bytes: 1,
            etag: "1".to_owned(),
            written_by,
        }
    }

    #[test]
    fn what_was_not_listed_is_missed_unless_it_lies_where_nothing_could_be_seen() {
        let seen = Seen::default();
        seen.add([&row(1, "p/a.jpg")]);
        let locked =
            Object { key: "locked".to_owned(), size: 0, modified: DateTime::UNIX_EPOCH, etag: String::new() };
        seen.note("p/locked", &locked);
        assert!(!seen.misses(&row(1, "p/a.jpg")));
        assert!(seen.misses(&row(2, "p/b.jpg")));
        assert!(!seen.misses(&row(3, "p/locked")) && !seen.misses(&row(4, "p/locked/c.jpg")));
        assert!(seen.misses(&row(5, "p/locked2/c.jpg")));
        assert_eq!(seen.objects(), 1);
    }
}

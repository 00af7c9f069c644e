//! The manifest of a generation: what was indexed of which object.
//!
//! `seq` numbers rows in the order in which they were made: a job that follows a source marks, by number, what it has
//! met, and removes those rows below its horizon that it has not, without writing anything for what has not changed.
//! Uris are compared byte by byte (`collate "C"`), so that what lies under a prefix is a range of the key.

use sqlx::{AssertSqlSafe, FromRow, PgExecutor};
use uuid::Uuid;

use super::super::DbError;

/// What is known of an object that was indexed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ManifestRow {
    /// Its number in this manifest.
    pub seq: i64,
    /// `source/key`.
    pub uri: String,
    /// Its entry.
    pub entry_id: Uuid,
    /// Its entry's partition.
    pub class_id: i32,
    /// Size of the file.
    pub bytes: i64,
    /// What tells the object's versions apart.
    pub etag: String,
    /// The job that stored it.
    pub written_by: Uuid,
}

const COLUMNS: &str = "seq, uri, entry_id, class_id, bytes, etag, written_by";

/// The manifest's rows of these objects.
///
/// # Errors
/// [`DbError`].
pub async fn find_manifest(
    db: impl PgExecutor<'_>,
    generation: i32,
    uris: &[String],
) -> Result<Vec<ManifestRow>, DbError> {
    let sql = format!("select {COLUMNS} from gallery.m{generation} where uri = any($1)");
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(uris).fetch_all(db).await?)
}

/// How many entries lie in each folder (the uri up to its last `/`, and that), by class.
///
/// # Errors
/// [`DbError`].
pub async fn count_by_folder(
    db: impl PgExecutor<'_>,
    generation: i32,
) -> Result<Vec<(String, i32, i64)>, DbError> {
    let sql = format!(
        "select substring(uri from '^.*/') as folder, class_id, count(*) from gallery.m{generation} group by 1, 2"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?)
}

/// The number of the newest row: rows that come later have greater ones.
///
/// # Errors
/// [`DbError`].
pub async fn find_horizon(db: impl PgExecutor<'_>, generation: i32) -> Result<i64, DbError> {
    // What the sequence has given out, committed or not; a look at the rows would read them all.
    let sql = format!(
        "select coalesce(pg_sequence_last_value(pg_get_serial_sequence('gallery.m{generation}', 'seq')::regclass), 0)"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(db).await?)
}

/// Up to `limit` of the manifest's rows under a uri prefix, by uri after `after`, that are not newer than `horizon`.
///
/// # Errors
/// [`DbError`].
pub async fn list_manifest(
    db: impl PgExecutor<'_>,
    generation: i32,
    uri_prefix: &str,
    after: &str,
    horizon: i64,
    limit: i64,
) -> Result<Vec<ManifestRow>, DbError> {
    let sql = format!(
        r#"select {COLUMNS} from gallery.m{generation}
           where uri collate "C" >= $1 and uri collate "C" > $2 and uri collate "C" < $3 and starts_with(uri, $1)
             and seq <= $4
           order by uri collate "C" limit $5"#
    );
    // Greater than every text that starts with the prefix.
    let end = format!("{uri_prefix}{}", char::MAX);
    let rows =
        sqlx::query_as(AssertSqlSafe(sql)).bind(uri_prefix).bind(after).bind(end).bind(horizon).bind(limit);
    Ok(rows.fetch_all(db).await?)
}

/// The uris of a generation's manifest after `after`, in order: what a rebuild indexes again.
///
/// # Errors
/// [`DbError`].
pub async fn list_uris(
    db: impl PgExecutor<'_>,
    generation: i32,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, DbError> {
    let sql = format!(
        r#"select uri from gallery.m{generation} where uri collate "C" > $1 order by uri collate "C" limit $2"#
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(db).await?)
}

//! The vectors: one table per generation, partitioned by class, made and dropped with the generation.
//!
//! For generation 7 with classes 0 and 1: `gallery.g7` (the partitioned parent), its leaves `gallery.g7_0` and
//! `gallery.g7_1`, `gallery.m7` (the manifest: what was indexed of which object) and `gallery.t7`
//! (thumbnails, apart, so that a scan of vectors does not read them), `gallery.d7` (what was deleted of late). Names are
//! made of numbers only, hence safe in SQL. A writer holds the generation's row ([`lock_generation`]) while it commits:
//! writers of one generation take turns, so that they cannot deadlock and leaf versions grow in commit order. Whoever
//! keeps a copy of a leaf brings it up to date by [`following`].

mod copy;
pub mod following;
pub mod graphs;
mod hits;
mod manifest;
mod matching;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgExecutor};
use uuid::Uuid;

use super::DbError;
use copy::copy_entries;
pub use hits::{Hit, list_hits};
pub use manifest::{ManifestRow, count_by_folder, find_horizon, find_manifest, list_manifest, list_uris};
pub use matching::{MatchQuery, Neighbour, match_entries};

/// An entry to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// Its id.
    pub id: Uuid,
    /// Its class's number, hence its partition.
    pub class_id: i32,
    /// `source/key`.
    pub uri: String,
    /// Softmax output, one value per class.
    pub probabilities: Vec<f32>,
    /// Penultimate feature, L2-normalised.
    pub embedding: Vec<f32>,
    /// Upright width in pixels.
    pub width: i32,
    /// Upright height in pixels.
    pub height: i32,
    /// Size of the file.
    pub bytes: i64,
    /// What tells the object's versions apart.
    pub etag: String,
    /// SHA-256 of the file.
    pub content_hash: [u8; 32],
    /// Fingerprint of what the picture shows: near-duplicates differ in few bits.
    pub perceptual_hash: u64,
    /// What the submitter says of it.
    pub metadata: Map<String, Value>,
    /// A small JPEG.
    pub thumbnail: Vec<u8>,
}

/// A stored entry, without its vectors.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Entry {
    /// Its id.
    pub entry_id: Uuid,
    /// Its class's number.
    pub class_id: i32,
    /// `source/key`.
    pub uri: String,
    /// Upright width in pixels.
    pub width: i32,
    /// Upright height in pixels.
    pub height: i32,
    /// Size of the file.
    pub bytes: i64,
    /// SHA-256 of the file.
    pub content_hash: Vec<u8>,
    /// Fingerprint of what the picture shows; none of entries from before it was kept.
    pub perceptual_hash: Option<i64>,
    /// What the submitter said of it.
    pub metadata: Value,
    /// When it was indexed.
    pub indexed_at: DateTime<Utc>,
}

/// Values of a probability vector from which on it lies apart from its entry.
const APART_FROM: i32 = 256;
/// Bytes of an entry beside its vectors, long uris and metadata included.
const BESIDE_VECTORS: i32 = 600;
/// The most bytes of a row that PostgreSQL leaves in its page.
const PAGE_ROW: i32 = 8_160;
/// Leaves that are made by one statement.
const LEAVES: usize = 100;

/// Makes the tables of a generation: `classes` leaves, embeddings of `embedding_dim` values.
///
/// Embeddings lie in their leaf as long as a page holds them: TOASTed ones would make an exact scan several times slower.
/// Probabilities lie beside them, where they are few; those of many classes would fill the pages that a scan of
/// embeddings reads, and leave much of each page empty.
///
/// # Errors
/// [`DbError`].
pub async fn create_tables(
    tx: &mut PgConnection,
    generation: i32,
    classes: i32,
    embedding_dim: i32,
) -> Result<(), DbError> {
    let g = generation;
    // What is larger than `target` goes apart: what is stored externally first, its largest value before others.
    let beside = BESIDE_VECTORS + 2 * embedding_dim;
    let (storage, target) = match (classes, beside) {
        (APART_FROM.., ..=PAGE_ROW) => ("main", beside),
        _ => ("external", PAGE_ROW),
    };
    let sql = format!(
        r#"create table gallery.g{g} (
             class_id integer not null, entry_id uuid not null, uri text not null,
             probabilities vector({classes}) not null, embedding halfvec({embedding_dim}) not null,
             width integer not null, height integer not null, bytes bigint not null,
             content_hash bytea not null, perceptual_hash bigint not null, metadata jsonb not null,
             indexed_at timestamptz not null default now(), version bigint not null,
             primary key (class_id, entry_id)
         ) partition by list (class_id);
         create index g{g}_version on gallery.g{g} (version);
         alter table gallery.g{g} alter column embedding set storage {storage};
         create table gallery.m{g} (
             uri text collate "C" primary key, entry_id uuid not null unique, class_id integer not null,
             bytes bigint not null, etag text not null, written_by uuid not null,
             seq bigint not null generated always as identity
         );
         create table gallery.d{g} (
             class_id integer not null, version bigint not null, entry_id uuid not null,
             at timestamptz not null default now(), primary key (class_id, version, entry_id)
         );
         create table gallery.t{g} (entry_id uuid primary key, thumbnail bytea not null);
         alter table gallery.t{g} alter column thumbnail set storage external"#
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    let leaves: Vec<i32> = (0..classes).collect();
    for leaves in leaves.chunks(LEAVES) {
        let leaf = |class: &i32| {
            format!(
                "create table gallery.g{g}_{class} partition of gallery.g{g} for values in ({class})
                     with (toast_tuple_target = {target});"
            )
        };
        let sql: String = leaves.iter().map(leaf).collect();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Drops the tables of a generation, if they are there.
///
/// # Errors
/// [`DbError`].
pub async fn drop_tables(tx: &mut PgConnection, generation: i32) -> Result<(), DbError> {
    let g = generation;
    let sql = format!("drop table if exists gallery.g{g}, gallery.m{g}, gallery.t{g}, gallery.d{g}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

/// Takes a generation's row for this transaction. None when it is gone; else its state.
///
/// # Errors
/// [`DbError`].
pub async fn lock_generation(tx: &mut PgConnection, generation: i32) -> Result<Option<String>, DbError> {
    let state = sqlx::query_scalar!("select state from generations where id = $1 for update", generation);
    Ok(state.fetch_optional(tx).await?)
}

/// Stores entries in the place of others, named by partition and id; both may be none. Whatever else is stored of their
/// objects must be among those that go. Leaves that are touched count up their versions, in class order. `job` is who
/// stores them. Gives how many went.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn replace_entries(
    tx: &mut PgConnection,
    generation: i32,
    gone: &[(i32, Uuid)],
    entries: &[NewEntry],
    job: Uuid,
) -> Result<u64, DbError> {
    let came = entries.iter().map(|entry| (entry.class_id, 1));
    let went = gone.iter().map(|(class, _)| (*class, -1));
    let changes: Vec<(i32, i64)> = came.chain(went).collect();
    if changes.is_empty() {
        return Ok(0);
    }
    let versions = bump_partitions(&mut *tx, generation, &changes).await?;
    let mut deleted = 0;
    if !gone.is_empty() {
        deleted = delete_vectors(&mut *tx, generation, gone, &versions).await?;
        let ids: Vec<Uuid> = gone.iter().map(|(_, id)| *id).collect();
        forget_entries(&mut *tx, generation, &ids).await?;
    }
    copy_entries(tx, generation, entries, &versions, job).await?;
    Ok(deleted)
}

/// Deletes what is stored of entries, named by partition and id: vectors, thumbnails, manifest. Gives how many there were.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn delete_entries(
    tx: &mut PgConnection,
    generation: i32,
    entries: &[(i32, Uuid)],
) -> Result<u64, DbError> {
    replace_entries(tx, generation, entries, &[], Uuid::nil()).await
}

/// Deletes vectors, named by partition and id, and notes that they went.
async fn delete_vectors(
    db: impl PgExecutor<'_>,
    generation: i32,
    entries: &[(i32, Uuid)],
    versions: &HashMap<i32, i64>,
) -> Result<u64, DbError> {
    let sql = format!(
        "with gone as (
             delete from gallery.g{generation} g using unnest($1::int[], $2::uuid[]) as d (class_id, entry_id)
             where g.class_id = d.class_id and g.entry_id = d.entry_id returning g.class_id, g.entry_id
         )
         insert into gallery.d{generation} (class_id, version, entry_id)
         select class_id, v.version, entry_id
         from gone join unnest($3::int[], $4::bigint[]) as v (class_id, version) using (class_id)"
    );
    let (classes, versions): (Vec<i32>, Vec<i64>) = versions.iter().unzip();
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(entries.iter().map(|(class, _)| *class).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .bind(classes)
        .bind(versions);
    Ok(done.execute(db).await?.rows_affected())
}

/// Deletes the manifest's rows and thumbnails of entries whose vectors were deleted.
///
/// # Errors
/// [`DbError`].
async fn forget_entries(db: impl PgExecutor<'_>, generation: i32, entries: &[Uuid]) -> Result<(), DbError> {
    let sql = format!(
        "with thumbnails as (delete from gallery.t{generation} where entry_id = any($1))
         delete from gallery.m{generation} where entry_id = any($1)"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(entries).execute(db).await?;
    Ok(())
}

/// Counts up the version of every leaf a transaction touches and changes its number of rows, in class order. Gives the new
/// versions by class.
async fn bump_partitions(
    db: impl PgExecutor<'_>,
    generation: i32,
    changes: &[(i32, i64)],
) -> Result<HashMap<i32, i64>, DbError> {
    let classes: Vec<i32> = changes.iter().map(|(class, _)| *class).collect();
    let rows: Vec<i64> = changes.iter().map(|(_, rows)| *rows).collect();
    let bumped = sqlx::query!(
        "update partitions p set version = p.version + 1, rows = p.rows + c.rows
         from (select class_id, sum(rows)::bigint as rows from unnest($2::int[], $3::bigint[]) as c (class_id, rows)
               group by class_id order by class_id) c
         where p.generation = $1 and p.class_id = c.class_id
         returning p.class_id, p.version",
        generation,
        &classes,
        &rows,
    );
    Ok(bumped.fetch_all(db).await?.into_iter().map(|row| (row.class_id, row.version)).collect())
}

/// Empties a generation: vectors, manifest, thumbnails and counts.
///
/// # Errors
/// [`DbError`].
pub async fn clear_generation(tx: &mut PgConnection, generation: i32) -> Result<(), DbError> {
    let g = generation;
    let sql = format!("truncate gallery.g{g}, gallery.m{g}, gallery.t{g}, gallery.d{g}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    // Filling an empty leaf is far faster without.
    graphs::drop_graphs(&mut *tx, generation).await?;
    let clear = sqlx::query!(
        "update partitions set version = version + 1, deletions_since = version + 1, rows = 0, has_graph = false
         where generation = $1",
        generation
    );
    clear.execute(tx).await?;
    Ok(())
}

/// Tells the planner what a generation's tables hold, after much of it has changed. To be called outside of a transaction.
///
/// # Errors
/// [`DbError`].
pub async fn analyze_tables(db: impl PgExecutor<'_>, generation: i32) -> Result<(), DbError> {
    let g = generation;
    // A leaf whose graph is being built tells the planner itself, when it is done.
    let sql = format!("analyze (skip_locked) gallery.g{g}, gallery.m{g}, gallery.t{g}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

/// The entries of a generation by id, of one class or of all, after `after`. Costs a page, whatever the
/// generation's size: a leaf is read in the order of its key, all of them in the order of the manifest's.
///
/// # Errors
/// [`DbError`].
pub async fn list_entries(
    db: impl PgExecutor<'_>,
    generation: i32,
    class: Option<i32>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Entry>, DbError> {
    const COLUMNS: &str = "g.entry_id, g.class_id, g.uri, g.width, g.height, g.bytes, g.content_hash, g.perceptual_hash, g.metadata, g.indexed_at";
    let sql = match class {
        Some(_) => format!(
            "select {COLUMNS} from gallery.g{generation} g
             where class_id = $3 and entry_id > $1 order by entry_id limit $2"
        ),
        None => format!(
            "select {COLUMNS}
             from (select class_id, entry_id from gallery.m{generation}
                   where entry_id > $1 and $3::int is null order by entry_id limit $2) m
             join gallery.g{generation} g using (class_id, entry_id) order by entry_id"
        ),
    };
    let after = after.unwrap_or(Uuid::nil());
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(limit).bind(class).fetch_all(db).await?)
}

/// The entry of that id.
///
/// # Errors
/// [`DbError`].
pub async fn find_entry(
    db: impl PgExecutor<'_>,
    generation: i32,
    id: Uuid,
) -> Result<Option<Entry>, DbError> {
    let sql = format!(
        "select g.entry_id, g.class_id, g.uri, g.width, g.height, g.bytes, g.content_hash, g.perceptual_hash, g.metadata, g.indexed_at
         from gallery.m{generation} m join gallery.g{generation} g using (class_id, entry_id) where m.entry_id = $1"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(db).await?)
}

/// The vectors of an entry: probabilities and embedding.
///
/// # Errors
/// [`DbError`].
pub async fn find_vectors(
    db: impl PgExecutor<'_>,
    generation: i32,
    id: Uuid,
) -> Result<Option<(Vec<f32>, Vec<f32>)>, DbError> {
    let sql = format!(
        "select g.probabilities::real[], g.embedding::vector::real[]
         from gallery.m{generation} m join gallery.g{generation} g using (class_id, entry_id) where m.entry_id = $1"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(db).await?)
}

/// The thumbnail of an entry, a JPEG.
///
/// # Errors
/// [`DbError`].
pub async fn find_thumbnail(
    db: impl PgExecutor<'_>,
    generation: i32,
    id: Uuid,
) -> Result<Option<Vec<u8>>, DbError> {
    let sql = format!("select thumbnail from gallery.t{generation} where entry_id = $1");
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_optional(db).await?)
}

//! How generations take each other's place: filled beside the active one, made ready, activated, retired, dropped.
//!
//! A swap is a few rows in one short transaction and never touches a table of vectors, so no search waits for it.
//! What a swap leaves too many of is marked `dropping`; its tables go in a transaction of their own that gives up
//! soon when a statement reads them ([`drop_unused`]) and is tried again by maintenance. Lock order: the index's row,
//! its generations' rows by id, then the tables `m`, `g`, `t`, which is the order that readers take them in.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::gallery::{self, ManifestRow};
use super::indexes::{self, Generation};
use super::{DbError, begin, commit};
use crate::domain::generation::{GenerationState, READY_DAYS};
use crate::domain::job::JobId;

/// How long a drop waits for statements that read a table. Only what read the generation's number before the swap can
/// come to wait behind it, as long.
pub const DROP_PATIENCE: Duration = Duration::from_millis(200);
/// How long it is noted what was deleted. Who has not searched an index for longer reads its partitions anew.
const DELETIONS_MINUTES: i32 = 60;

/// The active generation of an index as it was at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The generation.
    pub generation: i32,
    /// The sum of its leaves' versions: changes with every commit that adds or removes entries.
    pub version: i64,
}

/// The active generation of an index and how far it has come.
///
/// # Errors
/// [`DbError`].
pub async fn find_standing(db: impl PgExecutor<'_>, index: Uuid) -> Result<Option<Standing>, DbError> {
    let row = sqlx::query_as!(
        Standing,
        r#"select g.id as generation,
                  coalesce((select sum(p.version) from partitions p where p.generation = g.id), 0)::bigint as "version!"
           from generations g where g.index_id = $1 and g.state = 'active'"#,
        index,
    );
    Ok(row.fetch_optional(db).await?)
}

/// The generation of that number, if it is the index's.
///
/// # Errors
/// [`DbError`].
pub async fn find_generation(
    db: impl PgExecutor<'_>,
    index: Uuid,
    id: i32,
) -> Result<Option<Generation>, DbError> {
    Ok(indexes::list_generations(db, index).await?.into_iter().find(|generation| generation.id == id))
}

/// Takes the rows of all generations of an index for this transaction, by id: no batch is committed into any of them
/// until it ends. The index's row is held already.
///
/// # Errors
/// [`DbError`].
pub async fn lock_generations(
    tx: &mut PgConnection,
    index: Uuid,
) -> Result<Vec<(i32, GenerationState)>, DbError> {
    let rows =
        sqlx::query!("select id, state from generations where index_id = $1 order by id for update", index);
    let rows = rows.fetch_all(tx).await?;
    rows.into_iter().map(|row| Ok((row.id, row.state.parse()?))).collect()
}

/// Marks a generation that was filled as one that can be activated. False when it is not being built any more.
///
/// # Errors
/// [`DbError`].
pub async fn mark_ready(db: impl PgExecutor<'_>, id: i32) -> Result<bool, DbError> {
    let ready = sqlx::query!(
        "update generations set state = 'ready', ready_at = now() where id = $1 and state = 'building'",
        id
    );
    Ok(ready.execute(db).await?.rows_affected() > 0)
}

/// Marks what an index keeps no longer: retired generations beyond `keep_generations`, those active last kept, and
/// ready ones that nobody activated for [`READY_DAYS`] days. Gives their numbers.
///
/// # Errors
/// [`DbError`].
pub async fn mark_surplus(db: impl PgExecutor<'_>, index: Uuid) -> Result<Vec<i32>, DbError> {
    let ids = sqlx::query_scalar!(
        "update generations set state = 'dropping' where id in (
             select r.id from indexes i, (
                 select id, row_number() over (order by activated_at desc nulls last, id desc) as place
                 from generations where index_id = $1 and state = 'retired') r
             where i.id = $1 and r.place > i.keep_generations
             union all
             select id from generations
             where index_id = $1 and state = 'ready' and ready_at < now() - make_interval(days => $2))
         returning id",
        index,
        READY_DAYS,
    );
    Ok(ids.fetch_all(db).await?)
}

/// Marks a generation as one to go. False when it is active, or on its way already.
///
/// # Errors
/// [`DbError`].
pub async fn mark_dropping(db: impl PgExecutor<'_>, id: i32) -> Result<bool, DbError> {
    let mark = sqlx::query!(
        "update generations set state = 'dropping' where id = $1 and state in ('building', 'ready', 'retired')",
        id
    );
    Ok(mark.execute(db).await?.rows_affected() > 0)
}

/// The job that fills a generation and has not ended.
///
/// # Errors
/// [`DbError`].
pub async fn find_filler(db: impl PgExecutor<'_>, id: i32) -> Result<Option<JobId>, DbError> {
    let job = sqlx::query_scalar!(
        "select id from jobs
         where finished_at is null and kind in ('index', 'rebuild') and (checkpoint ->> 'generation')::int = $1 limit 1",
        id,
    );
    Ok(job.fetch_optional(db).await?.map(JobId))
}

/// What the tables of generations take on disk, indexes and TOAST included, in bytes.
///
/// # Errors
/// [`DbError`].
pub async fn list_sizes(db: impl PgExecutor<'_>, generations: &[i32]) -> Result<Vec<(i32, i64)>, DbError> {
    let rows = sqlx::query!(
        r#"select t.generation as "generation!", coalesce(sum(pg_total_relation_size(t.oid)), 0)::bigint as "bytes!"
           from (select c.oid, substring(c.relname from '^[gmt]([0-9]+)(?:_[0-9]+)?$')::int as generation
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'gallery' and c.relkind = 'r') t
           where t.generation = any($1) group by t.generation"#,
        generations,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.generation, row.bytes)).collect())
}

/// The uris after `after` that one generation holds and another does not, but for those that `job` failed with: what
/// came to the active generation while the other was filled.
///
/// # Errors
/// [`DbError`].
pub async fn list_missing(
    db: impl PgExecutor<'_>,
    active: i32,
    filled: i32,
    job: JobId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, DbError> {
    let sql = format!(
        r#"select a.uri from gallery.m{active} a
         where a.uri > $1 and not exists (select from gallery.m{filled} f where f.uri = a.uri)
           and not exists (select from job_items i where i.job_id = $2 and i.uri collate "C" = a.uri)
         order by a.uri limit $3"#
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(after).bind(job.0).bind(limit).fetch_all(db).await?)
}

/// Up to `limit` of the manifest's rows of one generation whose uris the active one holds no longer.
///
/// # Errors
/// [`DbError`].
pub async fn list_left_over(
    db: impl PgExecutor<'_>,
    active: i32,
    filled: i32,
    limit: i64,
) -> Result<Vec<ManifestRow>, DbError> {
    let sql = format!(
        "select f.seq, f.uri, f.entry_id, f.class_id, f.bytes, f.etag, f.written_by from gallery.m{filled} f
         where not exists (select from gallery.m{active} a where a.uri = f.uri) order by f.uri limit $1"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(limit).fetch_all(db).await?)
}

/// Empties a generation whose row this transaction holds. Waits for whoever reads its tables, as [`limit_lock_waits`]
/// allows.
///
/// # Errors
/// [`DbError`].
pub async fn clear_entries(tx: &mut PgConnection, generation: i32) -> Result<(), DbError> {
    lock_tables(&mut *tx, generation).await?;
    gallery::clear_generation(tx, generation).await
}

/// Drops every generation that is to go, or that a rebuild began and ended without, unless a statement reads it; gives
/// the numbers of those that went. Costs nothing when there is none.
///
/// # Errors
/// [`DbError`].
pub async fn drop_unused(pool: &PgPool) -> Result<Vec<i32>, DbError> {
    let marked = sqlx::query_scalar!("select id from generations where state = 'dropping' order by id");
    let unused = [marked.fetch_all(pool).await?, indexes::list_abandoned(pool).await?].concat();
    let mut dropped = Vec::new();
    for id in unused {
        let mut tx = begin(pool).await?;
        match drop_if_unused(&mut tx, id).await {
            Ok(true) => {
                commit(tx).await?;
                dropped.push(id);
            }
            Ok(false) => {}
            // Another time.
            Err(error) if error.is_lock_timeout() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}

async fn drop_if_unused(tx: &mut PgConnection, id: i32) -> Result<bool, DbError> {
    limit_lock_waits(&mut *tx, DROP_PATIENCE).await?;
    // Judged again: a rebuild that was tried again meanwhile goes on with its generation.
    let unused = sqlx::query_scalar!(
        "select id from generations g
         where g.id = $1 and (g.state = 'dropping' or g.state = 'building' and not exists (
             select from jobs j
             where j.kind = 'rebuild' and j.finished_at is null and (j.checkpoint ->> 'generation')::int = g.id))
         for update",
        id,
    );
    if unused.fetch_optional(&mut *tx).await?.is_none() {
        return Ok(false);
    }
    lock_tables(&mut *tx, id).await?;
    gallery::drop_tables(&mut *tx, id).await?;
    indexes::delete_generation(tx, id).await?;
    Ok(true)
}

/// Throws away notes of deletions that are older than any follower that keeps up needs; gives how many.
///
/// # Errors
/// [`DbError`].
pub async fn forget_deletions(pool: &PgPool) -> Result<u64, DbError> {
    let ids = sqlx::query_scalar!("select id from generations where state <> 'dropping' order by id");
    let mut forgotten = 0;
    for id in ids.fetch_all(pool).await? {
        let mut tx = begin(pool).await?;
        limit_lock_waits(&mut tx, DROP_PATIENCE).await?;
        match forget_deletions_of(&mut tx, id).await {
            Ok(rows) => {
                commit(tx).await?;
                forgotten += rows;
            }
            // Another time, or never.
            Err(error) if error.is_lock_timeout() || error.is_missing_table() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

async fn forget_deletions_of(tx: &mut PgConnection, generation: i32) -> Result<u64, DbError> {
    match gallery::lock_generation(&mut *tx, generation).await? {
        Some(_) => gallery::following::forget_deleted(tx, generation, DELETIONS_MINUTES).await,
        None => Ok(0),
    }
}

/// Bounds how long any statement of this transaction waits for a lock.
///
/// # Errors
/// [`DbError`].
pub async fn limit_lock_waits(tx: &mut PgConnection, patience: Duration) -> Result<(), DbError> {
    // 0 would mean without an end.
    let patience = format!("{}ms", patience.as_millis().max(1));
    sqlx::query!("select set_config('lock_timeout', $1, true)", patience).fetch_one(tx).await?;
    Ok(())
}

/// Takes the tables of a generation, if they are there, for this transaction alone, in the order that readers take
/// them in.
pub(super) async fn lock_tables(tx: &mut PgConnection, generation: i32) -> Result<(), DbError> {
    gallery::graphs::interrupt_building(&mut *tx, generation).await?;
    let g = generation;
    let sql = format!(
        "do $$ begin
             if to_regclass('gallery.g{g}') is not null then
                 lock table gallery.m{g}, gallery.g{g}, gallery.t{g}, gallery.d{g} in access exclusive mode;
             end if;
         end $$"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

/// Whether an error tells that the generation a statement looked into was dropped: whoever read its number from the
/// index reads it again.
pub fn has_vanished(error: &DbError) -> bool {
    error.is_missing_table() || matches!(error, DbError::NotFound { what: "generation", .. })
}

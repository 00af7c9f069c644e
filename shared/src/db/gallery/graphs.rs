//! HNSW graphs of leaves that have outgrown exact search (Malkov and Yashunin, *Efficient and robust approximate nearest
//! neighbor search using Hierarchical Navigable Small World graphs*, 2016), built by pgvector beside whatever else goes on.
//!
//! A leaf is searched exactly until its graph is whole. Graphs are of embeddings: rankings by probabilities stay exact.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgExecutor, PgPool};

use super::super::{DbError, leader};

/// The most values of a `halfvec` that pgvector makes graphs of.
const MOST_VALUES: i32 = 4_000;
/// The most memory for a graph while it is built, in MB; a larger one is built on with the disk's help.
const MOST_MEMORY: i64 = 2_048;
/// The advisory lock of whoever builds a graph.
const BUILDING_LOCK: i64 = 712_096;
/// Candidates that a search through a graph keeps at least, and at most: pgvector allows no more.
const CANDIDATES: std::ops::RangeInclusive<i64> = 400..=1_000;

/// A leaf, and how far its graph is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Building {
    /// The leaf's class.
    pub class_id: i32,
    /// Share of the leaf that has been gone through, 0 to 1.
    pub progress: f64,
}

/// A leaf that is too large to be searched exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgrown {
    /// Its generation.
    pub generation: i32,
    /// Its class.
    pub class_id: i32,
    /// Its entries.
    pub rows: i64,
    /// Values of an embedding.
    pub embedding_dim: i32,
}

impl Outgrown {
    /// Memory that holds its graph while it is built, in MB: an element with its value, its neighbours (pgvector's m of 16,
    /// twice that many on the lowest level, a pointer and a distance for each) and the rest.
    fn build_memory(&self) -> i64 {
        const NEIGHBOURS: i64 = 3 * 16 * 16;
        let bytes = self.rows * (2 * i64::from(self.embedding_dim) + NEIGHBOURS + 128);
        (bytes >> 20).clamp(64, MOST_MEMORY)
    }
}

/// What became of a graph that was to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// Searches of the leaf use it now.
    Ready,
    /// Another process builds one: one at a time is enough.
    Elsewhere,
    /// The leaf is gone, or somebody needed its table and broke the building off.
    Interrupted,
}

/// The largest leaf with at least `rows` entries that has no graph and that no job is filling, but none of `except`
/// (generation, class). None where pgvector cannot search graphs with filters (before 0.8).
///
/// # Errors
/// [`DbError`].
pub async fn find_outgrown(
    db: impl PgExecutor<'_>,
    rows: i64,
    except: &[(i32, i32)],
) -> Result<Option<Outgrown>, DbError> {
    let (generations, classes): (Vec<i32>, Vec<i32>) = except.iter().copied().unzip();
    let leaf = sqlx::query_as!(
        Outgrown,
        "select p.generation, p.class_id, p.rows, m.embedding_dim
         from partitions p join generations g on g.id = p.generation join models m on m.id = g.model_id
         where p.rows >= $1 and not p.has_graph and g.state in ('active', 'ready') and m.embedding_dim <= $2
           and not exists (
               select from jobs j
               where j.finished_at is null and j.kind in ('index', 'rebuild') and (j.checkpoint ->> 'generation')::int = g.id)
           and not exists (
               select from unnest($3::int[], $4::int[]) as e (generation, class_id)
               where e.generation = p.generation and e.class_id = p.class_id)
           and exists (
               select from pg_extension
               where extname = 'vector' and string_to_array(extversion, '.')::int[] >= '{0,8}')
         order by p.rows desc limit 1",
        rows,
        MOST_VALUES,
        &generations,
        &classes,
    );
    Ok(leaf.fetch_optional(db).await?)
}

/// Builds a leaf's graph. Entries come and go meanwhile, and searches go on exactly; one processor is taken at most.
///
/// # Errors
/// [`DbError`]; another try starts over.
pub async fn build_graph(pool: &PgPool, outgrown: &Outgrown) -> Result<Built, DbError> {
    // A session of its own: what it is set to ends with it, and so does its lock where the session breaks.
    let mut session = pool.acquire().await?.detach();
    let built = match leader::try_lock(&mut session, BUILDING_LOCK).await {
        Ok(true) => {
            let built = build(&mut session, outgrown).await;
            _ = leader::unlock(&mut session, BUILDING_LOCK).await;
            built
        }
        Ok(false) => Ok(Built::Elsewhere),
        Err(error) => Err(error),
    };
    _ = session.close().await;
    match built {
        Err(error) if error.is_interrupted() => Ok(Built::Interrupted),
        other => other,
    }
}

async fn build(session: &mut PgConnection, outgrown: &Outgrown) -> Result<Built, DbError> {
    let Outgrown { generation, class_id, .. } = *outgrown;
    let leaf = format!("g{generation}_{class_id}");
    let settings = format!(
        "set maintenance_work_mem = '{}MB'; set max_parallel_maintenance_workers = 0;
         set client_connection_check_interval = '5s'; set statement_timeout = 0",
        outgrown.build_memory()
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut *session).await?;
    // What a building that was broken off has left.
    if is_valid(&mut *session, &leaf).await? == Some(false) {
        let sql = format!("drop index concurrently if exists gallery.{leaf}_hnsw");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *session).await?;
    }
    let sql = format!(
        "create index concurrently if not exists {leaf}_hnsw on gallery.{leaf} using hnsw (embedding halfvec_l2_ops)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *session).await?;
    let analyze = format!("analyze gallery.{leaf}");
    sqlx::raw_sql(AssertSqlSafe(analyze)).execute(&mut *session).await?;
    let marked = sqlx::query!(
        "update partitions set has_graph = true where generation = $1 and class_id = $2",
        generation,
        class_id,
    );
    let there = marked.execute(&mut *session).await?.rows_affected() > 0;
    Ok(if there { Built::Ready } else { Built::Interrupted })
}

/// Whether a leaf's graph is whole; none when there is none.
async fn is_valid(db: impl PgExecutor<'_>, leaf: &str) -> Result<Option<bool>, DbError> {
    let valid = sqlx::query_scalar!(
        "select indisvalid from pg_index where indexrelid = to_regclass('gallery.' || $1 || '_hnsw')",
        leaf,
    );
    Ok(valid.fetch_optional(db).await?)
}

/// Drops the graphs of a generation, whole ones and what is left of others. The transaction holds its tables.
pub(super) async fn drop_graphs(tx: &mut PgConnection, generation: i32) -> Result<(), DbError> {
    let sql = format!(
        "do $$ declare graph text; begin
             for graph in
                 select i.indexrelid::regclass::text from partitions p
                 join pg_index i on i.indexrelid = to_regclass('gallery.g{generation}_' || p.class_id || '_hnsw')
                 where p.generation = {generation}
             loop
                 execute 'drop index ' || graph;
             end loop;
         end $$"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

/// The leaves of a generation whose graphs are being built.
///
/// # Errors
/// [`DbError`].
pub async fn list_building(db: impl PgExecutor<'_>, generation: i32) -> Result<Vec<Building>, DbError> {
    let rows = sqlx::query!(
        r#"select pt.class_id, coalesce(s.blocks_done::float8 / nullif(s.blocks_total, 0), 0) as "progress!"
           from pg_stat_progress_create_index s
           join partitions pt on s.relid = to_regclass('gallery.g' || pt.generation || '_' || pt.class_id)
           where pt.generation = $1 and s.datname = current_database() order by pt.class_id"#,
        generation,
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| Building { class_id: row.class_id, progress: row.progress }).collect())
}

/// Breaks off the building of a generation's graphs: its tables are needed whole.
///
/// # Errors
/// [`DbError`].
pub async fn interrupt_building(db: impl PgExecutor<'_>, generation: i32) -> Result<(), DbError> {
    let done = sqlx::query!(
        r#"select pg_cancel_backend(s.pid) as "done"
           from pg_stat_progress_create_index s
           join partitions pt on s.relid = to_regclass('gallery.g' || pt.generation || '_' || pt.class_id)
           where pt.generation = $1 and s.datname = current_database()"#,
        generation,
    );
    done.fetch_all(db).await?;
    Ok(())
}

/// For the rest of this transaction searches through graphs look far enough to find `k` entries, also where most entries
/// are not wanted.
///
/// # Errors
/// [`DbError`].
pub(super) async fn search_widely(tx: &mut PgConnection, k: i64) -> Result<(), DbError> {
    let candidates = (2 * k).clamp(*CANDIDATES.start(), *CANDIDATES.end()).to_string();
    let set = sqlx::query!(
        "select set_config('hnsw.ef_search', $1, true) as candidates,
                set_config('hnsw.iterative_scan', 'strict_order', true) as iterative",
        candidates,
    );
    set.fetch_one(tx).await?;
    Ok(())
}

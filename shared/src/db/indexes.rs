//! Indexes and their generations. The vectors themselves are in [`super::gallery`].

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::DbError;
use crate::domain::generation::GenerationState;
use crate::domain::name::{ModelRef, Name};

/// A named, searchable collection, with its active generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How many retired generations a swap leaves.
    pub keep_generations: i32,
    /// The generation that answers searches.
    pub generation: Option<i32>,
    /// That generation's model.
    pub model_id: Option<Uuid>,
    /// That model as `name@version`.
    pub model: Option<String>,
    /// Entries of that generation.
    pub entries: i64,
}

impl Index {
    /// Whether its model is a version of that name.
    pub fn is_of(&self, name: &Name) -> bool {
        let own = self.model.as_deref().and_then(|model| model.parse::<ModelRef>().ok());
        own.is_some_and(|own| own.name == *name)
    }
}

/// One build of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Its number, which names its tables.
    pub id: i32,
    /// Its index.
    pub index_id: Uuid,
    /// Its model.
    pub model_id: Uuid,
    /// That model as `name@version`.
    pub model: String,
    /// Where it stands.
    pub state: GenerationState,
    /// Its entries.
    pub entries: i64,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it was whole.
    pub ready_at: Option<DateTime<Utc>>,
    /// When it last became the active one.
    pub activated_at: Option<DateTime<Utc>>,
}

struct GenerationRow {
    id: i32,
    index_id: Uuid,
    model_id: Uuid,
    model: String,
    state: String,
    entries: i64,
    created_at: DateTime<Utc>,
    ready_at: Option<DateTime<Utc>>,
    activated_at: Option<DateTime<Utc>>,
}

impl TryFrom<GenerationRow> for Generation {
    type Error = DbError;

    fn try_from(row: GenerationRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id,
            index_id: row.index_id,
            model_id: row.model_id,
            model: row.model,
            state: row.state.parse()?,
            entries: row.entries,
            created_at: row.created_at,
            ready_at: row.ready_at,
            activated_at: row.activated_at,
        })
    }
}

/// Rows of one class of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The class's number.
    pub class_id: i32,
    /// Counts up with every commit that touches it.
    pub version: i64,
    /// Its entries.
    pub rows: i64,
    /// Whether searches go through its graph: it has outgrown exact search.
    pub has_graph: bool,
}

/// The index of that name.
///
/// # Errors
/// [`DbError`].
pub async fn find_index(db: impl PgExecutor<'_>, name: &Name) -> Result<Option<Index>, DbError> {
    let row = sqlx::query_file_as!(Index, "queries/indexes/list.sql", Some(name.as_str()), "", 1_i64);
    Ok(row.fetch_optional(db).await?)
}

/// The index of that name.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn get_index(db: impl PgExecutor<'_>, name: &Name) -> Result<Index, DbError> {
    find_index(db, name).await?.ok_or_else(|| DbError::not_found("index", name))
}

/// Every index, by name after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn list_indexes(db: impl PgExecutor<'_>, after: &str, limit: i64) -> Result<Vec<Index>, DbError> {
    let rows = sqlx::query_file_as!(Index, "queries/indexes/list.sql", None::<&str>, after, limit);
    Ok(rows.fetch_all(db).await?)
}

/// Makes an index.
///
/// # Errors
/// [`DbError::Conflict`] when there is one of that name.
pub async fn insert_index(db: impl PgExecutor<'_>, id: Uuid, name: &Name) -> Result<(), DbError> {
    sqlx::query!("insert into indexes (id, name) values ($1, $2)", id, name.as_str()).execute(db).await?;
    Ok(())
}

/// Takes a name for this transaction, so that two writers do not both make the index.
///
/// # Errors
/// [`DbError`].
pub async fn lock_name(tx: &mut PgConnection, name: &Name) -> Result<(), DbError> {
    sqlx::query!("select pg_advisory_xact_lock(712096, hashtext($1))", name.as_str()).execute(tx).await?;
    Ok(())
}

/// Sets how many retired generations a swap leaves. False when the index is gone.
///
/// # Errors
/// [`DbError`].
pub async fn set_keep_generations(db: impl PgExecutor<'_>, id: Uuid, count: i32) -> Result<bool, DbError> {
    let set = sqlx::query!("update indexes set keep_generations = $2 where id = $1", id, count);
    Ok(set.execute(db).await?.rows_affected() > 0)
}

/// Takes an index's row for this transaction. False when it is gone.
///
/// # Errors
/// [`DbError`].
pub async fn lock_index(tx: &mut PgConnection, id: Uuid) -> Result<bool, DbError> {
    let row = sqlx::query!("select id from indexes where id = $1 for update", id);
    Ok(row.fetch_optional(tx).await?.is_some())
}

/// Deletes an index's rows; its tables are dropped by the caller, in the same transaction.
///
/// # Errors
/// [`DbError`].
pub async fn delete_index(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, DbError> {
    Ok(sqlx::query!("delete from indexes where id = $1", id).execute(db).await?.rows_affected() > 0)
}

/// Begins a generation and gives its number; its tables are made by the caller.
///
/// # Errors
/// [`DbError`].
pub async fn insert_generation(
    db: impl PgExecutor<'_>,
    index: Uuid,
    model: Uuid,
    classes: i32,
) -> Result<i32, DbError> {
    let id = sqlx::query_scalar!(
        r#"with made as (
             insert into generations (index_id, model_id, state) values ($1, $2, 'building') returning id
         ),
         leaves as (
             insert into partitions (generation, class_id)
             select made.id, class_id from made, generate_series(0, $3 - 1) as class_id
         )
         select id from made"#,
        index,
        model,
        classes,
    );
    Ok(id.fetch_one(db).await?)
}

/// Makes a generation the active one and retires the one before. What the swap leaves too many of is marked by
/// [`super::generations::mark_surplus`].
///
/// # Errors
/// [`DbError`].
pub async fn activate_generation(tx: &mut PgConnection, index: Uuid, generation: i32) -> Result<(), DbError> {
    let retire = sqlx::query!(
        "update generations set state = 'retired' where index_id = $1 and state = 'active' and id <> $2",
        index,
        generation
    );
    retire.execute(&mut *tx).await?;
    let activate = sqlx::query!(
        "update generations set state = 'active', activated_at = now(), ready_at = coalesce(ready_at, now())
         where id = $1 and index_id = $2",
        generation,
        index
    );
    activate.execute(&mut *tx).await?;
    Ok(())
}

/// The generations of an index, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_generations(db: impl PgExecutor<'_>, index: Uuid) -> Result<Vec<Generation>, DbError> {
    list_in_state(db, &[index], None).await
}

/// The generations that are being built, of these indexes, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn list_building(db: impl PgExecutor<'_>, indexes: &[Uuid]) -> Result<Vec<Generation>, DbError> {
    list_in_state(db, indexes, Some(GenerationState::Building)).await
}

async fn list_in_state(
    db: impl PgExecutor<'_>,
    indexes: &[Uuid],
    state: Option<GenerationState>,
) -> Result<Vec<Generation>, DbError> {
    let rows = sqlx::query_as!(
        GenerationRow,
        r#"select g.id, g.index_id, g.model_id, m.name || '@' || m.version as "model!", g.state, g.created_at,
                  g.ready_at, g.activated_at,
                  (select coalesce(sum(rows), 0)::bigint from partitions p where p.generation = g.id) as "entries!"
           from generations g join models m on m.id = g.model_id
           where g.index_id = any($1) and ($2::text is null or g.state = $2) order by g.id desc"#,
        indexes,
        state.map(GenerationState::as_str),
    );
    rows.fetch_all(db).await?.into_iter().map(Generation::try_from).collect()
}

/// How many partitions, that is classes, each of these generations has.
///
/// # Errors
/// [`DbError`].
pub async fn count_partitions(
    db: impl PgExecutor<'_>,
    generations: &[i32],
) -> Result<Vec<(i32, i64)>, DbError> {
    let rows = sqlx::query!(
        r#"select generation, count(*) as "count!" from partitions where generation = any($1) group by generation"#,
        generations,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.generation, row.count)).collect())
}

/// The partitions of a generation, by class.
///
/// # Errors
/// [`DbError`].
pub async fn list_partitions(db: impl PgExecutor<'_>, generation: i32) -> Result<Vec<Partition>, DbError> {
    let rows = sqlx::query_as!(
        Partition,
        "select class_id, version, rows, has_graph from partitions where generation = $1 order by class_id",
        generation,
    );
    Ok(rows.fetch_all(db).await?)
}

/// Begins a generation with its tables: one leaf per class, embeddings of `embedding_dim` values. Gives its number.
///
/// # Errors
/// [`DbError`].
pub async fn begin_generation(
    tx: &mut PgConnection,
    index: Uuid,
    model: Uuid,
    classes: i32,
    embedding_dim: i32,
) -> Result<i32, DbError> {
    let generation = insert_generation(&mut *tx, index, model, classes).await?;
    super::gallery::create_tables(tx, generation, classes, embedding_dim).await?;
    Ok(generation)
}

/// Deletes a generation with its tables. A job that fills it meanwhile finds it gone at its next commit.
///
/// # Errors
/// [`DbError`].
pub async fn drop_generation(tx: &mut PgConnection, id: i32) -> Result<(), DbError> {
    super::gallery::lock_generation(&mut *tx, id).await?;
    super::generations::lock_tables(&mut *tx, id).await?;
    super::gallery::drop_tables(&mut *tx, id).await?;
    delete_generation(tx, id).await
}

/// Generations that were begun by rebuilds which have ended without them.
///
/// # Errors
/// [`DbError`].
pub async fn list_abandoned(db: impl PgExecutor<'_>) -> Result<Vec<i32>, DbError> {
    let ids = sqlx::query_scalar!(
        "select g.id from generations g
         where g.state = 'building' and not exists (
             select from jobs j
             where j.kind = 'rebuild' and j.finished_at is null and (j.checkpoint ->> 'generation')::int = g.id)
         order by g.id",
    );
    Ok(ids.fetch_all(db).await?)
}

/// Deletes a generation's row and its partitions' rows; its tables are dropped by the caller.
///
/// # Errors
/// [`DbError`].
pub async fn delete_generation(db: impl PgExecutor<'_>, id: i32) -> Result<(), DbError> {
    sqlx::query!("delete from generations where id = $1", id).execute(db).await?;
    Ok(())
}

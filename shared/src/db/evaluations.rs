//! What evaluations found, kept with the generation that they measured.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;

/// A stored evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Its id, which is its job's.
    pub id: Uuid,
    /// The generation that was measured.
    pub generation: i32,
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// What the job gave.
    pub result: Value,
}

/// Stores an evaluation; one that is there already is replaced, as its job has run again.
///
/// # Errors
/// [`DbError`].
pub async fn upsert_evaluation(
    db: impl PgExecutor<'_>,
    id: Uuid,
    generation: i32,
    result: &Value,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into evaluations (id, generation, result) values ($1, $2, $3)
         on conflict (id) do update set generation = $2, result = $3, at = now()",
        id,
        generation,
        result,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores small JPEGs of the queries that an evaluation answered worst, each with its position among them. Those that are
/// there already are replaced.
///
/// # Errors
/// [`DbError`].
pub async fn upsert_thumbnails(
    db: impl PgExecutor<'_>,
    evaluation: Uuid,
    positions: &[i32],
    thumbnails: &[Vec<u8>],
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into evaluation_thumbnails (evaluation, position, thumbnail)
         select $1, * from unnest($2::int[], $3::bytea[])
         on conflict (evaluation, position) do update set thumbnail = excluded.thumbnail",
        evaluation,
        positions,
        thumbnails,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Up to `limit` evaluations of the generations of an index, newest first, from before the one of `before` on.
///
/// # Errors
/// [`DbError`].
pub async fn list_evaluations(
    db: impl PgExecutor<'_>,
    index: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Evaluation>, DbError> {
    let rows = sqlx::query_as!(
        Evaluation,
        "select e.id, e.generation, e.at, e.result
         from evaluations e join generations g on g.id = e.generation
         where g.index_id = $1 and ($2::uuid is null or e.id < $2)
         order by e.id desc limit $3",
        index,
        before,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// A small JPEG of a query of an index's evaluation.
///
/// # Errors
/// [`DbError`].
pub async fn find_query_thumbnail(
    db: impl PgExecutor<'_>,
    index: Uuid,
    evaluation: Uuid,
    position: i32,
) -> Result<Option<Vec<u8>>, DbError> {
    let row = sqlx::query_scalar!(
        "select t.thumbnail
         from evaluation_thumbnails t
         join evaluations e on e.id = t.evaluation
         join generations g on g.id = e.generation
         where g.index_id = $1 and t.evaluation = $2 and t.position = $3",
        index,
        evaluation,
        position,
    );
    Ok(row.fetch_optional(db).await?)
}

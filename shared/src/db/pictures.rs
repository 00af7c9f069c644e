//! The pictures that searches were asked with.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::job::JobId;

/// A picture of a search that is being enqueued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPicture<'a> {
    /// The search.
    pub job_id: JobId,
    /// Where it stands among the pictures of its search, from 0.
    pub position: usize,
    /// How much it counts.
    pub weight: f32,
    /// The file's bytes.
    pub bytes: &'a [u8],
}

/// Stores the pictures of searches, in the transaction that enqueues them, before it does: the searches may come later.
///
/// # Errors
/// [`DbError`].
pub async fn insert_pictures(db: impl PgExecutor<'_>, pictures: &[NewPicture<'_>]) -> Result<(), DbError> {
    let jobs: Vec<Uuid> = pictures.iter().map(|picture| picture.job_id.0).collect();
    let positions: Vec<i32> =
        pictures.iter().map(|picture| i32::try_from(picture.position).unwrap_or(i32::MAX)).collect();
    let weights: Vec<f32> = pictures.iter().map(|picture| picture.weight).collect();
    let bytes: Vec<&[u8]> = pictures.iter().map(|picture| picture.bytes).collect();
    sqlx::query!(
        "insert into job_pictures (job_id, position, weight, bytes)
         select * from unnest($1::uuid[], $2::int[], $3::real[], $4::bytea[])",
        &jobs,
        &positions,
        &weights,
        &bytes as &[&[u8]],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A picture of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPicture {
    /// The search.
    pub job_id: Uuid,
    /// How much it counts.
    pub weight: f32,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// The pictures of a batch of searches, in order.
///
/// # Errors
/// [`DbError`].
pub async fn list_pictures(db: impl PgExecutor<'_>, jobs: &[JobId]) -> Result<Vec<QueryPicture>, DbError> {
    let ids: Vec<Uuid> = jobs.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        QueryPicture,
        "select job_id, weight, bytes from job_pictures where job_id = any($1) order by job_id, position",
        &ids,
    );
    Ok(rows.fetch_all(db).await?)
}

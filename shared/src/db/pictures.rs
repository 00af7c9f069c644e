//! The pictures that searches were asked with.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::job::JobId;

/// Stores the pictures of a search, in the transaction that enqueues it.
///
/// # Errors
/// [`DbError`].
pub async fn insert_pictures(
    db: impl PgExecutor<'_>,
    job: JobId,
    pictures: &[(f32, Vec<u8>)],
) -> Result<(), DbError> {
    let weights: Vec<f32> = pictures.iter().map(|(weight, _)| *weight).collect();
    let bytes: Vec<Vec<u8>> = pictures.iter().map(|(_, bytes)| bytes.clone()).collect();
    sqlx::query!(
        "insert into job_pictures (job_id, position, weight, bytes)
         select $1, position - 1, weight, bytes
         from unnest($2::real[], $3::bytea[]) with ordinality as p (weight, bytes, position)",
        job.0,
        &weights,
        &bytes,
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

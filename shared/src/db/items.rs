//! The pictures of a job that did not make it, each with its reason.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::DbError;
use crate::domain::job::JobId;

/// A picture that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `source/key`.
    pub uri: String,
    /// `failed`.
    pub status: String,
    /// A stable name of the reason, e.g. `corrupt`.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
    /// When it was seen.
    pub at: DateTime<Utc>,
}

/// A failed picture to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// `source/key`.
    pub uri: String,
    /// A stable name of the reason.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Stores failed pictures, each once per job, within the transaction that counts them.
///
/// # Errors
/// [`DbError`].
pub async fn insert_items(db: impl PgExecutor<'_>, job: JobId, items: &[NewItem]) -> Result<(), DbError> {
    let uris: Vec<String> = items.iter().map(|item| item.uri.clone()).collect();
    let codes: Vec<String> = items.iter().map(|item| item.code.clone()).collect();
    let details: Vec<String> = items.iter().map(|item| item.detail.replace('\0', "\u{fffd}")).collect();
    sqlx::query!(
        "insert into job_items (job_id, uri, status, code, detail)
         select distinct on (uri) $1, uri, 'failed', code, detail
         from unnest($2::text[], $3::text[], $4::text[]) as i (uri, code, detail) order by uri
         on conflict (job_id, uri) do update set code = excluded.code, detail = excluded.detail, at = now()",
        job.0,
        &uris,
        &codes,
        &details,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The failed pictures of a job by uri, after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn list_items(
    db: impl PgExecutor<'_>,
    job: JobId,
    status: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query_as!(
        Item,
        "select uri, status, code, detail, at from job_items
         where job_id = $1 and ($2::text is null or status = $2) and uri > $3 order by uri limit $4",
        job.0,
        status,
        after,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// Which of these pictures a job has stored as failed, as its earlier attempt may have.
///
/// # Errors
/// [`DbError`].
pub async fn find_failed(
    db: impl PgExecutor<'_>,
    job: JobId,
    uris: &[String],
) -> Result<Vec<String>, DbError> {
    let rows =
        sqlx::query_scalar!("select uri from job_items where job_id = $1 and uri = any($2)", job.0, uris);
    Ok(rows.fetch_all(db).await?)
}

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

/// The failed pictures of a job by uri, after `after`; with `codes`, only those that failed for one of these reasons.
///
/// # Errors
/// [`DbError`].
pub async fn list_items(
    db: impl PgExecutor<'_>,
    job: JobId,
    status: Option<&str>,
    codes: &[String],
    after: &str,
    limit: i64,
) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query_as!(
        Item,
        "select uri, status, code, detail, at from job_items
         where job_id = $1 and ($2::text is null or status = $2) and (cardinality($3::text[]) = 0 or code = any($3))
           and uri > $4
         order by uri limit $5",
        job.0,
        status,
        codes,
        after,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// The uris after `after` of the pictures that a job failed with; with `codes`, only those that failed for one of these
/// reasons.
///
/// # Errors
/// [`DbError`].
pub async fn list_failed_uris(
    db: impl PgExecutor<'_>,
    job: JobId,
    codes: &[String],
    after: &str,
    limit: i64,
) -> Result<Vec<String>, DbError> {
    let uris = sqlx::query_scalar!(
        "select uri from job_items
         where job_id = $1 and status = 'failed' and (cardinality($2::text[]) = 0 or code = any($2)) and uri > $3
         order by uri limit $4",
        job.0,
        codes,
        after,
        limit,
    );
    Ok(uris.fetch_all(db).await?)
}

/// How many pictures of a job failed for each reason, the most frequent first.
///
/// # Errors
/// [`DbError`].
pub async fn count_by_code(db: impl PgExecutor<'_>, job: JobId) -> Result<Vec<(String, i64)>, DbError> {
    let rows = sqlx::query!(
        r#"select code, count(*) as "count!" from job_items
           where job_id = $1 and status = 'failed' group by code order by count(*) desc, code"#,
        job.0,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.code, row.count)).collect())
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

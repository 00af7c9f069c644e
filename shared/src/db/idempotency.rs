//! The replay store behind Idempotency-Key: the first answer to a key, kept 24 hours.

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;

/// How long an answer is kept, in hours.
pub const KEPT_HOURS: i32 = 24;

/// The first answer to a key.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAnswer {
    /// SHA-256 of the first request's route and body.
    pub request_hash: Vec<u8>,
    /// HTTP status; none when the first request never finished, which a transaction rules out.
    pub status: Option<i32>,
    /// The Location header.
    pub location: Option<String>,
    /// The body.
    pub body: Option<Value>,
}

/// Takes a key for this transaction; a concurrent request with the same key waits here for its end. False when
/// the key was used within the last 24 hours.
///
/// # Errors
/// [`DbError`].
pub async fn claim_key(
    db: impl PgExecutor<'_>,
    caller: Uuid,
    key: &str,
    hash: &[u8],
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into idempotency_keys as i (key_id, key, request_hash) values ($1, $2, $3)
         on conflict (key_id, key) do update
             set request_hash = excluded.request_hash, status = null, location = null, body = null, created_at = now()
             where i.created_at < now() - make_interval(hours => $4)",
        caller,
        key,
        hash,
        KEPT_HOURS,
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// The answer stored for a key.
///
/// # Errors
/// [`DbError`].
pub async fn find_answer(
    db: impl PgExecutor<'_>,
    caller: Uuid,
    key: &str,
) -> Result<Option<StoredAnswer>, DbError> {
    let row = sqlx::query_as!(
        StoredAnswer,
        "select request_hash, status, location, body from idempotency_keys where key_id = $1 and key = $2",
        caller,
        key,
    );
    Ok(row.fetch_optional(db).await?)
}

/// Stores the answer to a key taken in this transaction.
///
/// # Errors
/// [`DbError`].
pub async fn store_answer(
    db: impl PgExecutor<'_>,
    caller: Uuid,
    key: &str,
    status: u16,
    location: Option<&str>,
    body: &Value,
) -> Result<(), DbError> {
    sqlx::query!(
        "update idempotency_keys set status = $3, location = $4, body = $5 where key_id = $1 and key = $2",
        caller,
        key,
        i32::from(status),
        location,
        body,
    )
    .execute(db)
    .await?;
    Ok(())
}

//! API keys and the browser sessions made from them. Only hashes are stored.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use crate::domain::name::Name;
use crate::domain::scope::Scope;

/// A stored key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The first characters of the secret, to tell keys apart.
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops to work.
    pub expires_at: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    name: String,
    scope: String,
    hint: String,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Key {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            scope: row.scope.parse()?,
            hint: row.hint,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        })
    }
}

/// A key to be stored.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique.
    pub name: &'a Name,
    /// SHA-256 of the secret.
    pub hash: &'a [u8],
    /// The first characters of the secret.
    pub hint: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// When it stops to work.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Stores a key.
///
/// # Errors
/// [`DbError::Conflict`] when there is a key of that name.
pub async fn insert_key(db: impl PgExecutor<'_>, key: &NewKey<'_>) -> Result<(), DbError> {
    sqlx::query!(
        "insert into keys (id, name, hash, hint, scope, expires_at) values ($1, $2, $3, $4, $5, $6)",
        key.id,
        key.name.as_str(),
        key.hash,
        key.hint,
        key.scope.as_str(),
        key.expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores the first admin key unless one that works exists. True when it was stored.
///
/// # Errors
/// [`DbError`].
pub async fn insert_first_admin(db: impl PgExecutor<'_>, key: &NewKey<'_>) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into keys (id, name, hash, hint, scope)
         select $1, $2, $3, $4, 'admin'
         where not exists (select from keys where scope = 'admin' and revoked_at is null
                           and (expires_at is null or expires_at > now()))
         on conflict (hash) do nothing",
        key.id,
        key.name.as_str(),
        key.hash,
        key.hint,
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// The working key whose secret has this hash; notes that it was used, at most once a minute.
///
/// # Errors
/// [`DbError`].
pub async fn find_key_by_hash(db: impl PgExecutor<'_>, hash: &[u8]) -> Result<Option<Key>, DbError> {
    let row = sqlx::query_as!(
        Row,
        "with used as (
             update keys set last_used_at = now()
             where hash = $1 and coalesce(last_used_at, 'epoch') < now() - interval '1 minute'
         )
         select id, name, scope, hint, created_at, last_used_at, expires_at from keys
         where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
        hash,
    );
    row.fetch_optional(db).await?.map(Key::try_from).transpose()
}

/// The working key behind a browser session.
///
/// # Errors
/// [`DbError`].
pub async fn find_key_by_session(db: impl PgExecutor<'_>, hash: &[u8]) -> Result<Option<Key>, DbError> {
    let row = sqlx::query_as!(
        Row,
        "select k.id, k.name, k.scope, k.hint, k.created_at, k.last_used_at, k.expires_at
         from sessions s join keys k on k.id = s.key_id
         where s.hash = $1 and s.expires_at > now()
           and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
        hash,
    );
    row.fetch_optional(db).await?.map(Key::try_from).transpose()
}

/// Every key that was not revoked, newest first, after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn list_keys(
    db: impl PgExecutor<'_>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Key>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, scope, hint, created_at, last_used_at, expires_at from keys
         where revoked_at is null and ($1::uuid is null or id < $1) order by id desc limit $2",
        after,
        limit,
    );
    rows.fetch_all(db).await?.into_iter().map(Key::try_from).collect()
}

/// Revokes a key and ends its sessions; its name is free again. False when there is none.
///
/// # Errors
/// [`DbError`].
pub async fn mark_key_revoked(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, DbError> {
    let row = sqlx::query!(
        "with ended as (delete from sessions where key_id = $1)
         update keys set revoked_at = now(), name = left(name, 40) || '-' || left(md5(id::text), 12)
         where id = $1 and revoked_at is null returning id",
        id,
    );
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Starts a browser session.
///
/// # Errors
/// [`DbError`].
pub async fn insert_session(
    db: impl PgExecutor<'_>,
    hash: &[u8],
    key: Uuid,
    expires_at: DateTime<Utc>,
) -> Result<(), DbError> {
    let done = sqlx::query!(
        "insert into sessions (hash, key_id, expires_at) values ($1, $2, $3)",
        hash,
        key,
        expires_at
    );
    done.execute(db).await?;
    Ok(())
}

/// Ends a browser session.
///
/// # Errors
/// [`DbError`].
pub async fn delete_session(db: impl PgExecutor<'_>, hash: &[u8]) -> Result<(), DbError> {
    sqlx::query!("delete from sessions where hash = $1", hash).execute(db).await?;
    Ok(())
}

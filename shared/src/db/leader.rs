//! Which of several API processes does what only one should.

use super::{DbError, PgConnection};

/// The advisory lock of the leader.
const LEADER_LOCK: i64 = 712_095;

/// Makes this session the leader unless another one is. The session leads until it ends.
///
/// # Errors
/// [`DbError`].
pub async fn try_lead(session: &mut PgConnection) -> Result<bool, DbError> {
    try_lock(session, LEADER_LOCK).await
}

/// Takes an advisory lock for this session unless another one holds it.
pub(super) async fn try_lock(session: &mut PgConnection, lock: i64) -> Result<bool, DbError> {
    let lock = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "locked!""#, lock);
    Ok(lock.fetch_one(session).await?)
}

/// Gives such a lock back at once: a session that is closed holds it until its process has ended, which is a little later.
pub(super) async fn unlock(session: &mut PgConnection, lock: i64) -> Result<(), DbError> {
    let unlock = sqlx::query_scalar!("select pg_advisory_unlock($1)", lock);
    unlock.fetch_one(session).await?;
    Ok(())
}

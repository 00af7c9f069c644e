//! What is told of entries that were found.

use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, PgExecutor};
use uuid::Uuid;

use super::super::DbError;

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Hit {
    /// The entry.
    pub entry_id: Uuid,
    /// Its class's number.
    pub class_id: i32,
    /// `source/key`.
    pub uri: String,
    /// What the submitter said of it.
    pub metadata: Value,
    /// How probable its class is for it, as its model said.
    pub probability: f32,
    /// Upright width in pixels.
    pub width: i32,
    /// Upright height in pixels.
    pub height: i32,
}

/// What is stored of entries of a generation, named by partition and id, in no order. Those that are not there any more, or
/// not in that partition, are left out.
///
/// # Errors
/// [`DbError`].
pub async fn list_hits(
    db: impl PgExecutor<'_>,
    generation: i32,
    entries: &[(i32, Uuid)],
) -> Result<Vec<Hit>, DbError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut classes: Vec<i32> = entries.iter().map(|(class, _)| *class).collect();
    classes.sort_unstable();
    classes.dedup();
    // Leaf by leaf: a join with all of them would open every one.
    let part = |class: &i32| {
        format!(
            "select entry_id, class_id, uri, metadata, (probabilities::real[])[class_id + 1] as probability, width, height
             from gallery.g{generation}_{class} where class_id = {class} and entry_id = any($1)"
        )
    };
    let sql = classes.iter().map(part).collect::<Vec<_>>().join(" union all ");
    let ids: Vec<Uuid> = entries.iter().map(|(_, id)| *id).collect();
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(db).await?)
}

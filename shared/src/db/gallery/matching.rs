//! The nearest entries of partitions.

use serde_json::Value;
use sqlx::{Acquire, AssertSqlSafe, FromRow, Postgres};
use uuid::Uuid;

use super::super::DbError;
use super::graphs;
use crate::domain::search::RankBy;

/// An entry near a query.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Neighbour {
    /// The entry.
    pub entry_id: Uuid,
    /// Its class's number.
    pub class_id: i32,
    /// Fingerprint of what the picture shows; none of entries from before it was kept.
    pub perceptual_hash: Option<i64>,
    /// Euclidean distance from the query, in single precision.
    pub distance: f64,
    /// The vector that it was measured to.
    pub vector: Vec<f32>,
}

/// What a match looks for.
#[derive(Debug, Clone)]
pub struct MatchQuery<'a> {
    /// The partitions to look into exactly.
    pub classes: &'a [i32],
    /// The partitions to look into through their graphs, nearly exactly.
    pub approximate: &'a [i32],
    /// What distances are measured between.
    pub rank_by: RankBy,
    /// The query's vector of that kind.
    pub vector: &'a [f32],
    /// How many hits.
    pub k: i64,
    /// Entries that are no hits: the query itself.
    pub exclude: &'a [Uuid],
    /// Only entries whose uris begin with this.
    pub uri_prefix: Option<&'a str>,
    /// Only entries whose metadata holds all of this object.
    pub metadata: Option<&'a Value>,
    /// Only hits at most this far.
    pub max_distance: Option<f64>,
}

/// The nearest entries by Euclidean distance, ties by entry id: all of them of the partitions that are looked into exactly,
/// most of them of those with graphs.
///
/// # Errors
/// [`DbError`].
pub async fn match_entries(
    db: impl Acquire<'_, Database = Postgres>,
    generation: i32,
    query: &MatchQuery<'_>,
) -> Result<Vec<Neighbour>, DbError> {
    // The same precision as the stored column, so that a picture is at distance 0 from itself.
    let (column, distance) = match query.rank_by {
        RankBy::Embedding => ("embedding::vector", "embedding <-> ($2::real[]::vector)::halfvec"),
        RankBy::Probabilities => ("probabilities", "probabilities <-> $2::real[]::vector"),
    };
    let columns = format!("select entry_id, class_id, perceptual_hash, {column}::real[] as vector");
    let wanted = "entry_id <> all($4::uuid[]) and ($5::text is null or starts_with(uri, $5)) and ($6::jsonb is null or metadata @> $6)";
    let mut parts = Vec::with_capacity(1 + query.approximate.len());
    // Of no class at all, PostgreSQL would make a plan for every leaf. What is added to the distance, nothing, keeps an
    // order by it from going through a graph.
    if !query.classes.is_empty() || query.approximate.is_empty() {
        parts.push(format!(
            "({columns}, ({distance}) + 0 as distance from gallery.g{generation} where class_id = any($1) and {wanted}
              order by distance, entry_id limit $3)"
        ));
    }
    for class in query.approximate {
        parts.push(format!(
            "({columns}, {distance} as distance from gallery.g{generation}_{class} where {wanted}
              order by {distance} limit $3)"
        ));
    }
    let sql = format!(
        "select entry_id, class_id, perceptual_hash, distance, vector from ({}) s
         where $1::int[] is not null and ($7::float8 is null or distance <= $7) order by distance, entry_id limit $3",
        parts.join(" union all ")
    );
    let hits = sqlx::query_as(AssertSqlSafe(sql))
        .bind(query.classes)
        .bind(query.vector)
        .bind(query.k)
        .bind(query.exclude)
        .bind(query.uri_prefix)
        .bind(query.metadata)
        .bind(query.max_distance);
    if query.approximate.is_empty() {
        return Ok(hits.fetch_all(&mut *db.acquire().await?).await?);
    }
    let mut tx = db.begin().await?;
    graphs::search_widely(&mut tx, query.k).await?;
    let hits = hits.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(hits)
}

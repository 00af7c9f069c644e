//! What answers searches of indexes now, for as many of them as are asked about together.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;
use super::indexes::Partition;

/// What answers searches of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// The index's name.
    pub name: String,
    /// The generation that answers searches.
    pub generation: Option<i32>,
    /// That generation's model.
    pub model_id: Option<Uuid>,
}

/// What answers searches of these indexes now. Unknown ones are left out.
///
/// # Errors
/// [`DbError`].
pub async fn list_answering(db: impl PgExecutor<'_>, names: &[String]) -> Result<Vec<Answering>, DbError> {
    let rows = sqlx::query_as!(
        Answering,
        r#"select i.name, g.id as "generation?", g.model_id as "model_id?"
           from indexes i left join generations g on g.index_id = i.id and g.state = 'active' where i.name = any($1)"#,
        names,
    );
    Ok(rows.fetch_all(db).await?)
}

/// The indexes that have an active generation, those first that most of the last thousand searches asked for.
///
/// # Errors
/// [`DbError`].
pub async fn list_favourites(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<String>, DbError> {
    let names = sqlx::query_scalar!(
        "select i.name
         from indexes i
         join generations g on g.index_id = i.id and g.state = 'active'
         left join (
             select params ->> 'index' as name, count(*) as searches
             from (select params from jobs where kind = 'search' order by id desc limit 1000) s group by 1) s using (name)
         order by coalesce(s.searches, 0) desc, g.id desc limit $1",
        limit,
    );
    Ok(names.fetch_all(db).await?)
}

/// What searches of an index look into.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The index's name.
    pub name: String,
    /// The generation that answers searches.
    pub generation: Option<i32>,
    /// That generation's model.
    pub model_id: Option<Uuid>,
    /// That generation's partitions, by class.
    pub partitions: Vec<Partition>,
}

/// What searches of these indexes look into now. Unknown ones are left out.
///
/// # Errors
/// [`DbError`].
pub async fn list_searched(db: impl PgExecutor<'_>, names: &[String]) -> Result<Vec<Searched>, DbError> {
    let rows = sqlx::query!(
        r#"select i.name, g.id as "generation?", g.model_id as "model_id?", p.classes, p.versions, p.rows, p.graphs
           from indexes i
           left join generations g on g.index_id = i.id and g.state = 'active'
           left join lateral (
               select array_agg(class_id order by class_id) as classes, array_agg(version order by class_id) as versions,
                      array_agg(rows order by class_id) as rows, array_agg(has_graph order by class_id) as graphs
               from partitions where generation = g.id) p on true
           where i.name = any($1)"#,
        names,
    );
    let searched = rows.fetch_all(db).await?.into_iter().map(|row| {
        let classes = row.classes.unwrap_or_default().into_iter();
        let counts = row.versions.unwrap_or_default().into_iter().zip(row.rows.unwrap_or_default());
        let leaves = classes.zip(counts).zip(row.graphs.unwrap_or_default());
        let partitions = leaves
            .map(|((class_id, (version, rows)), has_graph)| Partition { class_id, version, rows, has_graph })
            .collect();
        Searched { name: row.name, generation: row.generation, model_id: row.model_id, partitions }
    });
    Ok(searched.collect())
}

//! Trained and imported models. A row is immutable but for its labels; a name's default is pinned, or else its newest
//! version, and what it was before is kept for a rollback.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::DbError;
use crate::domain::name::{ModelRef, Name};

/// A stored model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: i32,
    /// Its network.
    pub backbone: String,
    /// Its class names, in the order of its outputs.
    pub classes: Vec<String>,
    /// Side of the square that pictures are scaled to, in pixels.
    pub image_size: i32,
    /// Length of its embeddings.
    pub embedding_dim: i32,
    /// Where its weights are in the artifacts store.
    pub weights_key: String,
    /// How large they are.
    pub weights_bytes: i64,
    /// SHA-256 of them.
    pub weights_sha256: Vec<u8>,
    /// `imported` or `trained`.
    pub origin: String,
    /// The job that trained it.
    pub job_id: Option<Uuid>,
    /// Its card: what it was trained on, how well it does.
    pub card: Value,
    /// Free words.
    pub labels: Value,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Whether its name alone means this version.
    pub is_default: bool,
}

impl Model {
    /// `name@version`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// A model to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Name,
    /// Its network.
    pub backbone: String,
    /// Its class names, in the order of its outputs.
    pub classes: Vec<String>,
    /// Side of the square that pictures are scaled to, in pixels.
    pub image_size: i32,
    /// Length of its embeddings.
    pub embedding_dim: i32,
    /// Where its weights are in the artifacts store.
    pub weights_key: String,
    /// How large they are.
    pub weights_bytes: i64,
    /// SHA-256 of them.
    pub weights_sha256: Vec<u8>,
    /// `imported` or `trained`.
    pub origin: &'static str,
    /// The job that trained it.
    pub job_id: Option<Uuid>,
    /// Its card.
    pub card: Value,
    /// Free words.
    pub labels: Value,
}

/// Takes a name for this transaction, so that two writers do not pick the same version.
///
/// # Errors
/// [`DbError`].
pub async fn lock_name(tx: &mut PgConnection, name: &Name) -> Result<(), DbError> {
    sqlx::query!("select pg_advisory_xact_lock(712095, hashtext($1))", name.as_str()).execute(tx).await?;
    Ok(())
}

/// Stores a model as the next version of its name and gives that version, which no other model ever had. Call
/// [`lock_name`] before.
///
/// # Errors
/// [`DbError`].
pub async fn insert_model(db: impl PgExecutor<'_>, model: &NewModel) -> Result<i32, DbError> {
    let version = sqlx::query_file_scalar!(
        "queries/models/insert.sql",
        model.id,
        model.name.as_str(),
        model.backbone,
        &model.classes,
        model.image_size,
        model.embedding_dim,
        model.weights_key,
        model.weights_bytes,
        model.weights_sha256,
        model.origin,
        model.job_id,
        model.card,
        model.labels,
    );
    Ok(version.fetch_one(db).await?)
}

/// The model a reference means.
///
/// # Errors
/// [`DbError`].
pub async fn find_model(db: impl PgExecutor<'_>, reference: &ModelRef) -> Result<Option<Model>, DbError> {
    let row = sqlx::query_file_as!(
        Model,
        "queries/models/find.sql",
        Some(reference.name.as_str()),
        reference.version,
        None::<Uuid>,
        reference.version.is_none(),
    );
    Ok(row.fetch_optional(db).await?)
}

/// The model a reference means.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn get_model(db: impl PgExecutor<'_>, reference: &ModelRef) -> Result<Model, DbError> {
    find_model(db, reference).await?.ok_or_else(|| DbError::not_found("model", reference))
}

/// The model of that id.
///
/// # Errors
/// [`DbError::NotFound`] when there is none.
pub async fn get_model_by_id(db: impl PgExecutor<'_>, id: Uuid) -> Result<Model, DbError> {
    let row =
        sqlx::query_file_as!(Model, "queries/models/find.sql", None::<&str>, None::<i32>, Some(id), false);
    row.fetch_optional(db).await?.ok_or_else(|| DbError::not_found("model", id))
}

/// A model's name and its versions. Their cards are without what grows with classes and pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelName {
    /// The newest version.
    pub latest: Model,
    /// The version that the name alone means.
    pub default: Model,
    /// How many versions there are.
    pub versions: i64,
}

/// Every name after `after` of which a version carries `labels`, with its newest version and its default one.
///
/// # Errors
/// [`DbError`].
pub async fn list_names(
    db: impl PgExecutor<'_>,
    labels: Option<&Value>,
    after: &str,
    limit: i64,
) -> Result<Vec<ModelName>, DbError> {
    let rows = sqlx::query_file!("queries/models/list_names.sql", after, limit, labels).fetch_all(db).await?;
    let mut names: Vec<ModelName> = Vec::new();
    for row in rows {
        let model = Model {
            id: row.id,
            name: row.name,
            version: row.version,
            backbone: row.backbone,
            classes: row.classes,
            image_size: row.image_size,
            embedding_dim: row.embedding_dim,
            weights_key: row.weights_key,
            weights_bytes: row.weights_bytes,
            weights_sha256: row.weights_sha256,
            origin: row.origin,
            job_id: row.job_id,
            card: row.card,
            labels: row.labels,
            created_at: row.created_at,
            is_default: row.is_default,
        };
        match names.last_mut() {
            // A name's second row is its default version, where that is not its newest.
            Some(name) if name.latest.name == model.name => name.default = model,
            _ => names.push(ModelName { default: model.clone(), latest: model, versions: row.versions }),
        }
    }
    Ok(names)
}

/// Every version of a name that carries `labels`, newest first, below `before`; their cards are without what grows with
/// classes and pictures.
///
/// # Errors
/// [`DbError`].
pub async fn list_versions(
    db: impl PgExecutor<'_>,
    name: &Name,
    labels: Option<&Value>,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Model>, DbError> {
    let rows = sqlx::query_file_as!(
        Model,
        "queries/models/list_versions.sql",
        name.as_str(),
        before,
        labels,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}

/// Pins the version that a name alone means. False when there is no such version. Call [`lock_name`] before.
///
/// # Errors
/// [`DbError`].
pub async fn set_default(db: impl PgExecutor<'_>, name: &Name, version: i32) -> Result<bool, DbError> {
    let pinned = sqlx::query_file_scalar!("queries/models/set_default.sql", name.as_str(), version);
    Ok(pinned.fetch_one(db).await? > 0)
}

/// Pins the version that a name alone meant before its default last changed, and gives it; none when there is none. Call
/// [`lock_name`] before.
///
/// # Errors
/// [`DbError`].
pub async fn roll_back(db: impl PgExecutor<'_>, name: &Name) -> Result<Option<i32>, DbError> {
    Ok(sqlx::query_file_scalar!("queries/models/roll_back.sql", name.as_str()).fetch_optional(db).await?)
}

/// Sets labels of a model, and takes those away whose value is null; gives all it carries then. None when there is no such
/// model, or when more than `most` labels would be left.
///
/// # Errors
/// [`DbError`].
pub async fn merge_labels(
    db: impl PgExecutor<'_>,
    id: Uuid,
    changes: &Value,
    most: i64,
) -> Result<Option<Value>, DbError> {
    let labels = sqlx::query_file_scalar!("queries/models/merge_labels.sql", id, changes, most);
    Ok(labels.fetch_optional(db).await?)
}

/// The names of the indexes that use a model, in any generation.
///
/// # Errors
/// [`DbError`].
pub async fn list_users(db: impl PgExecutor<'_>, id: Uuid) -> Result<Vec<String>, DbError> {
    let names = sqlx::query_scalar!(
        "select distinct i.name from generations g join indexes i on i.id = g.index_id where g.model_id = $1 order by 1",
        id,
    );
    Ok(names.fetch_all(db).await?)
}

/// Deletes a model and gives the key of its weights.
///
/// # Errors
/// [`DbError::Conflict`] when an index uses it.
pub async fn delete_model(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<String>, DbError> {
    let key = sqlx::query_scalar!("delete from models where id = $1 returning weights_key", id);
    Ok(key.fetch_optional(db).await?)
}

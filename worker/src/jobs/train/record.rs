//! What a run has settled at its start and how far it came, kept among the artifacts until it ends.
//!
//! Later attempts go on with what was settled, whatever changed meanwhile: the program's defaults, the newest version of
//! the model it starts from, the side that suits the pictures. Only the pictures themselves must be the same, since the
//! split, the classes' numbers and the list kept with the model follow from them.

use bytes::Bytes;
use lookalike_shared::domain::backbone;
use lookalike_shared::domain::name::ModelRef;
use lookalike_shared::storage::StorageError;
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use crate::runtime::context::{JobContext, JobError};
use crate::training::TrainConfig;

/// The largest record and the largest checkpoint that are read back.
const MAX_RECORD_BYTES: u64 = 1 << 20;
const MAX_CHECKPOINT_BYTES: u64 = 8 << 30;

/// What was settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    backbone: String,
    embedding_dim: usize,
    pretrained: Option<ModelRef>,
    config: TrainConfig,
    /// Side of the pictures in pixels.
    pub image_size: usize,
    /// Of the files, their classes and their parts.
    pub fingerprint: String,
}

impl Record {
    /// What an earlier attempt settled; none where there was none, or where this program cannot read it.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn find(context: &JobContext) -> Result<Option<Self>, JobError> {
        let found = find(context, &record_key(context), MAX_RECORD_BYTES).await?;
        Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Keeps what a first attempt settles, and gives it as later attempts will read it: to the last bit of its numbers.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn keep(
        context: &JobContext,
        recipe: &Recipe,
        image_size: usize,
        fingerprint: String,
    ) -> Result<Self, JobError> {
        let settled = Self {
            backbone: recipe.backbone.name.to_owned(),
            embedding_dim: recipe.embedding_dim,
            pretrained: recipe.pretrained.clone(),
            config: recipe.config.clone(),
            image_size,
            fingerprint,
        };
        let bytes = serde_json::to_vec(&settled).expect("a record is plain data");
        let kept = serde_json::from_slice(&bytes).expect("a record reads what it wrote");
        context.storage().artifacts().put(&record_key(context), bytes.into()).await?;
        Ok(kept)
    }

    /// The recipe.
    ///
    /// # Errors
    /// A permanent failure when this program has no such network, as after a downgrade.
    pub fn recipe(&self) -> Result<Recipe, JobError> {
        let backbone = backbone::variant(&self.backbone, self.embedding_dim)
            .map_err(|error| JobError::permanent("invalid_recipe", error.to_string()))?;
        Ok(Recipe {
            backbone,
            pretrained: self.pretrained.clone(),
            embedding_dim: self.embedding_dim,
            config: self.config.clone(),
        })
    }
}

/// What the run can go on from, if anything.
///
/// # Errors
/// The store's failure.
pub async fn find_checkpoint(context: &JobContext) -> Result<Option<Bytes>, JobError> {
    find(context, &checkpoint_key(context), MAX_CHECKPOINT_BYTES).await
}

/// Keeps what the run can go on from.
///
/// # Errors
/// The store's failure.
pub async fn keep_checkpoint(context: &JobContext, bytes: Bytes) -> Result<(), StorageError> {
    context.storage().artifacts().put(&checkpoint_key(context), bytes).await?;
    context.note_stored();
    Ok(())
}

/// Deletes all that is kept of the run: the next attempt starts over.
///
/// # Errors
/// The store's failure.
pub async fn forget(context: &JobContext) -> Result<(), JobError> {
    context.storage().artifacts().delete_all(&folder(context)).await?;
    Ok(())
}

async fn find(context: &JobContext, key: &str, limit: u64) -> Result<Option<Bytes>, JobError> {
    match context.storage().artifacts().get(key, limit).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StorageError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn folder(context: &JobContext) -> String {
    format!("jobs/{}/", context.attempt.job_id)
}

fn record_key(context: &JobContext) -> String {
    folder(context) + "record.json"
}

fn checkpoint_key(context: &JobContext) -> String {
    folder(context) + "checkpoint.safetensors"
}

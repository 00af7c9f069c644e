//! Models as jobs use them: the stored row and its weights, fetched and checked once.

use std::collections::VecDeque;
use std::sync::Arc;

use lookalike_shared::db::PgPool;
use lookalike_shared::db::models::{Model, get_model, get_model_by_id};
use lookalike_shared::db::workers::find_engine;
use lookalike_shared::domain::backbone::{self, Backbone};
use lookalike_shared::domain::name::ModelRef;
use lookalike_shared::storage::Storage;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::inference::{ModelSpec, Proven};
use crate::network::Normalisation;
use crate::runtime::context::JobError;

/// How many models' weights are kept in memory.
const KEPT: usize = 4;

/// A model with its weights.
#[derive(Debug)]
pub struct StoredModel {
    /// The stored row.
    pub row: Model,
    /// Its network.
    pub backbone: &'static Backbone,
    /// The model as the inference thread needs it, weights included.
    pub spec: Arc<ModelSpec>,
}

impl StoredModel {
    /// Side of the square that pictures are scaled to, in pixels.
    pub fn image_size(&self) -> u32 {
        self.row.image_size.unsigned_abs()
    }

    /// What makes its probabilities believable, as its training found it; 1 where nothing is known.
    pub fn temperature(&self) -> f64 {
        let fitted = self.row.card.pointer("/metrics/calibration/temperature").and_then(Value::as_f64);
        fitted.filter(|temperature| temperature.is_finite() && *temperature > 0.0).unwrap_or(1.0)
    }

    /// The name of a class.
    pub fn class_name(&self, class: usize) -> &str {
        self.row.classes.get(class).map_or("unknown", String::as_str)
    }
}

/// Fetches models, and keeps those used last.
#[derive(Debug)]
pub struct ModelStore {
    db: PgPool,
    storage: Storage,
    device_name: String,
    kept: Mutex<VecDeque<Arc<StoredModel>>>,
}

impl ModelStore {
    /// A store with nothing in it yet, for a device that calls itself so.
    pub fn new(db: PgPool, storage: Storage, device_name: String) -> Self {
        Self { db, storage, device_name, kept: Mutex::default() }
    }

    /// The model that a reference means now.
    ///
    /// # Errors
    /// There is none, or its weights cannot be read.
    pub async fn get(&self, reference: &ModelRef) -> Result<Arc<StoredModel>, JobError> {
        let row = get_model(&self.db, reference).await?;
        self.load(row.id, Some(row)).await
    }

    /// The model of that id.
    ///
    /// # Errors
    /// There is none, or its weights cannot be read.
    pub async fn get_by_id(&self, id: Uuid) -> Result<Arc<StoredModel>, JobError> {
        self.load(id, None).await
    }

    async fn load(&self, id: Uuid, row: Option<Model>) -> Result<Arc<StoredModel>, JobError> {
        // Held while loading, so that a model is fetched once however many jobs want it.
        let mut kept = self.kept.lock().await;
        if let Some(position) = kept.iter().position(|model| model.row.id == id) {
            let model = kept.remove(position).expect("found above");
            kept.push_back(model.clone());
            return Ok(model);
        }
        let row = match row {
            Some(row) => row,
            None => get_model_by_id(&self.db, id).await?,
        };
        let model = Arc::new(self.fetch(row).await?);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(model.clone());
        Ok(model)
    }

    async fn fetch(&self, row: Model) -> Result<StoredModel, JobError> {
        let embedding_dim = usize::try_from(row.embedding_dim).unwrap_or_default();
        let backbone = backbone::variant(&row.backbone, embedding_dim)
            .map_err(|error| JobError::permanent("unknown_backbone", error.to_string()))?;
        let limit = u64::try_from(row.weights_bytes).unwrap_or_default();
        let weights = self.storage.artifacts().get(&row.weights_key, limit).await?;
        if Sha256::digest(&weights).as_slice() != row.weights_sha256 {
            let detail =
                format!("the weights of model {} are damaged: their checksum differs", row.reference());
            return Err(JobError::permanent("weights_damaged", detail));
        }
        let spec = ModelSpec {
            id: row.id,
            backbone: row.backbone.clone(),
            embedding_dim,
            classes: row.classes.len(),
            image_size: usize::try_from(row.image_size).unwrap_or_default(),
            normalisation: Normalisation::default(),
            weights,
            proven: self.proven(row.id).await?,
        };
        Ok(StoredModel { row, backbone, spec: Arc::new(spec) })
    }

    /// What earlier workers of this version chose for the model on such a device.
    async fn proven(&self, model: Uuid) -> Result<Option<Proven>, JobError> {
        let found = find_engine(&self.db, &self.device_name, env!("CARGO_PKG_VERSION"), model).await?;
        let text = |engine: &Value, field: &str| Some(engine[field].as_str()?.to_owned());
        Ok(found.and_then(|engine| {
            Some(Proven {
                engine: text(&engine, "engine")?,
                precision: text(&engine, "precision")?,
                pictures_per_second: engine["pictures_per_second"].as_f64(),
                tuning: serde_json::from_value(engine["tuning"].clone()).ok(),
            })
        }))
    }
}

//! Models as they travel.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lookalike_shared::db::models::{Model, ModelName};
use lookalike_shared::domain::name::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A name that models are stored under.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// The name.
    #[schema(example = "scenes")]
    pub name: String,
    /// The version that the name alone means: the pinned one, else the newest.
    pub default_version: i32,
    /// How many versions there are.
    pub versions: i64,
    /// The newest version.
    pub latest: ModelVersionView,
    /// The version that the name alone means.
    pub default: ModelVersionView,
}

impl From<ModelName> for ModelView {
    fn from(name: ModelName) -> Self {
        Self {
            name: name.latest.name.clone(),
            default_version: name.default.version,
            versions: name.versions,
            latest: name.latest.into(),
            default: name.default.into(),
        }
    }
}

/// One version of a model, with its card.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ModelVersion)]
pub struct ModelVersionView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "scenes")]
    pub name: String,
    /// Its version, from 1.
    pub version: i32,
    /// How jobs name it.
    #[schema(example = "scenes@1")]
    pub reference: String,
    /// Whether its name alone means this version.
    pub is_default: bool,
    /// Its network.
    #[schema(example = "mobilenet_v2")]
    pub backbone: String,
    /// Its class names, in the order of its outputs.
    pub classes: Vec<String>,
    /// Side of the square that pictures are scaled to, in pixels.
    pub image_size: i32,
    /// Length of its embeddings.
    pub embedding_dim: i32,
    /// `imported` or `trained`.
    #[schema(example = "trained")]
    pub origin: String,
    /// The job that trained it.
    pub job_id: Option<Uuid>,
    /// Share of validation pictures it classified rightly; null when it was not measured.
    pub validation_accuracy: Option<f64>,
    /// Precision by ranking and number of hits, as in a training's result; null when it was not measured.
    #[schema(value_type = Option<Object>)]
    pub precision_at: Option<Value>,
    /// Size of its weights.
    pub weights_bytes: i64,
    /// SHA-256 of its weights, in hexadecimal.
    pub weights_sha256: String,
    /// What it was trained on and how well it does. In lists it is without `hardest`, `dataset.images_per_class`,
    /// `metrics.confusion`, `metrics.per_class` and `metrics.calibration.bins`, which grow with classes and pictures.
    #[schema(value_type = Object)]
    pub card: Value,
    /// Free words.
    #[schema(value_type = Object)]
    pub labels: Value,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<Model> for ModelVersionView {
    fn from(model: Model) -> Self {
        let measured = |name| measured(&model.card, name);
        Self {
            reference: model.reference(),
            validation_accuracy: measured("validation_accuracy").and_then(Value::as_f64),
            precision_at: measured("precision_at").cloned(),
            id: model.id,
            name: model.name,
            version: model.version,
            is_default: model.is_default,
            backbone: model.backbone,
            classes: model.classes,
            image_size: model.image_size,
            embedding_dim: model.embedding_dim,
            origin: model.origin,
            job_id: model.job_id,
            weights_bytes: model.weights_bytes,
            weights_sha256: hex(&model.weights_sha256),
            card: model.card,
            labels: model.labels,
            created_at: model.created_at,
        }
    }
}

/// What a training measured, as its card keeps it.
fn measured<'a>(card: &'a Value, name: &str) -> Option<&'a Value> {
    card.get("metrics")?.get(name)
}

/// Which classes were taken for which, over the validation pictures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Confusion)]
pub struct ConfusionView {
    /// The class names, of rows and columns.
    pub classes: Vec<String>,
    /// Pictures by true class (rows) and answered class (columns).
    #[schema(value_type = Vec<Vec<u64>>)]
    pub matrix: Value,
}

impl ConfusionView {
    /// The matrix on a model's card; none when it was not measured.
    pub fn of(model: Model) -> Option<Self> {
        let matrix = measured(&model.card, "confusion").filter(|matrix| matrix.is_array())?.clone();
        Some(Self { matrix, classes: model.classes })
    }
}

/// Which version a name alone shall mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DefaultVersion)]
pub struct DefaultVersionRequest {
    /// A version there is.
    #[schema(example = 1)]
    pub version: i32,
}

/// Changes of a version's labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ModelLabels)]
pub struct LabelsRequest {
    /// Labels to set, and with null to take away; others stay.
    pub labels: BTreeMap<String, Option<String>>,
}

/// The parts of a model's import, `multipart/form-data`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it documents the parts, which are read one by one")]
#[schema(as = ModelImport)]
pub struct ImportForm {
    /// The name it gets; the next version of it is made.
    name: Name,
    /// The network that the weights are for.
    #[schema(example = "mobilenet_v2")]
    backbone: String,
    /// The weights, with torchvision's tensor names: safetensors, or what PyTorch saves (`.pth`, `.pt`, `.ot`).
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The class names in the order of the outputs: a JSON array, or one per line or comma, as text or as a
    /// file. `class_0000`, `class_0001`, ... when not given.
    #[schema(example = "[\"bowl\", \"teapot\"]")]
    classes: Option<String>,
    /// Side of the square that pictures are scaled to, in pixels; the network's own when not given.
    #[schema(example = 224)]
    image_size: Option<u32>,
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

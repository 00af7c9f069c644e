//! Indexes as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::db::gallery::graphs::Building;
use lookalike_shared::db::indexes::{Generation, Index, Partition};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::name::{ModelRef, Name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An index to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "gallery", "model": "scenes@1"}))]
#[schema(as = NewIndex)]
pub struct NewIndexRequest {
    /// Its name, not in use.
    pub name: Name,
    /// The model of its first generation.
    pub model: ModelRef,
}

/// A named, searchable collection.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = IndexSummary)]
pub struct IndexView {
    /// Its name.
    #[schema(example = "gallery")]
    pub name: String,
    /// The generation that answers searches.
    pub generation: Option<i32>,
    /// That generation's model.
    #[schema(example = "scenes@1")]
    pub model: Option<String>,
    /// Entries of that generation.
    pub entries: i64,
    /// Its partitions, one for each class of the model.
    pub partitions_count: i64,
    /// The generation that a rebuild is filling, if one is.
    pub building: Option<BuildingView>,
    /// How many retired generations a swap leaves; the others are dropped.
    #[schema(minimum = 0, maximum = 10)]
    pub keep_generations: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What of an index is changed; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IndexChanges, example = json!({"keep_generations": 2}))]
pub struct IndexChangesRequest {
    /// How many retired generations a swap leaves, 0 to 10. It counts from the next swap on.
    pub keep_generations: Option<i32>,
}

/// Which generation to activate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Activation, example = json!({"generation": 7}))]
pub struct ActivateRequest {
    /// A ready or retired generation of the index.
    pub generation: i32,
}

/// A generation under way.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = BuildingGeneration)]
pub struct BuildingView {
    /// Its number.
    pub generation: i32,
    /// Its model.
    pub model: String,
    /// Entries so far.
    pub entries: i64,
}

impl From<Generation> for BuildingView {
    fn from(generation: Generation) -> Self {
        Self { generation: generation.id, model: generation.model, entries: generation.entries }
    }
}

impl IndexView {
    /// An index with what its own row does not tell.
    pub fn of(index: Index, partitions_count: i64, building: Option<Generation>) -> Self {
        Self {
            name: index.name,
            generation: index.generation,
            model: index.model,
            entries: index.entries,
            partitions_count,
            building: building.map(BuildingView::from),
            keep_generations: index.keep_generations,
            created_at: index.created_at,
        }
    }
}

/// An index with its generations and partitions.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = IndexDetail)]
pub struct IndexDetailView {
    /// The index.
    #[serde(flatten)]
    pub index: IndexView,
    /// Every generation, newest first.
    pub generations: Vec<GenerationView>,
    /// The active generation's partitions, by class number.
    pub partitions: Vec<PartitionView>,
}

/// One build of an index.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Generation)]
pub struct GenerationView {
    /// Its number.
    pub id: i32,
    /// Its model.
    #[schema(example = "scenes@1")]
    pub model: String,
    /// Where it stands: a rebuild fills it, it waits to be activated, it answers searches, it did before, or it is going.
    #[schema(example = "active")]
    pub state: GenerationState,
    /// Its entries.
    pub entries: i64,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it was whole.
    pub ready_at: Option<DateTime<Utc>>,
    /// When it last became the active one.
    pub activated_at: Option<DateTime<Utc>>,
}

/// One build of an index with the room it takes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = StoredGeneration)]
pub struct StoredGenerationView {
    /// The generation.
    #[serde(flatten)]
    pub generation: GenerationView,
    /// What its tables take on disk, indexes included.
    pub size_bytes: i64,
}

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        Self {
            id: generation.id,
            model: generation.model,
            state: generation.state,
            entries: generation.entries,
            created_at: generation.created_at,
            ready_at: generation.ready_at,
            activated_at: generation.activated_at,
        }
    }
}

/// The graph of a partition that has outgrown exact search.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schema(as = Graph)]
pub enum GraphView {
    /// It is being built; until then the partition is searched exactly.
    Building {
        /// How much of the partition has been gone through, 0 to 1.
        #[schema(minimum = 0, maximum = 1, example = 0.4)]
        progress: f64,
    },
    /// Searches go through it.
    Ready,
}

/// The entries of one class.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Partition)]
pub struct PartitionView {
    /// The class.
    #[schema(example = "teapot")]
    pub class: String,
    /// The class's number.
    pub class_id: i32,
    /// Its entries.
    pub rows: i64,
    /// Counts up with every change.
    pub version: i64,
    /// Its graph; none: it is searched exactly.
    pub graph: Option<GraphView>,
}

impl PartitionView {
    /// A partition of a generation whose model has these classes, and whose graphs are on their way in `building`.
    pub fn of(partition: Partition, classes: &[String], building: &[Building]) -> Self {
        let on_its_way = building.iter().find(|building| building.class_id == partition.class_id);
        let building = on_its_way.map(|building| GraphView::Building { progress: building.progress });
        Self {
            class: class_name(classes, partition.class_id),
            class_id: partition.class_id,
            rows: partition.rows,
            version: partition.version,
            graph: if partition.has_graph { Some(GraphView::Ready) } else { building },
        }
    }
}

/// The name of a class number; the number itself where a model has no such class, which no generation of it has.
pub fn class_name(classes: &[String], id: i32) -> String {
    let name = usize::try_from(id).ok().and_then(|position| classes.get(position));
    name.cloned().unwrap_or_else(|| id.to_string())
}

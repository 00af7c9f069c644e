//! Evaluations as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::db::evaluations::Evaluation;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Evaluation)]
pub struct EvaluationView {
    /// Its id, which is its job's.
    pub id: Uuid,
    /// The generation that was measured.
    pub generation: i32,
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// The job's result: precision and recall at K, mean average precision, by class and by number of partitions looked
    /// into, and the queries that were answered worst.
    #[schema(value_type = Object)]
    pub result: Value,
}

impl From<Evaluation> for EvaluationView {
    fn from(evaluation: Evaluation) -> Self {
        let Evaluation { id, generation, at, result } = evaluation;
        Self { id, generation, at, result }
    }
}

//! Runs of trainings over time, for comparing devices and recipes.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::DbError;

/// A training that measured at least one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The job.
    pub id: Uuid,
    /// Its state.
    pub state: String,
    /// What was asked for.
    pub params: Value,
    /// How far it is.
    pub progress: Option<Value>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// What the device that it ran on calls itself.
    pub device: Option<String>,
    /// The model that it made, or is to make.
    pub model: String,
    /// The network, where it is known.
    pub backbone: Option<String>,
    /// Side of the pictures, where it is known.
    pub image_size: Option<i32>,
    /// The card of the model that it made.
    pub card: Option<Value>,
}

/// The newest runs, of a backbone or of any.
///
/// # Errors
/// [`DbError`].
pub async fn list_runs(
    db: impl PgExecutor<'_>,
    backbone: Option<&str>,
    limit: i64,
) -> Result<Vec<Run>, DbError> {
    Ok(sqlx::query_file_as!(Run, "queries/trainings/list_runs.sql", backbone, limit).fetch_all(db).await?)
}

/// The end of an epoch on the clock of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The run.
    pub job_id: Uuid,
    /// The epoch, from 1.
    pub epoch: i32,
    /// Time since the run began.
    pub seconds: f64,
    /// Training pictures per second within the epoch.
    pub images_per_second: Option<f64>,
    /// Steps taken by then, where the row tells.
    pub step: Option<i64>,
}

/// The epochs of runs in order, thinned to about `points` of each.
///
/// # Errors
/// [`DbError`].
pub async fn list_points(db: impl PgExecutor<'_>, runs: &[Uuid], points: i64) -> Result<Vec<Point>, DbError> {
    Ok(sqlx::query_file_as!(Point, "queries/trainings/list_points.sql", runs, points).fetch_all(db).await?)
}

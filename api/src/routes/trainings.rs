//! How fast trainings went on each device.

use actix_web::{get, web};
use lookalike_shared::db::trainings;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::Caller;
use crate::extract::Query;
use crate::problem::ApiError;
use crate::state::State;
use crate::views::training::TrainingPerformance;

/// The runs that are told of when the client does not say.
const DEFAULT_RUNS: i64 = 20;
/// The most runs that are told of.
const MAX_RUNS: i64 = 100;
/// About the most points of each.
const POINTS: i64 = 200;

/// Mounts the route.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(performance);
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// The most runs, newest first, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Only runs of this network.
    #[param(example = "mobilenet_v2")]
    backbone: Option<String>,
}

/// Iterations over time of the newest trainings, by the device that they ran on: how fast the hardware trains.
///
/// Runs that are under way are among them, as far as they have come.
#[utoipa::path(
    tag = "system",
    params(RunsQuery),
    responses((status = 200, description = "Devices and their runs", body = TrainingPerformance))
)]
#[get("/system/training-performance")]
async fn performance(
    _caller: Caller,
    state: web::Data<State>,
    query: Query<RunsQuery>,
) -> Result<web::Json<TrainingPerformance>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_RUNS);
    if !(1..=MAX_RUNS).contains(&limit) {
        let detail = format!("{limit} is out of range, 1 to {MAX_RUNS} expected");
        return Err(ApiError::invalid_field("/limit", detail));
    }
    let backbone = query.backbone.as_deref().filter(|name| !name.contains('\0'));
    let runs = trainings::list_runs(&state.db, backbone, limit).await?;
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    let points = trainings::list_points(&state.db, &ids, POINTS).await?;
    Ok(web::Json(TrainingPerformance::of(runs, &points)))
}

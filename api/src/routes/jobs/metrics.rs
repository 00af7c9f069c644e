//! What a training job measured: per epoch, or step by step.

use actix_web::{HttpResponse, get, web};
use lookalike_shared::db::jobs;
use lookalike_shared::db::metrics::{list_epochs, list_steps, sample_steps};
use lookalike_shared::domain::job::JobId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::Caller;
use crate::extract::Query;
use crate::paging::{Listed, MAX_LIMIT, Page};
use crate::problem::ApiError;
use crate::state::State;

/// What a row is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// An epoch: training and validation.
    #[default]
    Epoch,
    /// A step: training only.
    Step,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsQuery {
    /// A row per `epoch`, or of single steps.
    #[param(value_type = Option<String>, default = "epoch", example = "step")]
    by: By,
    /// With `by=step`: about so many rows, 1 to 1000, evenly spread over the run, in place of a page of all of them.
    #[param(minimum = 1, maximum = 1000)]
    points: Option<i64>,
}

/// What a training job measured, in order: a row per epoch, or with `by=step` rows of single steps.
///
/// An epoch has `loss`, `train_accuracy`, `validation_loss`, `validation_accuracy`, `learning_rate`, `images_per_second`,
/// `seconds`, and where they were measured `elapsed_seconds`, `loader_wait_share`, `utilisation_percent`,
/// `memory_used_bytes`, `precision_at_10`, `map` and `eta_seconds`. A step has `epoch`, `loss`, `accuracy`,
/// `learning_rate`, `images_per_second`, `loader_wait_share` and `elapsed_seconds`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path), MetricsQuery, Page),
    responses((status = 200, description = "Rows with `epoch` or `step` and what was measured in it", body = Listed<Object>))
)]
#[get("/jobs/{id}/metrics")]
pub(super) async fn list(
    _caller: Caller,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    query: Query<MetricsQuery>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let limit = page.limit()?;
    jobs::get_job(&state.db, id).await?;
    let listed = match (query.by, query.points) {
        (By::Epoch, None) => {
            let after = page.after::<i32>()?.unwrap_or(i32::MIN);
            let rows = list_epochs(&state.db, id, after, limit + 1).await?;
            let key = |(epoch, _): &(i32, Value)| *epoch;
            Listed::of_rows(rows, limit, key, |(epoch, row)| numbered("epoch", epoch.into(), row))
        }
        (By::Epoch, Some(_)) => return Err(ApiError::invalid_field("/points", "it is for by=step only")),
        (By::Step, None) => {
            let after = page.after::<i64>()?.unwrap_or(i64::MIN);
            of_steps(list_steps(&state.db, id, after, limit + 1).await?, limit)
        }
        (By::Step, Some(points)) if (1..=MAX_LIMIT).contains(&points) => {
            of_steps(sample_steps(&state.db, id, points).await?, i64::MAX)
        }
        (By::Step, Some(points)) => {
            let detail = format!("{points} is out of range, 1 to {MAX_LIMIT} expected");
            return Err(ApiError::invalid_field("/points", detail));
        }
    };
    Ok(HttpResponse::Ok().json(listed))
}

fn of_steps(rows: Vec<(i64, Value)>, limit: i64) -> Listed<Value> {
    Listed::of_rows(rows, limit, |(step, _)| *step, |(step, row)| numbered("step", step, row))
}

/// A row with its number under `name`, whatever it holds itself.
fn numbered(name: &str, number: i64, row: Value) -> Value {
    let mut fields = json!({name: number});
    if let (Value::Object(fields), Value::Object(row)) = (&mut fields, row) {
        fields.extend(row.into_iter().filter(|(field, _)| field != name));
    }
    fields
}

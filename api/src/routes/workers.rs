//! Workers, and how busy their devices were.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Duration, Utc};
use lookalike_shared::db::workers;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::auth::Caller;
use crate::extract::{Moment, Query};
use crate::paging::{Listed, Page};
use crate::problem::ApiError;
use crate::state::State;
use crate::views::worker::{WorkerSampleView, WorkerView};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list).service(samples);
}

/// Every worker heard of in the last day, those that live first.
#[utoipa::path(
    tag = "workers",
    params(Page),
    responses((status = 200, description = "Workers", body = Listed<WorkerView>))
)]
#[get("/workers")]
async fn list(_caller: Caller, state: web::Data<State>, page: Query<Page>) -> Result<HttpResponse, ApiError> {
    let workers = workers::list_workers(&state.db).await?;
    let listed = Listed::of_whole(workers, &page, |worker| worker.id.to_string(), WorkerView::from)?;
    Ok(HttpResponse::Ok().json(listed))
}

/// From when samples are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// Only samples taken after this time; an hour ago when not given.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
}

/// How busy a worker's device was over time, kept for a day.
#[utoipa::path(
    tag = "workers",
    params(("id" = Uuid, Path), Since, Page),
    responses((status = 200, description = "Samples, oldest first", body = Listed<WorkerSampleView>))
)]
#[get("/workers/{id}/samples")]
async fn samples(
    _caller: Caller,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    since: Query<Since>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = page.limit()?;
    let since = match page.after::<DateTime<Utc>>()? {
        Some(at) => at,
        None => Moment::or_ago(since.since, Duration::hours(1)),
    };
    let rows = workers::list_samples(&state.db, *id, since, limit + 1).await?;
    if rows.is_empty() && !workers::list_workers(&state.db).await?.iter().any(|worker| worker.id == *id) {
        return Err(ApiError::not_found("worker", id));
    }
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, |last| last.at, WorkerSampleView::from)))
}

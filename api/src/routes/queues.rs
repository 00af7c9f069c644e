//! Queues: how they stand, pause, resume, and how they stood.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use chrono::{DateTime, Duration, Utc};
use lookalike_shared::db::queues;
use lookalike_shared::domain::job::Queue;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::{Caller, Manage};
use crate::etag;
use crate::extract::{Moment, Query};
use crate::paging::{Listed, Page};
use crate::problem::ApiError;
use crate::state::State;
use crate::views::queue::{QueueSampleView, QueueView};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list).service(samples).service(get).service(pause).service(resume);
}

/// Every queue: what waits, what runs, and how fast it goes.
#[utoipa::path(
    tag = "queues",
    params(Page),
    responses((status = 200, description = "Every queue", body = Listed<QueueView>))
)]
#[get("/queues")]
async fn list(_caller: Caller, state: web::Data<State>, page: Query<Page>) -> Result<HttpResponse, ApiError> {
    let queues = queues::list_queues(&state.db).await?;
    let listed = Listed::of_whole(queues, &page, |queue| queue.name.clone(), QueueView::from)?;
    Ok(HttpResponse::Ok().json(listed))
}

/// One queue.
#[utoipa::path(
    tag = "queues",
    params(("name" = Queue, Path)),
    responses((status = 200, description = "The queue", body = QueueView))
)]
#[get("/queues/{name}")]
async fn get(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(etag::respond(&request, &find(&state, parse(&name)?).await?))
}

/// Pauses a queue: it hands out no more jobs; those that run go on. Pausing twice is no error. Needs scope
/// `manage`.
#[utoipa::path(
    tag = "queues",
    params(("name" = Queue, Path)),
    responses((status = 200, description = "The queue", body = QueueView))
)]
#[post("/queues/{name}/pause")]
async fn pause(
    caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let queue = parse(&name)?;
    if queues::mark_paused(&state.db, queue).await? {
        tracing::info!(queue = queue.as_str(), key.name = caller.key().name, "a queue was paused");
    }
    Ok(HttpResponse::Ok().json(find(&state, queue).await?))
}

/// Resumes a paused queue. Resuming twice is no error. Needs scope `manage`.
#[utoipa::path(
    tag = "queues",
    params(("name" = Queue, Path)),
    responses((status = 200, description = "The queue", body = QueueView))
)]
#[post("/queues/{name}/resume")]
async fn resume(
    caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let queue = parse(&name)?;
    if queues::mark_resumed(&state.db, queue).await? {
        tracing::info!(queue = queue.as_str(), key.name = caller.key().name, "a queue was resumed");
    }
    Ok(HttpResponse::Ok().json(find(&state, queue).await?))
}

/// From when samples are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// Only samples taken after this time; an hour ago when not given.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
}

/// How the queues stood over time: one sample each 5 seconds, kept for a day.
#[utoipa::path(
    tag = "queues",
    params(Since, Page),
    responses((status = 200, description = "Samples, oldest first", body = Listed<QueueSampleView>))
)]
#[get("/queues/samples")]
async fn samples(
    _caller: Caller,
    state: web::Data<State>,
    since: Query<Since>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = page.limit()?;
    let (since, queue) = match page.after::<(DateTime<Utc>, String)>()? {
        Some((at, queue)) => (at, Some(queue)),
        None => (Moment::or_ago(since.since, Duration::hours(1)), None),
    };
    let rows = queues::list_samples(&state.db, since, queue.as_deref(), limit + 1).await?;
    let key = |last: &queues::QueueSample| (last.at, last.queue.clone());
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, key, QueueSampleView::from)))
}

fn parse(name: &str) -> Result<Queue, ApiError> {
    name.parse().map_err(|_| ApiError::not_found("queue", name))
}

async fn find(state: &State, queue: Queue) -> Result<QueueView, ApiError> {
    let queues = queues::list_queues(&state.db).await?;
    let found = queues.into_iter().find(|status| status.name == queue.as_str());
    found.map(QueueView::from).ok_or_else(|| ApiError::not_found("queue", queue.as_str()))
}

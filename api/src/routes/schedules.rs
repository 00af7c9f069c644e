//! Schedules: made, looked at, changed, paused and resumed, run now, deleted.
//!
//! What happens when one is due is in [`crate::maintenance`]. Whatever changes a schedule holds its row, so that it is
//! never due and changed at once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use chrono::{DateTime, SubsecRound, Utc};
use lookalike_shared::db::schedules::{self, Definition, NewSchedule, Schedule};
use lookalike_shared::db::{self, PgConnection, indexes};
use lookalike_shared::domain::FieldError;
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::schedule::Plan;
use lookalike_shared::jobs::check_prefix;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::auth::{Caller, Manage, Read, Submit};
use crate::etag;
use crate::extract::{Json, Query};
use crate::idempotency::{self, Created};
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::submit::{enqueued, respond};
use crate::views::job::JobView;
use crate::views::schedule::{
    NewScheduleRequest, PreviewRequest, PreviewView, ScheduleChange, ScheduleFilter, ScheduleView,
};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_schedules)
        .service(make_schedule)
        .service(preview_schedule)
        .service(get_schedule)
        .service(change_schedule)
        .service(delete_schedule)
        .service(run_schedule);
}

/// Every schedule, by name.
#[utoipa::path(
    tag = "schedules",
    params(ScheduleFilter, Page),
    responses((status = 200, description = "A page of schedules", body = Listed<ScheduleView>))
)]
#[get("/schedules")]
async fn list_schedules(
    _caller: Caller<Read>,
    state: web::Data<State>,
    filter: Query<ScheduleFilter>,
    page: Query<Page>,
) -> Result<web::Json<Listed<ScheduleView>>, ApiError> {
    let limit = page.limit()?;
    let after: String = page.after()?.unwrap_or_default();
    let found = schedules::list_schedules(&state.db, filter.0.index.as_ref(), &after, limit + 1).await?;
    Ok(web::Json(Listed::of_rows(found, limit, |last| last.name.to_string(), ScheduleView::from)))
}

/// Make a schedule: an index follows its source.
///
/// Each due time enqueues one index job with the label `schedule` = the schedule's name. While a job of it has not ended,
/// its due times are skipped and counted; due times missed while nothing ran are one job. Needs scope `manage`.
#[utoipa::path(
    tag = "schedules",
    request_body = NewScheduleRequest,
    responses(
        (status = 201, description = "Made; `Location` names it", body = ScheduleView),
        (status = 404, description = "No such index (`index_not_found`)", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or the source does not exist", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/schedules")]
async fn make_schedule(
    caller: Caller<Manage>,
    state: web::Data<State>,
    request: HttpRequest,
    body: Json<NewScheduleRequest>,
) -> Result<HttpResponse, ApiError> {
    let wanted = body.0;
    let hash = idempotency::request_hash(&request, &[json!(wanted).to_string().as_bytes()]);
    let maker = caller.key().id;
    let work = async |tx: &mut PgConnection| make(tx, &state, &wanted, maker).await;
    let answer = idempotency::with_idempotency(&state, &caller, &request, hash, work).await?;
    if !answer.replayed {
        tracing::info!(schedule = wanted.name.as_str(), key.name = caller.key().name, "a schedule was made");
    }
    Ok(answer.respond())
}

async fn make(
    tx: &mut PgConnection,
    state: &State,
    wanted: &NewScheduleRequest,
    maker: Uuid,
) -> Result<Created, ApiError> {
    let definition = Definition {
        source: wanted.source.clone(),
        prefix: wanted.prefix.clone(),
        mode: wanted.mode,
        timing: wanted.timing(),
        paused: wanted.paused,
    };
    let now = schedules::clock(&mut *tx).await?;
    let plan = check(state, &definition, now)?;
    let index = indexes::find_index(&mut *tx, &wanted.index).await?;
    let index = index.ok_or_else(|| ApiError::index_not_found(&wanted.index))?;
    let id = Uuid::now_v7();
    let anchor_at = now.trunc_subsecs(0);
    let due = plan.next(id, anchor_at, now).filter(|_| !wanted.paused);
    let schedule = NewSchedule {
        id,
        name: wanted.name.clone(),
        index_id: index.id,
        definition,
        anchor_at,
        due,
        created_by: Some(maker),
    };
    schedules::insert_schedule(&mut *tx, &schedule).await?;
    let made = schedules::get_schedule(&mut *tx, &wanted.name).await?;
    Ok(Created {
        status: StatusCode::CREATED,
        location: Some(format!("/v1/schedules/{}", wanted.name)),
        body: json!(ScheduleView::from(made)),
    })
}

/// Every rule that a definition breaks, or when it is due.
fn check(state: &State, definition: &Definition, now: DateTime<Utc>) -> Result<Plan, ApiError> {
    let mut errors = Vec::new();
    if let Err(unknown) = state.storage.get_source(&definition.source) {
        errors.push(FieldError::new("/source", unknown.to_string()));
    }
    check_prefix(&mut errors, "/prefix", &definition.prefix);
    match definition.timing.check(now) {
        Ok(plan) if errors.is_empty() => Ok(plan),
        timing => Err(ApiError::invalid([errors, timing.err().unwrap_or_default()].concat())),
    }
}

/// When a schedule would be due, before it is made.
#[utoipa::path(
    tag = "schedules",
    request_body = PreviewRequest,
    responses(
        (status = 200, description = "The next due times", body = PreviewView),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/schedules/preview")]
async fn preview_schedule(
    _caller: Caller<Read>,
    state: web::Data<State>,
    body: Json<PreviewRequest>,
) -> Result<web::Json<PreviewView>, ApiError> {
    let now = schedules::clock(&state.db).await?;
    let plan = body.0.timing().check(now).map_err(ApiError::invalid)?;
    let anchor = now.trunc_subsecs(0);
    Ok(web::Json(PreviewView::of(plan.upcoming(Uuid::nil(), anchor, now))))
}

/// A schedule: when it is due, and how its last job ended.
#[utoipa::path(
    tag = "schedules",
    params(("name" = Name, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule", body = ScheduleView),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/schedules/{name}")]
async fn get_schedule(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    let schedule = schedules::get_schedule(&state.db, &name).await?;
    Ok(etag::respond(&request, &ScheduleView::from(schedule)))
}

/// Change a schedule, pause it (`paused: true`) or resume it.
///
/// Pausing twice is no error. A job that runs goes on. Needs scope `manage`.
#[utoipa::path(
    tag = "schedules",
    params(("name" = Name, Path, description = "The schedule")),
    request_body = ScheduleChange,
    responses(
        (status = 200, description = "The schedule as it is now", body = ScheduleView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or the source does not exist", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[patch("/schedules/{name}")]
async fn change_schedule(
    caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
    body: Json<ScheduleChange>,
) -> Result<web::Json<ScheduleView>, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let schedule = schedules::lock_schedule(&mut tx, &name).await?;
    let changed = change(&mut tx, &state, schedule, body.0).await?;
    db::commit(tx).await?;
    tracing::info!(schedule = name.as_str(), key.name = caller.key().name, "a schedule was changed");
    Ok(web::Json(ScheduleView::from(changed)))
}

async fn change(
    tx: &mut PgConnection,
    state: &State,
    schedule: Schedule,
    change: ScheduleChange,
) -> Result<Schedule, ApiError> {
    let old = &schedule.definition;
    let timing = change.timing(&old.timing);
    let definition = Definition {
        source: change.source.unwrap_or_else(|| old.source.clone()),
        prefix: change.prefix.unwrap_or_else(|| old.prefix.clone()),
        mode: change.mode.unwrap_or(old.mode),
        timing,
        paused: change.paused.unwrap_or(old.paused),
    };
    let now = schedules::clock(&mut *tx).await?;
    let plan = check(state, &definition, now)?;
    let same = definition.timing.every_seconds == old.timing.every_seconds;
    let anchor = if same { schedule.anchor_at } else { now.trunc_subsecs(0) };
    let due = match schedule.due {
        _ if definition.paused => None,
        // What is due in a moment stays so unless it is about just that.
        Some(due) if definition.timing == old.timing => Some(due),
        _ => plan.next(schedule.id, anchor, now),
    };
    schedules::update_schedule(&mut *tx, schedule.id, &definition, anchor, due).await?;
    Ok(schedules::get_schedule(tx, &schedule.name).await?)
}

/// Delete a schedule. Its jobs stay, one that runs goes on. Needs scope `manage`.
#[utoipa::path(
    tag = "schedules",
    params(("name" = Name, Path, description = "The schedule")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/schedules/{name}")]
async fn delete_schedule(
    caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    if !schedules::delete_schedule(&state.db, &name).await? {
        return Err(ApiError::not_found("schedule", name));
    }
    tracing::info!(schedule = name.as_str(), key.name = caller.key().name, "a schedule was deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// Run a schedule now, whether it is due, paused or neither; its due times stay.
#[utoipa::path(
    tag = "schedules",
    params(("name" = Name, Path, description = "The schedule")),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 404, description = "No such schedule", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A job of it has not ended: the detail names it", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/schedules/{name}/run")]
async fn run_schedule(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    let hash = idempotency::request_hash(&request, &[]);
    let key = caller.key().id;
    let work = async |tx: &mut PgConnection| {
        let schedule = schedules::lock_schedule(&mut *tx, &name).await?;
        if let Some(job) = schedule.running {
            let detail = format!("schedule \"{name}\" runs already: job {job} has not ended");
            return Err(ApiError::conflict(detail));
        }
        let job = schedules::start_now(&mut *tx, &schedule, key).await?;
        enqueued(tx, job).await
    };
    let answer = idempotency::with_idempotency(&state, &caller, &request, hash, work).await?;
    respond(&state, &request, answer).await
}

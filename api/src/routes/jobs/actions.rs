//! Stopping, pausing, trying again and deleting one job.

use actix_web::http::header;
use actix_web::{HttpResponse, delete, post, web};
use lookalike_shared::db::jobs::{self, Job, Standing};
use lookalike_shared::db::{pausing, queue};
use lookalike_shared::domain::job::{JobId, JobState};
use uuid::Uuid;

use super::bulk::Action;
use crate::auth::{Caller, Manage, Submit};
use crate::problem::ApiError;
use crate::state::State;
use crate::submit::location;
use crate::views::job::JobView;

/// Stops a job: at once when it waits (200), at its next batch when it runs (202, state `cancelling`). Stopping a
/// stopped job is no error. Needs scope `submit`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "It is cancelled", body = JobView),
        (status = 202, description = "It is being cancelled", body = JobView),
        (status = 409, description = "It has succeeded or failed already", body = crate::problem::Problem, content_type = "application/problem+json")
    )
)]
#[post("/jobs/{id}/cancel")]
pub(super) async fn cancel(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let changed = queue::cancel_jobs(&state.db, &[id]).await?;
    let job = jobs::get_job(&state.db, id).await?;
    if job.state == JobState::Cancelled {
        return Ok(HttpResponse::Ok().json(JobView::from(job)));
    }
    // A job that was stopped may be in any state by now: somebody was quick to retry it.
    if job.state == JobState::Cancelling || !changed.is_empty() {
        return Ok(accepted(job));
    }
    Err(Action::Cancel.refusal(id, standing(&job)))
}

/// Pauses a job: at once when it waits (200: it is `queued` with reason `paused`). One that runs stops at its next batch
/// and keeps what it has done and its attempt (202: it is `running` with reason `pausing` until then). A paused job is not
/// started until it is resumed. Pausing a paused job is no error. Needs scope `submit`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "It is paused", body = JobView),
        (status = 202, description = "It is being paused", body = JobView),
        (status = 409, description = "It is neither queued nor running nor retrying", body = crate::problem::Problem, content_type = "application/problem+json")
    )
)]
#[post("/jobs/{id}/pause")]
pub(super) async fn pause(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let changed = pausing::pause_jobs(&state.db, &[id]).await?;
    let job = jobs::get_job(&state.db, id).await?;
    if job.paused && job.state == JobState::Queued {
        return Ok(HttpResponse::Ok().json(JobView::from(job)));
    }
    // A job that was to be paused may be in any state by now: it may have ended before it noticed.
    if job.paused || !changed.is_empty() {
        return Ok(accepted(job));
    }
    Err(Action::Pause.refusal(id, standing(&job)))
}

/// Lets a paused job go on, from where it stopped if its kind can. Needs scope `submit`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It waits for a worker", body = JobView),
        (status = 409, description = "It is not paused", body = crate::problem::Problem, content_type = "application/problem+json")
    )
)]
#[post("/jobs/{id}/resume")]
pub(super) async fn resume(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let changed = pausing::resume_jobs(&state.db, &[id]).await?;
    let job = jobs::get_job(&state.db, id).await?;
    if changed.is_empty() { Err(Action::Resume.refusal(id, standing(&job))) } else { Ok(accepted(job)) }
}

/// Sends a failed or cancelled job back to its queue with at least one attempt left. Needs scope `submit`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It waits again", body = JobView),
        (status = 409, description = "It is neither failed nor cancelled", body = crate::problem::Problem, content_type = "application/problem+json")
    )
)]
#[post("/jobs/{id}/retry")]
pub(super) async fn retry(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let changed = queue::retry_jobs(&state.db, &[id]).await?;
    let job = jobs::get_job(&state.db, id).await?;
    if changed.is_empty() { Err(Action::Retry.refusal(id, standing(&job))) } else { Ok(accepted(job)) }
}

/// Deletes a job that has ended, with its logs, items and metrics. Needs scope `manage`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It has not ended", body = crate::problem::Problem, content_type = "application/problem+json")
    )
)]
#[delete("/jobs/{id}")]
pub(super) async fn delete(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    if jobs::delete_jobs(&state.db, &[id]).await?.is_empty() {
        let job = jobs::get_job(&state.db, id).await?;
        return Err(Action::Delete.refusal(id, standing(&job)));
    }
    Ok(HttpResponse::NoContent().finish())
}

fn standing(job: &Job) -> Standing {
    Standing { state: job.state, paused: job.paused }
}

fn accepted(job: Job) -> HttpResponse {
    let location = location(job.id);
    HttpResponse::Accepted().insert_header((header::LOCATION, location)).json(JobView::from(job))
}

//! One job, and what it said.

use actix_web::{HttpRequest, HttpResponse, get, web};
use lookalike_shared::db::jobs;
use lookalike_shared::db::logs::list_lines;
use lookalike_shared::domain::job::JobId;
use uuid::Uuid;

use crate::auth::Caller;
use crate::etag;
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::prefer;
use crate::problem::ApiError;
use crate::state::State;
use crate::submit::wait_for_end;
use crate::views::job::{JobView, LogLineView};

/// One job. With `Prefer: wait=N` the answer waits up to N seconds for the job's end.
#[utoipa::path(
    tag = "jobs",
    params(
        ("id" = Uuid, Path),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, at most 60", example = "wait=10"),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that the client has")
    ),
    responses(
        (status = 200, description = "The job", body = JobView, headers(
            ("ETag" = String, description = "Changes with the job"),
            ("Preference-Applied" = Option<String>, description = "The wait that was followed")
        )),
        (status = 304, description = "The client has it already")
    )
)]
#[get("/jobs/{id}")]
pub(super) async fn get(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let wait = prefer::wait(&request);
    let job = match wait {
        Some(wait) => wait_for_end(&state, id, wait).await?,
        None => jobs::get_job(&state.db, id).await?,
    };
    let mut response = etag::respond(&request, &JobView::from(job));
    if let Some(applied) = wait.and_then(|wait| prefer::applied(wait).try_into().ok()) {
        response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// What a job said while it ran, oldest first.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path), Page),
    responses((status = 200, description = "A page of lines", body = Listed<LogLineView>))
)]
#[get("/jobs/{id}/logs")]
pub(super) async fn logs(
    _caller: Caller,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let (limit, after) = (page.limit()?, page.after::<i64>()?);
    jobs::get_job(&state.db, id).await?;
    let rows = list_lines(&state.db, id, after.unwrap_or(0), limit + 1).await?;
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, |last| last.id, LogLineView::from)))
}

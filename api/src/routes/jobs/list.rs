//! Lists and counts of jobs.

use actix_web::{HttpResponse, get, web};
use lookalike_shared::db::jobs;
use lookalike_shared::domain::job::JobId;

use super::filter::JobQuery;
use crate::auth::Caller;
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::problem::ApiError;
use crate::state::State;
use crate::views::job::{JobCounts, JobView};

/// Jobs, newest first.
#[utoipa::path(
    tag = "jobs",
    params(JobQuery, Page),
    responses((status = 200, description = "A page of jobs", body = Listed<JobView>))
)]
#[get("/jobs")]
pub(super) async fn list(
    _caller: Caller,
    state: web::Data<State>,
    query: Query<JobQuery>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = page.limit()?;
    let mut filter = query.0.filter();
    filter.before = page.after::<JobId>()?;
    let rows = jobs::list_jobs(&state.db, &filter, limit + 1).await?;
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, |last| last.id, JobView::from)))
}

/// How many jobs there are, by state and by kind.
#[utoipa::path(tag = "jobs", responses((status = 200, description = "The counts", body = JobCounts)))]
#[get("/jobs/counts")]
pub(super) async fn counts(_caller: Caller, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let rows = jobs::count_jobs(&state.db).await?;
    Ok(HttpResponse::Ok().json(JobCounts::of_rows(rows)))
}

//! The hits of a finished search: by page, or all of them as a file.

use actix_web::{HttpRequest, HttpResponse, get, web};
use lookalike_shared::db::jobs::{Job, get_job};
use lookalike_shared::domain::job::{JobId, JobKind, JobState};
use serde_json::Value;
use uuid::Uuid;

use crate::auth::Caller;
use crate::csv;
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Code, Problem};
use crate::state::State;

/// The columns of a CSV file; metadata as JSON.
const COLUMNS: [&str; 10] = [
    "rank",
    "entry_id",
    "uri",
    "class",
    "probability",
    "distance",
    "similarity",
    "width",
    "height",
    "metadata",
];

/// The hits of a search that has succeeded, nearest first. With `Accept: text/csv` all of them, as a file.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path), Page),
    responses(
        (status = 200, description = "A page of hits, as in the job's result", content(
            (Listed<Object> = "application/json"), (String = "text/csv")
        )),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job is no search, or has not succeeded", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/jobs/{id}/hits")]
pub(super) async fn list_hits(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let hits = hits_of(get_job(&state.db, id).await?)?;
    if csv::is_wanted(&request) {
        let lines: String =
            std::iter::once(COLUMNS.join(",")).chain(hits.iter().map(line)).map(end).collect();
        return Ok(csv::file(&format!("hits-{id}")).body(lines));
    }
    let rank = |hit: &Value| hit["rank"].to_string();
    Ok(HttpResponse::Ok().json(Listed::of_whole(hits, &page, rank, |hit| hit)?))
}

fn hits_of(job: Job) -> Result<Vec<Value>, ApiError> {
    let refused = |detail: String| ApiError::new(Code::Conflict, detail);
    if job.kind != JobKind::Search {
        return Err(refused(format!(
            "job {} is of kind {}: only searches have hits",
            job.id,
            job.kind.as_str()
        )));
    }
    if job.state != JobState::Succeeded {
        let detail =
            format!("search {} is {}: it has hits once it has succeeded", job.id, job.state.as_str());
        return Err(refused(detail));
    }
    let hits = job.result.and_then(|mut result| Some(result.get_mut("hits")?.take()));
    Ok(match hits {
        Some(Value::Array(hits)) => hits,
        Some(_) | None => Vec::new(),
    })
}

fn line(hit: &Value) -> String {
    let field = |column: &str| match &hit[column] {
        Value::String(text) => csv::field(text),
        Value::Null => String::new(),
        // No spreadsheet takes these for a formula.
        Value::Number(number) => number.to_string(),
        value @ (Value::Bool(_) | Value::Array(_) | Value::Object(_)) => csv::field(&value.to_string()),
    };
    COLUMNS.map(field).join(",")
}

fn end(line: String) -> String {
    line + "\r\n"
}

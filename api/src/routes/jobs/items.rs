//! The pictures of a job that did not make it: as pages of JSON or as one CSV file, counted by reason, tried again.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use bytes::Bytes;
use lookalike_shared::db::indexes;
use lookalike_shared::db::items::{self, Item};
use lookalike_shared::db::jobs::{self, Job};
use lookalike_shared::domain::FieldError;
use lookalike_shared::domain::job::{JobId, JobKind};
use lookalike_shared::jobs::{Index, IndexMode, check_codes};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::{Caller, Submit};
use crate::csv;
use crate::extract::{List, Query};
use crate::paging::{Listed, MAX_LIMIT, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::submit::submit;
use crate::views::job::{ItemSummary, ItemView, JobView};
use crate::views::submission::RetryItemsSubmission;

/// Which items are asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemQuery {
    /// Only items of this status: `failed`.
    #[param(value_type = Option<String>, example = "failed")]
    status: Option<String>,
    /// Only items that failed for these reasons: repeated, or separated by commas.
    #[param(value_type = Option<String>, example = "corrupt,too_large")]
    code: List<String>,
}

impl ItemQuery {
    fn check(&self) -> Result<(), ApiError> {
        let mut errors = Vec::new();
        if let Some(wrong) = self.status.as_deref().filter(|status| *status != "failed") {
            let wrong: String = wrong.chars().take(80).collect();
            let detail = format!("\"{wrong}\" is no status of an item, failed expected");
            errors.push(FieldError::new("/status", detail));
        }
        check_codes(&mut errors, "/code", &self.code.0);
        if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
    }
}

/// The pictures of a job that did not make it, by URI, each with its reason. With `Accept: text/csv` all of them, or
/// all that the filters leave, in one file.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path), ItemQuery, Page),
    responses((status = 200, description = "A page of items, or a file of all", content(
        (Listed<ItemView> = "application/json"), (String = "text/csv")
    )))
)]
#[get("/jobs/{id}/items")]
pub(super) async fn list(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    query: Query<ItemQuery>,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    jobs::get_job(&state.db, id).await?;
    let query = query.0;
    query.check()?;
    if csv::is_wanted(&request) {
        return Ok(export(state, id, query));
    }
    let (limit, after) = (page.limit()?, page.after::<String>()?.unwrap_or_default());
    let (status, codes) = (query.status.as_deref(), &query.code.0);
    let rows = items::list_items(&state.db, id, status, codes, &after, limit + 1).await?;
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, |last| last.uri.clone(), ItemView::from)))
}

/// How many pictures of a job failed, and for which reasons, the most frequent first.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The counts", body = ItemSummary))
)]
#[get("/jobs/{id}/items/summary")]
pub(super) async fn summary(
    _caller: Caller,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<web::Json<ItemSummary>, ApiError> {
    let id = JobId(*id);
    jobs::get_job(&state.db, id).await?;
    Ok(web::Json(ItemSummary::of_rows(items::count_by_code(&state.db, id).await?)))
}

/// Indexes only those pictures again that an index job failed with, all or those of some reasons.
///
/// A new job with what the earlier one was asked for and `failed_of`, its id; it adds and updates, and removes nothing.
/// The earlier job's labels and those given here are its labels. Needs scope `submit`.
#[utoipa::path(
    tag = "jobs",
    params(("id" = Uuid, Path)),
    request_body = RetryItemsSubmission,
    responses(
        (status = 202, description = "Enqueued; `Location` names the new job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 404, description = "No such job, or its index is gone", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is no index job, has not ended, or no such picture failed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json")
    )
)]
#[post("/jobs/{id}/items/retry")]
pub(super) async fn retry(
    caller: Caller<Submit>,
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    body: RetryItemsSubmission,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let (codes, mut common) = (body.payload.codes, body.common);
    let mut errors = Vec::new();
    check_codes(&mut errors, "/codes", &codes);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let job = jobs::get_job(&state.db, id).await?;
    let payload = failed_only(&job, codes)?;
    if items::list_failed_uris(&state.db, id, &payload.failed_codes, "", 1).await?.is_empty() {
        let which = if payload.failed_codes.is_empty() { "" } else { " for one of these reasons" };
        return Err(ApiError::conflict(format!("no picture of job \"{id}\" failed{which}")));
    }
    let index = indexes::find_index(&state.db, &payload.index).await?;
    index.ok_or_else(|| ApiError::index_not_found(&payload.index))?;
    let earlier: BTreeMap<String, String> = serde_json::from_value(job.labels).unwrap_or_default();
    for (name, value) in earlier {
        common.labels.entry(name).or_insert(value);
    }
    submit(&state, &caller, &request, payload, common, Vec::new()).await
}

/// What an ended index job was asked for, narrowed to what it failed with.
fn failed_only(job: &Job, codes: Vec<String>) -> Result<Index, ApiError> {
    let id = job.id;
    if job.kind != JobKind::Index {
        let detail = format!(
            "job \"{id}\" is of kind {}: only an index job's pictures can be tried again",
            job.kind.as_str()
        );
        return Err(ApiError::conflict(detail));
    }
    if !job.state.is_final() {
        let detail = format!(
            "job \"{id}\" is {}: its failed pictures can be tried again once it has ended",
            job.state.as_str()
        );
        return Err(ApiError::conflict(detail));
    }
    let unknown = |_| ApiError::conflict(format!("job \"{id}\" was asked for by another version"));
    let earlier: Index = serde_json::from_value(job.params.clone()).map_err(unknown)?;
    Ok(Index {
        // The index has one by now, which a rebuild may have changed.
        model: None,
        // A sync would remove every picture that did not fail.
        mode: IndexMode::Add,
        dry_run: false,
        failed_of: Some(id.0),
        failed_codes: codes,
        ..earlier
    })
}

/// Streams every item that is asked for, a page of the database at a time.
fn export(state: web::Data<State>, job: JobId, query: ItemQuery) -> HttpResponse {
    let lines = async_stream::try_stream! {
        yield Bytes::from_static(b"uri,status,code,detail,at\r\n");
        let mut after = String::new();
        loop {
            let (status, codes) = (query.status.as_deref(), &query.code.0);
            let found = items::list_items(&state.db, job, status, codes, &after, MAX_LIMIT).await;
            let found = found.map_err(ApiError::from)?;
            let Some(last) = found.last() else { break };
            after = last.uri.clone();
            let text: String = found.iter().map(csv_line).collect();
            yield Bytes::from(text);
        }
    };
    let lines: std::pin::Pin<Box<dyn futures::Stream<Item = Result<Bytes, ApiError>>>> = Box::pin(lines);
    csv::file(&format!("items-{job}")).streaming(lines)
}

fn csv_line(item: &Item) -> String {
    let fields = [&item.uri, &item.status, &item.code, &item.detail].map(|field| csv::field(field));
    format!("{},{}\r\n", fields.join(","), item.at.to_rfc3339())
}

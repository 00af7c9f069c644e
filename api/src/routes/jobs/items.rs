//! The pictures of a job that did not make it, as pages of JSON or as one CSV file.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use lookalike_shared::db::items::{self, Item};
use lookalike_shared::db::jobs;
use lookalike_shared::domain::job::JobId;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::Caller;
use crate::extract::Query;
use crate::paging::{Listed, MAX_LIMIT, Page};
use crate::problem::ApiError;
use crate::state::State;
use crate::views::job::ItemView;

/// Which items are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemQuery {
    /// Only items of this status: `failed`.
    #[param(value_type = Option<String>, example = "failed")]
    status: Option<String>,
}

/// The pictures of a job that did not make it, by URI, each with its reason. With `Accept: text/csv` all of them
/// in one file.
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
    let status = query.0.status;
    if let Some(wrong) = status.as_deref().filter(|status| *status != "failed") {
        let detail = format!(
            "\"{}\" is no status of an item, failed expected",
            wrong.chars().take(80).collect::<String>()
        );
        return Err(ApiError::invalid_field("/status", detail));
    }
    if wants_csv(&request) {
        return Ok(export(state, id, status));
    }
    let (limit, after) = (page.limit()?, page.after::<String>()?.unwrap_or_default());
    let rows = items::list_items(&state.db, id, status.as_deref(), &after, limit + 1).await?;
    Ok(HttpResponse::Ok().json(Listed::of_rows(rows, limit, |last| last.uri.clone(), ItemView::from)))
}

fn wants_csv(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/csv"))
}

/// Streams every item, a page of the database at a time.
fn export(state: web::Data<State>, job: JobId, status: Option<String>) -> HttpResponse {
    let lines = async_stream::try_stream! {
        yield Bytes::from_static(b"uri,status,code,detail,at\r\n");
        let mut after = String::new();
        loop {
            let found = items::list_items(&state.db, job, status.as_deref(), &after, MAX_LIMIT).await;
            let found = found.map_err(ApiError::from)?;
            let Some(last) = found.last() else { break };
            after = last.uri.clone();
            let text: String = found.iter().map(csv_line).collect();
            yield Bytes::from(text);
        }
    };
    let lines: std::pin::Pin<Box<dyn futures::Stream<Item = Result<Bytes, ApiError>>>> = Box::pin(lines);
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"items-{job}.csv\"")))
        .streaming(lines)
}

fn csv_line(item: &Item) -> String {
    let fields = [&item.uri, &item.status, &item.code, &item.detail].map(|field| csv_field(field));
    format!("{},{}\r\n", fields.join(","), item.at.to_rfc3339())
}

/// A field of a CSV file (RFC 4180), quoted where needed. A leading `=`, `+`, `-` or `@` would be a formula to a
/// spreadsheet, so it gets an apostrophe, which spreadsheets read as "text follows".
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        assert_eq!(csv_field("photos/a.jpg"), "photos/a.jpg");
        assert_eq!(csv_field("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(csv_field("=1+1"), "'=1+1");
    }
}

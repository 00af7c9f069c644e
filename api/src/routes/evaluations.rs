//! What evaluations found of an index's generations, over time.

use actix_web::{HttpRequest, HttpResponse, get, web};
use lookalike_shared::db::DbError;
use lookalike_shared::db::evaluations::{find_query_thumbnail, list_evaluations};
use lookalike_shared::domain::name::Name;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::entries::jpeg_response;
use super::indexes::find;
use crate::auth::{Caller, Read};
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::evaluation::EvaluationView;

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list).service(thumbnail);
}

/// The evaluations of an index's generations, newest first. They stay for as long as their generations do.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), Page),
    responses(
        (status = 200, description = "A page of evaluations", body = Listed<EvaluationView>),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/evaluations")]
async fn list(
    _caller: Caller<Read>,
    state: web::Data<State>,
    name: web::Path<Name>,
    page: Query<Page>,
) -> Result<web::Json<Listed<EvaluationView>>, ApiError> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = find(&mut connection, &name).await?;
    let rows = list_evaluations(&mut *connection, index.id, before, limit + 1).await?;
    Ok(web::Json(Listed::of_rows(rows, limit, |last| last.id, EvaluationView::from)))
}

/// A small JPEG of a query that an evaluation answered worst.
#[utoipa::path(
    tag = "indexes",
    params(
        ("name" = Name, Path, description = "The index"),
        ("id" = Uuid, Path, description = "The evaluation, which has its job's id"),
        ("position" = i32, Path, description = "Which of the worst, from 0"),
    ),
    responses(
        (status = 200, description = "The thumbnail", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such index, evaluation or query", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/evaluations/{id}/queries/{position}/thumbnail")]
async fn thumbnail(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, Uuid, i32)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id, position) = path.into_inner();
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = find(&mut connection, &name).await?;
    let found = find_query_thumbnail(&mut *connection, index.id, id, position).await?;
    let bytes = found.ok_or_else(|| ApiError::not_found("query", format!("{id}/{position}")))?;
    Ok(jpeg_response(&request, bytes))
}

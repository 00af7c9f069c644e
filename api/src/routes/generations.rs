//! Generations of an index: looked at, activated, rolled back, dropped.
//!
//! A swap is one short transaction that touches no table of vectors; searches see the one generation or the other.
//! What it leaves too many of is dropped afterwards, when nothing reads it: here at once, else by maintenance.

use std::collections::HashMap;

use actix_web::{HttpResponse, delete, get, post, web};
use lookalike_shared::db::indexes::Index;
use lookalike_shared::db::{self, DbError, Transaction, generations, indexes};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::name::Name;
use utoipa_actix_web::service_config::ServiceConfig;

use super::indexes::{detail, find, lock};
use crate::auth::{Caller, Manage, Read};
use crate::extract::{Json, Query};
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::index::{ActivateRequest, GenerationView, IndexDetailView, StoredGenerationView};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list).service(activate).service(roll_back).service(drop_generation);
}

/// The generations of an index, newest first, each with the room it takes.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), Page),
    responses(
        (status = 200, description = "A page of generations", body = Listed<StoredGenerationView>),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/generations")]
async fn list(
    _caller: Caller<Read>,
    state: web::Data<State>,
    name: web::Path<Name>,
    page: Query<Page>,
) -> Result<web::Json<Listed<StoredGenerationView>>, ApiError> {
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = find(&mut connection, &name).await?;
    let found = indexes::list_generations(&mut *connection, index.id).await?;
    let ids: Vec<i32> = found.iter().map(|generation| generation.id).collect();
    let sizes: HashMap<i32, i64> =
        generations::list_sizes(&mut *connection, &ids).await?.into_iter().collect();
    let view = |generation: indexes::Generation| StoredGenerationView {
        size_bytes: sizes.get(&generation.id).copied().unwrap_or_default(),
        generation: GenerationView::from(generation),
    };
    Ok(web::Json(Listed::of_whole(found, &page, |generation| generation.id.to_string(), view)?))
}

/// Make a generation the active one.
///
/// It is one that a rebuild with `activate: false` has left ready, or one that was active before. Searches that come
/// from now on look into it, with its model; the one that was active retires. Retired ones beyond the index's
/// `keep_generations`, and ready ones older than 7 days, are dropped. Activating the active one changes nothing. Needs
/// scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    request_body = ActivateRequest,
    responses(
        (status = 200, description = "The index with that generation", body = IndexDetailView),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is being filled or dropped", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "The index has no such generation", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/indexes/{name}/activate")]
async fn activate(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
    body: Json<ActivateRequest>,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    let wanted = body.0.generation;
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    let locked = generations::lock_generations(&mut tx, index.id).await?;
    let found = locked.iter().find(|(id, _)| *id == wanted).map(|(_, state)| *state);
    match found {
        None => {
            let detail = format!("index \"{name}\" has no generation {wanted}");
            Err(ApiError::invalid_field("/generation", detail))
        }
        Some(GenerationState::Active) => Ok(web::Json(detail(&mut tx, index).await?)),
        Some(GenerationState::Ready | GenerationState::Retired) => swap(&state, tx, &index, wanted).await,
        Some(standing @ (GenerationState::Building | GenerationState::Dropping)) => {
            let detail =
                format!("generation {wanted} is {}: only a whole one can be activated", standing.as_str());
            Err(ApiError::conflict(detail))
        }
    }
}

/// Go back to the generation before.
///
/// The generation that was active last becomes the active one again, and the active one retires. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    responses(
        (status = 200, description = "The index with its other generation", body = IndexDetailView),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no earlier generation", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/indexes/{name}/rollback")]
async fn roll_back(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    generations::lock_generations(&mut tx, index.id).await?;
    let found = indexes::list_generations(&mut *tx, index.id).await?;
    let retired = found.iter().filter(|generation| generation.state == GenerationState::Retired);
    let retired = retired.max_by_key(|generation| generation.activated_at);
    let none = || ApiError::conflict(format!("index \"{}\" has no earlier generation", index.name));
    let generation = retired.ok_or_else(none)?.id;
    swap(&state, tx, &index, generation).await
}

/// Activates a generation, then drops what the index keeps no longer, and tells of the index.
async fn swap(
    state: &State,
    mut tx: Transaction,
    index: &Index,
    generation: i32,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    indexes::activate_generation(&mut tx, index.id, generation).await?;
    generations::mark_surplus(&mut *tx, index.id).await?;
    db::commit(tx).await?;
    drop_what_can_go(state).await;
    let name = index.name.parse::<Name>().map_err(|_| ApiError::index_not_found(&index.name))?;
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = find(&mut connection, &name).await?;
    Ok(web::Json(detail(&mut connection, index).await?))
}

/// Drop a generation that is not in use.
///
/// Its tables go at once or, while something reads them, within seconds; until then it is listed as `dropping`. Needs
/// scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(
        ("name" = Name, Path, description = "The index"),
        ("id" = i32, Path, description = "The generation's number"),
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "No such index or generation", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "It answers searches, or a job fills it", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[delete("/indexes/{name}/generations/{id}")]
async fn drop_generation(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    path: web::Path<(Name, i32)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id) = path.into_inner();
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    let locked = generations::lock_generations(&mut tx, index.id).await?;
    if !locked.iter().any(|(known, _)| *known == id) {
        return Err(ApiError::not_found("generation", id));
    }
    if index.generation == Some(id) {
        let detail =
            format!("generation {id} answers the searches of index \"{name}\": activate another first");
        return Err(ApiError::conflict(detail));
    }
    if let Some(job) = generations::find_filler(&mut *tx, id).await? {
        let detail = format!("job {job} fills generation {id}: cancel it, or wait for its end");
        return Err(ApiError::conflict(detail));
    }
    // One that is on its way already is no error.
    generations::mark_dropping(&mut *tx, id).await?;
    db::commit(tx).await?;
    drop_what_can_go(&state).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Drops at once what nothing reads; maintenance does the rest.
async fn drop_what_can_go(state: &State) {
    if let Err(error) = generations::drop_unused(&state.db).await {
        tracing::warn!(%error, "old generations stay for now");
    }
}

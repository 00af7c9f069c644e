//! Indexes: made, looked at, emptied, rolled back and deleted.
//!
//! Whatever changes an index's generations holds the index's row; whatever changes a generation's entries holds
//! the generation's.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use lookalike_shared::db::indexes::{self, Generation, Index};
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::db::{self, DbError, PgConnection, gallery};
use lookalike_shared::domain::name::Name;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::auth::{Caller, Manage, Read};
use crate::etag;
use crate::extract::{Json, Query};
use crate::idempotency::{self, Created};
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::index::{GenerationView, IndexDetailView, IndexView, NewIndexRequest, PartitionView};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_indexes)
        .service(make_index)
        .service(get_index)
        .service(delete_index)
        .service(clear_index)
        .service(roll_back_index);
}

/// Every index, by name.
#[utoipa::path(
    tag = "indexes",
    params(Page),
    responses((status = 200, description = "A page of indexes", body = Listed<IndexView>))
)]
#[get("/indexes")]
async fn list_indexes(
    _caller: Caller<Read>,
    state: web::Data<State>,
    page: Query<Page>,
) -> Result<web::Json<Listed<IndexView>>, ApiError> {
    let limit = page.limit()?;
    let after: String = page.after()?.unwrap_or_default();
    let found = indexes::list_indexes(&state.db, &after, limit + 1).await?;
    let ids: Vec<Uuid> = found.iter().map(|index| index.id).collect();
    let active: Vec<i32> = found.iter().filter_map(|index| index.generation).collect();
    let mut building: HashMap<Uuid, Generation> = indexes::list_building(&state.db, &ids)
        .await?
        .into_iter()
        .map(|generation| (generation.index_id, generation))
        .collect();
    let partitions: HashMap<i32, i64> =
        indexes::count_partitions(&state.db, &active).await?.into_iter().collect();
    Ok(web::Json(Listed::of_rows(
        found,
        limit,
        |last| last.name.clone(),
        |index| {
            let count = index.generation.and_then(|generation| partitions.get(&generation)).copied();
            let under_way = building.remove(&index.id);
            IndexView::of(index, count.unwrap_or_default(), under_way)
        },
    )))
}

/// Make an empty index. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    request_body = NewIndexRequest,
    responses(
        (status = 201, description = "Made; `Location` names it", body = IndexDetailView),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or there is no such model", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/indexes")]
async fn make_index(
    caller: Caller<Manage>,
    state: web::Data<State>,
    request: HttpRequest,
    body: Json<NewIndexRequest>,
) -> Result<HttpResponse, ApiError> {
    let wanted = body.0;
    let hash = idempotency::request_hash(&request, &[json!(wanted).to_string().as_bytes()]);
    let work = async |tx: &mut PgConnection| {
        let model = models::find_model(&mut *tx, &wanted.model).await?;
        let no_model =
            || ApiError::invalid_field("/model", format!("there is no model \"{}\"", wanted.model));
        let model = model.ok_or_else(no_model)?;
        create_index(&mut *tx, &wanted.name, &model).await?;
        let index = indexes::get_index(&mut *tx, &wanted.name).await?;
        Ok(Created {
            status: StatusCode::CREATED,
            location: Some(format!("/v1/indexes/{}", wanted.name)),
            body: json!(detail(tx, index).await?),
        })
    };
    let answer = idempotency::with_idempotency(&state, &caller, &request, hash, work).await?;
    Ok(answer.respond())
}

/// Makes an index with one empty, active generation of `model`, and gives the generation's number.
///
/// # Errors
/// 409 when the name is taken.
pub async fn create_index(tx: &mut PgConnection, name: &Name, model: &Model) -> Result<i32, ApiError> {
    let id = Uuid::now_v7();
    let classes = i32::try_from(model.classes.len()).expect("a model has at most some thousand classes");
    indexes::insert_index(&mut *tx, id, name).await?;
    let generation = indexes::begin_generation(tx, id, model.id, classes, model.embedding_dim).await?;
    indexes::activate_generation(tx, id, generation).await?;
    Ok(generation)
}

/// An index with its generations and partitions.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    responses(
        (status = 200, description = "The index", body = IndexDetailView),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}")]
async fn get_index(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = find(&mut connection, &name).await?;
    Ok(etag::respond(&request, &detail(&mut connection, index).await?))
}

/// Empty an index.
///
/// Its model and earlier generations stay. An index job that runs meanwhile goes on filling it; a rebuild that runs
/// ends, for it would bring back what was there. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    responses(
        (status = 200, description = "The index, empty", body = IndexDetailView),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/indexes/{name}/clear")]
async fn clear_index(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    if let Some(generation) = index.generation {
        gallery::lock_generation(&mut tx, generation).await?;
        gallery::clear_generation(&mut tx, generation).await?;
    }
    for generation in indexes::list_building(&mut *tx, &[index.id]).await? {
        indexes::drop_generation(&mut tx, generation.id).await?;
    }
    let index = find(&mut tx, &name).await?;
    let cleared = detail(&mut tx, index).await?;
    db::commit(tx).await?;
    Ok(web::Json(cleared))
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
async fn roll_back_index(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    let generations = indexes::list_generations(&mut *tx, index.id).await?;
    let retired = generations.iter().filter(|generation| generation.state == "retired");
    let retired = retired.max_by_key(|generation| generation.activated_at);
    let none = || ApiError::conflict(format!("index \"{}\" has no earlier generation", index.name));
    let generation = retired.ok_or_else(none)?.id;
    indexes::activate_generation(&mut tx, index.id, generation).await?;
    let index = find(&mut tx, &name).await?;
    let rolled_back = detail(&mut tx, index).await?;
    db::commit(tx).await?;
    Ok(web::Json(rolled_back))
}

/// Delete an index with all its generations.
///
/// The pictures stay in their sources, the models are kept. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/indexes/{name}")]
async fn delete_index(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let index = lock(&mut tx, &name).await?;
    for generation in indexes::list_generations(&mut *tx, index.id).await? {
        indexes::drop_generation(&mut tx, generation.id).await?;
    }
    indexes::delete_index(&mut *tx, index.id).await?;
    db::commit(tx).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The index of that name.
///
/// # Errors
/// 404 `index_not_found`.
pub async fn find(connection: &mut PgConnection, name: &Name) -> Result<Index, ApiError> {
    indexes::find_index(connection, name).await?.ok_or_else(|| ApiError::index_not_found(name))
}

/// The index of that name, whose row this transaction then holds.
async fn lock(tx: &mut PgConnection, name: &Name) -> Result<Index, ApiError> {
    let index = find(&mut *tx, name).await?;
    if !indexes::lock_index(&mut *tx, index.id).await? {
        return Err(ApiError::index_not_found(name));
    }
    // Read again: what was read before the lock may have changed since.
    find(tx, name).await
}

async fn detail(connection: &mut PgConnection, index: Index) -> Result<IndexDetailView, ApiError> {
    let generations = indexes::list_generations(&mut *connection, index.id).await?;
    let partitions = match (index.generation, index.model_id) {
        (Some(generation), Some(model)) => {
            let model = models::get_model_by_id(&mut *connection, model).await?;
            let rows = indexes::list_partitions(connection, generation).await?;
            rows.into_iter().map(|row| PartitionView::of(row, &model.classes)).collect()
        }
        _ => Vec::new(),
    };
    let building = generations.iter().find(|generation| generation.state == "building").cloned();
    let count = i64::try_from(partitions.len()).unwrap_or_default();
    Ok(IndexDetailView {
        index: IndexView::of(index, count, building),
        generations: generations.into_iter().map(GenerationView::from).collect(),
        partitions,
    })
}

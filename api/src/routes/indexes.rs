//! Indexes: made, looked at, changed, emptied and deleted. Their generations are in [`super::generations`].
//!
//! Whatever changes an index's generations holds the index's row; whatever changes a generation's entries holds
//! the generation's. Tables are taken last, and never waited for longer than searches can stand.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use lookalike_shared::db::gallery::graphs;
use lookalike_shared::db::indexes::{self, Generation, Index};
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::db::{self, DbError, PgConnection, generations};
use lookalike_shared::domain::generation::{GenerationState, MAX_KEPT};
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
use crate::views::index::{
    GenerationView, IndexChangesRequest, IndexDetailView, IndexView, NewIndexRequest, PartitionView,
};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_indexes)
        .service(make_index)
        .service(get_index)
        .service(delete_index)
        .service(change_index)
        .service(clear_index);
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

/// Change how many retired generations an index keeps.
///
/// It counts from the next swap, activation or rollback on: then those that were active last stay, and the others are
/// dropped. Generations that are ready stay for 7 days at least, whatever is set here. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index")),
    request_body = IndexChangesRequest,
    responses(
        (status = 200, description = "The index as it is now", body = IndexDetailView),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json"),
    )
)]
#[patch("/indexes/{name}")]
async fn change_index(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
    body: Json<IndexChangesRequest>,
) -> Result<web::Json<IndexDetailView>, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let index = find(&mut tx, &name).await?;
    if let Some(count) = body.0.keep_generations {
        if !(0..=MAX_KEPT).contains(&count) {
            let detail = format!("{count} is out of range, 0 to {MAX_KEPT} expected");
            return Err(ApiError::invalid_field("/keep_generations", detail));
        }
        indexes::set_keep_generations(&mut *tx, index.id, count).await?;
    }
    let index = find(&mut tx, &name).await?;
    let changed = detail(&mut tx, index).await?;
    db::commit(tx).await?;
    Ok(web::Json(changed))
}

/// Empty an index.
///
/// Its model and its other generations stay. An index job that runs meanwhile goes on filling it; a rebuild that runs
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
    let cleared = patiently(async |patience| clear(&state, &name, patience).await).await?;
    cleared.map(web::Json).ok_or_else(|| ApiError::index_not_found(&*name))
}

async fn clear(state: &State, name: &Name, patience: Duration) -> Result<Option<IndexDetailView>, DbError> {
    let mut tx = db::begin(&state.db).await?;
    let Some(index) = find_locked(&mut tx, name).await? else { return Ok(None) };
    let locked = generations::lock_generations(&mut tx, index.id).await?;
    generations::limit_lock_waits(&mut tx, patience).await?;
    for (generation, standing) in locked {
        match standing {
            GenerationState::Active => generations::clear_entries(&mut tx, generation).await?,
            GenerationState::Building => indexes::drop_generation(&mut tx, generation).await?,
            GenerationState::Ready | GenerationState::Retired | GenerationState::Dropping => {}
        }
    }
    let index = indexes::get_index(&mut *tx, name).await?;
    let cleared = detail(&mut tx, index).await?;
    db::commit(tx).await?;
    Ok(Some(cleared))
}

/// Delete an index with all its generations.
///
/// The pictures stay in their sources, the models are kept. Jobs that fill it end at their next batch. Needs scope
/// `manage`.
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
    match patiently(async |patience| delete(&state, &name, patience).await).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::index_not_found(&*name)),
    }
}

async fn delete(state: &State, name: &Name, patience: Duration) -> Result<bool, DbError> {
    let mut tx = db::begin(&state.db).await?;
    let Some(index) = find_locked(&mut tx, name).await? else { return Ok(false) };
    let locked = generations::lock_generations(&mut tx, index.id).await?;
    generations::limit_lock_waits(&mut tx, patience).await?;
    for (generation, _) in locked {
        indexes::drop_generation(&mut tx, generation).await?;
    }
    indexes::delete_index(&mut *tx, index.id).await?;
    db::commit(tx).await?;
    Ok(true)
}

/// How long the tries to take tables from under those who read them wait, one after the other: while one waits, whoever
/// comes to read waits behind it.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Tries again, more patiently, what a reader of the same tables was in the way of.
async fn patiently<T>(work: impl AsyncFn(Duration) -> Result<T, DbError>) -> Result<T, ApiError> {
    let [hasty @ .., last] = PATIENCE;
    for patience in hasty {
        match work(patience).await {
            Err(error) if error.is_lock_timeout() => {}
            done => return Ok(done?),
        }
    }
    Ok(work(last).await?)
}

/// The index of that name.
///
/// # Errors
/// 404 `index_not_found`.
pub async fn find(connection: &mut PgConnection, name: &Name) -> Result<Index, ApiError> {
    indexes::find_index(connection, name).await?.ok_or_else(|| ApiError::index_not_found(name))
}

/// The index of that name, whose row this transaction then holds.
pub(super) async fn lock(tx: &mut PgConnection, name: &Name) -> Result<Index, ApiError> {
    find_locked(tx, name).await?.ok_or_else(|| ApiError::index_not_found(name))
}

async fn find_locked(tx: &mut PgConnection, name: &Name) -> Result<Option<Index>, DbError> {
    let Some(index) = indexes::find_index(&mut *tx, name).await? else { return Ok(None) };
    if !indexes::lock_index(&mut *tx, index.id).await? {
        return Ok(None);
    }
    // Read again: what was read before the lock may have changed since.
    indexes::find_index(tx, name).await
}

/// All that is told of an index.
pub(super) async fn detail(connection: &mut PgConnection, index: Index) -> Result<IndexDetailView, DbError> {
    let generations = indexes::list_generations(&mut *connection, index.id).await?;
    let partitions = match (index.generation, index.model_id) {
        (Some(generation), Some(model)) => {
            let model = models::get_model_by_id(&mut *connection, model).await?;
            let building = graphs::list_building(&mut *connection, generation).await?;
            let rows = indexes::list_partitions(connection, generation).await?;
            rows.into_iter().map(|row| PartitionView::of(row, &model.classes, &building)).collect()
        }
        _ => Vec::new(),
    };
    let building =
        generations.iter().find(|generation| generation.state == GenerationState::Building).cloned();
    let count = i64::try_from(partitions.len()).unwrap_or_default();
    Ok(IndexDetailView {
        index: IndexView::of(index, count, building),
        generations: generations.into_iter().map(GenerationView::from).collect(),
        partitions,
    })
}

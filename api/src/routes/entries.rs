//! Entries of an index's active generation, and their pictures.
//!
//! A thumbnail comes from the database; the picture itself from the source it was indexed from, by the key that
//! is stored with the entry: a client never names a key. Both are served so that a browser shows them as
//! pictures and as nothing else.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use futures::StreamExt;
use futures::stream;
use lookalike_shared::db::gallery::{self, Entry};
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::db::indexes::Index;
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::db::{self, DbError, PgConnection};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::StorageError;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::indexes;
use crate::auth::{Caller, Manage, Read};
use crate::etag;
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::picture::Format;
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::entry::EntryView;

/// What a served picture may do when it is opened as a page of its own: nothing.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_entries)
        .service(get_entry)
        .service(delete_entry)
        .service(get_thumbnail)
        .service(get_image);
}

/// What a list of entries is narrowed to.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EntryFilter {
    /// Only entries of this class.
    #[serde(default)]
    #[param(required = false, example = "teapot")]
    class: Option<String>,
}

/// How often a read begins again whose generation was dropped after it was looked up.
const SWAPS: usize = 3;

/// Reads from the active generation of an index; from the one that took its place when it was dropped meanwhile.
async fn in_active<T>(
    state: &State,
    name: &Name,
    read: impl AsyncFn(&mut PgConnection, i32, &Index) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    for _ in 0..SWAPS {
        let index = indexes::find(&mut connection, name).await?;
        let Some(generation) = index.generation else { break };
        match read(&mut connection, generation, &index).await {
            Err(error) if error.is_of(has_vanished) => {}
            done => return done,
        }
    }
    Err(ApiError::conflict(format!("index \"{name}\" has no active generation")))
}

/// The model of an index's active generation.
async fn model_of(connection: &mut PgConnection, index: &Index) -> Result<Model, ApiError> {
    let none = || ApiError::conflict(format!("index \"{}\" has no active generation", index.name));
    Ok(models::get_model_by_id(connection, index.model_id.ok_or_else(none)?).await?)
}

/// The entries of an index, in the order they were indexed.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), EntryFilter, Page),
    responses(
        (status = 200, description = "A page of entries", body = Listed<EntryView>),
        (status = 404, description = "No such index", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The index has no such class", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/entries")]
async fn list_entries(
    _caller: Caller<Read>,
    state: web::Data<State>,
    name: web::Path<Name>,
    filter: Query<EntryFilter>,
    page: Query<Page>,
) -> Result<web::Json<Listed<EntryView>>, ApiError> {
    let (limit, after) = (page.limit()?, page.after()?);
    let read = async |connection: &mut PgConnection, generation: i32, index: &Index| {
        let model = model_of(connection, index).await?;
        let class = filter.class.as_deref().map(|class| class_id(&model, class)).transpose()?;
        let found = gallery::list_entries(&mut *connection, generation, class, after, limit + 1).await?;
        let view = |entry| EntryView::of(name.as_str(), &model.classes, entry);
        Ok(Listed::of_rows(found, limit, |last| last.entry_id, view))
    };
    in_active(&state, &name, read).await.map(web::Json)
}

fn class_id(model: &Model, class: &str) -> Result<i32, ApiError> {
    let position = model.classes.iter().position(|known| known == class);
    let id = position.and_then(|position| i32::try_from(position).ok());
    id.ok_or_else(|| {
        let shown: String = class.chars().take(80).collect();
        ApiError::invalid_field("/class", format!("{} has no class \"{shown}\"", model.reference()))
    })
}

/// One entry.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), ("id" = Uuid, Path, description = "The entry")),
    responses(
        (status = 200, description = "The entry", body = EntryView),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such index or entry", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/entries/{id}")]
async fn get_entry(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id) = path.into_inner();
    let read = async |connection: &mut PgConnection, generation: i32, index: &Index| {
        let model = model_of(connection, index).await?;
        let entry = find(connection, generation, id).await?;
        Ok(EntryView::of(name.as_str(), &model.classes, entry))
    };
    Ok(etag::respond(&request, &in_active(&state, &name, read).await?))
}

async fn find(connection: &mut PgConnection, generation: i32, id: Uuid) -> Result<Entry, ApiError> {
    gallery::find_entry(connection, generation, id).await?.ok_or_else(|| ApiError::not_found("entry", id))
}

/// Take an entry out of the index.
///
/// Vectors, thumbnail and the note of what was indexed go; its picture stays in its source. So the next index job over
/// the same prefix, in mode `add` or `sync`, puts it back while the object is there: to keep a picture out, take it out
/// of the source. A rebuild under way leaves it out too. Needs scope `manage`.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), ("id" = Uuid, Path, description = "The entry")),
    responses(
        (status = 204, description = "Taken out"),
        (status = 404, description = "No such index or entry", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/indexes/{name}/entries/{id}")]
async fn delete_entry(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    path: web::Path<(Name, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id) = path.into_inner();
    for _ in 0..SWAPS {
        let mut tx = db::begin(&state.db).await?;
        let index = indexes::find(&mut tx, &name).await?;
        let Some(generation) = index.generation else { break };
        // What was active may have been swapped before its row could be had.
        if gallery::lock_generation(&mut tx, generation).await?.as_deref()
            != Some(GenerationState::Active.as_str())
        {
            continue;
        }
        let entry = find(&mut tx, generation, id).await?;
        gallery::delete_entries(&mut tx, generation, &[(entry.class_id, id)]).await?;
        db::commit(tx).await?;
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(ApiError::conflict(format!("index \"{name}\" has no active generation")))
}

/// A small JPEG of an entry.
///
/// Also of one that only an earlier generation holds, while that is kept: hits of a search outlive a swap.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), ("id" = Uuid, Path, description = "The entry")),
    responses(
        (status = 200, description = "The thumbnail", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such index or entry", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/entries/{id}/thumbnail")]
async fn get_thumbnail(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id) = path.into_inner();
    let find = async |connection: &mut PgConnection, generation: i32| {
        gallery::find_thumbnail(connection, generation, id).await
    };
    let found = in_any(&state, &name, find).await?;
    let bytes = found.ok_or_else(|| ApiError::not_found("entry", id))?;
    Ok(jpeg_response(&request, bytes))
}

/// A small JPEG, where the client does not have it already.
pub(super) fn jpeg_response(request: &HttpRequest, bytes: Vec<u8>) -> HttpResponse {
    let tag = etag::of(&bytes);
    let mut response = picture_response(request, &tag);
    if etag::matches(request, &tag) {
        return response.finish();
    }
    response.content_type(Format::Jpeg.content_type()).body(bytes)
}

/// The picture of an entry, from its source.
///
/// Also of one that only an earlier generation holds, while that is kept: hits of a search outlive a swap.
#[utoipa::path(
    tag = "indexes",
    params(("name" = Name, Path, description = "The index"), ("id" = Uuid, Path, description = "The entry")),
    responses(
        (status = 200, description = "The file as it is in its source", body = Vec<u8>, content_type = "image/*"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such index or entry, or its source has lost the file", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/indexes/{name}/entries/{id}/image")]
async fn get_image(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (name, id) = path.into_inner();
    let find = async |connection: &mut PgConnection, generation: i32| {
        gallery::find_entry(connection, generation, id).await
    };
    let entry = in_any(&state, &name, find).await?.ok_or_else(|| ApiError::not_found("entry", id))?;
    serve(&state, &request, &entry.uri).await
}

/// Finds something in the active generation of an index or, when it is not there, in those that were active before, the
/// last one first.
async fn in_any<T>(
    state: &State,
    name: &Name,
    find: impl AsyncFn(&mut PgConnection, i32) -> Result<Option<T>, DbError>,
) -> Result<Option<T>, ApiError> {
    let mut connection = state.db.acquire().await.map_err(DbError::from)?;
    let index = indexes::find(&mut connection, name).await?;
    let look = async |connection: &mut PgConnection, generation| match find(connection, generation).await {
        Err(error) if has_vanished(&error) => Ok(None),
        found => found,
    };
    if let Some(active) = index.generation
        && let Some(found) = look(&mut connection, active).await?
    {
        return Ok(Some(found));
    }
    let mut others = db::indexes::list_generations(&mut *connection, index.id).await?;
    others.retain(|other| {
        other.state.is_whole() && other.activated_at.is_some() && Some(other.id) != index.generation
    });
    others.sort_by_key(|other| std::cmp::Reverse(other.activated_at));
    for other in others {
        if let Some(found) = look(&mut connection, other.id).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Streams an object, named by its `source/key`.
async fn serve(state: &State, request: &HttpRequest, uri: &str) -> Result<HttpResponse, ApiError> {
    let (source, key) = uri.split_once('/').ok_or_else(|| ApiError::not_found("object", uri))?;
    let source: Name = source.parse().map_err(|_| ApiError::not_found("source", source))?;
    let opened = state.storage.get_source(&source)?.open(key).await;
    let (object, mut bytes) = opened.map_err(|error| match error {
        // What leads out of its source is not there, whatever it leads to.
        StorageError::InvalidKey { .. } => ApiError::not_found("object", uri),
        StorageError::NotFound { .. }
        | StorageError::UnknownSource { .. }
        | StorageError::Open { .. }
        | StorageError::TooLarge { .. }
        | StorageError::Denied { .. }
        | StorageError::Changed { .. }
        | StorageError::Database(_)
        | StorageError::Store { .. } => error.into(),
    })?;
    let tag = etag::of(object.etag.as_bytes());
    let mut response = picture_response(request, &tag);
    if etag::matches(request, &tag) {
        return Ok(response.finish());
    }
    let first = bytes.next().await.transpose()?.unwrap_or_default();
    match Format::sniff(&first) {
        Some(format) => response.content_type(format.content_type()),
        // No picture any more: to be saved, not shown.
        None => response
            .content_type("application/octet-stream")
            .insert_header((header::CONTENT_DISPOSITION, "attachment")),
    };
    let body = stream::once(async { Ok(first) }).chain(bytes);
    Ok(response.no_chunking(object.size).streaming(body))
}

/// The head of a picture's answer, or of 304 when the client has it.
fn picture_response(request: &HttpRequest, tag: &str) -> actix_web::HttpResponseBuilder {
    let mut response =
        if etag::matches(request, tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "private, max-age=3600"))
        .insert_header((header::VARY, "Authorization, Cookie"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX))
        // Pictures are compressed already.
        .insert_header(header::ContentEncoding::Identity);
    response
}

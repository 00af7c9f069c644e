//! The list of files that a model was made of, kept with its weights.

use actix_web::http::header as http;
use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpRequest, HttpResponse, get, web};
use lookalike_shared::db::models;
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::{StorageError, model_files_key};

use super::reference;
use crate::auth::{Caller, Read};
use crate::etag;
use crate::problem::{ApiError, Problem};
use crate::state::State;

/// The files that a version was trained on and judged by.
///
/// JSON Lines: for each file `uri`, `class`, `part` (`train` or `validation`), `size` in bytes, `etag` and `sha256`. The
/// card's `dataset.fingerprint` is over what they hold. An imported model has none.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 200, description = "One file a line", body = String, content_type = "application/jsonl"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such version, or no list of its files", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/{version}/files")]
pub async fn get_files(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    let key = model_files_key(model.id);
    // A list never changes, and its key is of this version alone.
    let tag = etag::of(key.as_bytes());
    let opened = state.storage.artifacts().open(&key).await;
    if let Err(StorageError::NotFound { .. }) = opened {
        return Err(ApiError::not_found("list of files of model", model.reference()));
    }
    let (object, bytes) = opened?;
    if etag::matches(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((http::ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl")
        .insert_header(attachment(format!("{}-{}.files.jsonl", model.name, model.version)))
        .insert_header((http::ETAG, tag))
        .insert_header((http::CACHE_CONTROL, "private, no-cache"))
        .no_chunking(object.size)
        .streaming(bytes))
}

/// Says that a body is to be saved under this name.
pub fn attachment(file_name: String) -> ContentDisposition {
    ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(file_name)],
    }
}

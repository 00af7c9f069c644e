//! Uploads: files that users put into a set, read back as source `uploads` with prefix `{set}/`.
//!
//! A file has at most as many bytes as a picture may have, an upload as many as an upload may have. Nothing that
//! is uploaded is looked into: a bad picture is told by the job that reads it.

mod archive;
mod path;
mod receive;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use futures::{StreamExt, TryStreamExt};
use lookalike_shared::config::UPLOADS;
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::Object;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::{Caller, Read, Submit};
use crate::extract::Query;
use crate::idempotency::{self, Answer, Created, IDEMPOTENCY_KEY};
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::upload::{
    StoredFileView, UploadForm, UploadReportView, UploadSetView, UploadedFileView, UploadedFilesView,
};

use self::receive::Received;

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_sets).service(list_files).service(put_file).service(upload_files).service(delete_set);
}

/// Every set of uploads, by name.
#[utoipa::path(
    tag = "sources",
    params(Page),
    responses((status = 200, description = "A page of sets", body = Listed<UploadSetView>))
)]
#[get("/uploads")]
async fn list_sets(
    _caller: Caller<Read>,
    state: web::Data<State>,
    page: Query<Page>,
) -> Result<web::Json<Listed<UploadSetView>>, ApiError> {
    let (limit, after) = (page.limit()?, page.after::<String>()?.unwrap_or_default());
    let uploads = state.storage.uploads();
    let mut rows = Vec::new();
    for folder in uploads.browse("").await?.folders {
        let name = folder.prefix.trim_end_matches('/').to_owned();
        if rows.len() as i64 > limit {
            break;
        }
        // A local store keeps the folders of a set whose files are gone.
        if name > after && uploads.list(&folder.prefix)?.next().await.transpose()?.is_some() {
            rows.push(UploadSetView { name, source: UPLOADS.to_owned(), prefix: folder.prefix });
        }
    }
    Ok(web::Json(Listed::of_rows(rows, limit, |last| last.name.clone(), |row| row)))
}

/// The files of a set, by path, and how many each folder has.
#[utoipa::path(
    tag = "sources",
    params(("set" = Name, Path, description = "The set"), Page),
    responses(
        (status = 200, description = "A page of files", body = UploadedFilesView),
        (status = 404, description = "No such set", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/uploads/{set}")]
async fn list_files(
    _caller: Caller<Read>,
    state: web::Data<State>,
    set: web::Path<Name>,
    page: Query<Page>,
) -> Result<web::Json<UploadedFilesView>, ApiError> {
    let (limit, after) = (page.limit()?, page.after::<String>()?);
    let objects: Vec<Object> = state.storage.uploads().list(&format!("{set}/"))?.try_collect().await?;
    if objects.is_empty() {
        return Err(ApiError::not_found("upload set", set));
    }
    let bytes = objects.iter().map(|object| object.size).sum();
    let mut files: Vec<_> =
        objects.into_iter().map(|object| UploadedFileView::of(set.as_str(), object)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut folders = BTreeMap::new();
    for file in &files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder.to_owned()).or_default() += 1;
    }
    let count = files.len() as u64;
    let rest = files.into_iter().filter(|file| after.as_ref().is_none_or(|after| file.path > *after));
    let rows: Vec<_> = rest.take(usize::try_from(limit).unwrap_or_default() + 1).collect();
    let Listed { items, next_cursor } = Listed::of_rows(rows, limit, |last| last.path.clone(), |row| row);
    Ok(web::Json(UploadedFilesView {
        name: set.to_string(),
        files: count,
        bytes,
        folders,
        items,
        next_cursor,
    }))
}

/// Put one file into a set; an older file of that path is replaced.
///
/// Of a labelled set, the folder is the class: `teapot/blue one.jpg`. Needs scope `submit`.
#[utoipa::path(
    tag = "sources",
    params(
        ("set" = Name, Path, description = "The set; made with its first file"),
        ("path" = String, Path, description = "Where in the set, with `/` between folders", example = "teapot/blue one.jpg"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file as it is"),
    responses(
        (status = 201, description = "Stored", body = StoredFileView),
        (status = 200, description = "Stored in place of an older file", body = StoredFileView),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The path leaves the set, or stores cannot keep it", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[put("/uploads/{set}/{path:.*}")]
async fn put_file(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (set, path) = path.into_inner();
    let path = path::stored_path(&path).map_err(|bad| ApiError::invalid_field("/path", bad.to_string()))?;
    let (replaced, bytes) = receive::one_file(&state, &set, &path, &request, body).await?;
    let status = if replaced { StatusCode::OK } else { StatusCode::CREATED };
    let uri = format!("{UPLOADS}/{set}/{path}");
    Ok(HttpResponse::build(status).json(StoredFileView { name: set.to_string(), path, uri, bytes }))
}

/// Put several files into a set: a form with file parts, or a zip archive.
///
/// The folders of a part's file name, or of a file in the archive, are kept. A text part `path` names the file
/// after it. An archive may also be a file part whose name ends in `.zip`. What cannot be stored is left out and told;
/// when an upload breaks off, what was stored before stays. Needs scope `submit`.
#[utoipa::path(
    tag = "sources",
    params(("set" = Name, Path, description = "The set; made with its first file")),
    request_body(content(
        (UploadForm = "multipart/form-data"),
        (Vec<u8> = "application/zip"),
    )),
    responses(
        (status = 201, description = "Stored; `skipped` tells what was left out", body = UploadReportView),
        (status = 413, description = "The upload, or what the archive unpacks to, is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "Neither a form nor a zip archive", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Nothing could be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/uploads/{set}")]
async fn upload_files(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    set: web::Path<Name>,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let answer = |report: UploadReportView| Created {
        status: StatusCode::CREATED,
        location: Some(format!("/v1/uploads/{set}")),
        body: json!(report),
    };
    if !request.headers().contains_key(IDEMPOTENCY_KEY) {
        let created = answer(receive::many_files(&state, &set, &request, body).await?);
        return Ok(Answer { created, replayed: false }.respond());
    }
    // Whether the key came with this very upload before must be known before anything of it is stored.
    let received = Received::of(&state, &request, body).await?;
    let hash = idempotency::request_hash(&request, &[&received.hash]);
    if let Some(first) = idempotency::find_replay(&state, &caller, &request, &hash).await? {
        return Ok(first.respond());
    }
    let created = answer(receive::many_files(&state, &set, &request, received.body()).await?);
    // Two at once store the same files; the answer of the first is that of both.
    let answer =
        idempotency::with_idempotency(&state, &caller, &request, hash, async |_| Ok(created)).await?;
    Ok(answer.respond())
}

/// Delete a set with all its files. Needs scope `submit`.
#[utoipa::path(
    tag = "sources",
    params(("set" = Name, Path, description = "The set")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such set", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/uploads/{set}")]
async fn delete_set(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    set: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    match state.storage.uploads().delete_all(&format!("{set}/")).await? {
        0 => Err(ApiError::not_found("upload set", set)),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

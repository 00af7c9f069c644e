//! Models as files: their weights as they are stored, and the whole network as ONNX.
//!
//! Both stream from the artifacts store; neither is held in memory.

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, web};
use async_stream::try_stream;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::domain::backbone::{IMAGENET_MEAN, IMAGENET_STD, variant};
use lookalike_shared::domain::name::Name;
use lookalike_shared::onnx::{self, Encoder};
use lookalike_shared::storage::{ByteStream, StorageError};
use safetensors::tensor::Metadata;

use super::files::attachment;
use super::header::HeaderReader;
use super::reference;
use crate::auth::{Caller, Read};
use crate::etag;
use crate::problem::{ApiError, Code, Problem};
use crate::state::State;

/// The weights of a version, as a safetensors file.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 200, description = "The weights", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/{version}/weights")]
pub async fn get_weights(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    let tag = etag::of(&model.weights_sha256);
    if etag::matches(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let (object, bytes) = state.storage.artifacts().open(&model.weights_key).await?;
    Ok(file(&model, "safetensors", tag).no_chunking(object.size).streaming(bytes))
}

/// A version as an ONNX file, for ONNX Runtime, OpenVINO and others.
///
/// Input `pixels`: float `[N, 3, S, S]`, red, green, blue, in 0..1, S the model's `image_size`; normalisation is part of
/// the graph. Outputs for any N: `logits` and `probabilities` `[N, classes]`, `embedding` `[N, embedding_dim]` of
/// length 1. The file's metadata has `model`, `classes` (a JSON array in the order of the outputs), `backbone`,
/// `image_size` and `embedding_dim`. Operator set 13.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 200, description = "The model", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/{version}/onnx")]
pub async fn get_onnx(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    let tag = etag::of(&[&model.weights_sha256[..], &onnx::FORMAT.to_le_bytes()[..]].concat());
    if etag::matches(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let (_, mut weights) = state.storage.artifacts().open(&model.weights_key).await?;
    let (metadata, data) = read_header(&mut weights).await?;
    let encoder = encoder(&model, &metadata)?;
    Ok(file(&model, "onnx", tag).no_chunking(encoder.length()).streaming(encoded(encoder, data, weights)))
}

/// The head of an answer that is saved as a file.
fn file(model: &Model, ending: &str, tag: String) -> HttpResponseBuilder {
    let name = format!("{}-{}.{ending}", model.name, model.version);
    let mut response = HttpResponse::Ok();
    response
        .content_type("application/octet-stream")
        .insert_header(attachment(name))
        // Numbers do not get smaller by compression, only slower.
        .insert_header(ContentEncoding::Identity)
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    response
}

/// The header of stored weights, and what of their data came with it.
async fn read_header(weights: &mut ByteStream) -> Result<(Metadata, Bytes), ApiError> {
    let mut header = HeaderReader::default();
    let mut seen = 0;
    while let Some(piece) = weights.next().await {
        let piece = piece?;
        header.push(&piece).map_err(damaged)?;
        seen += piece.len() as u64;
        if let Some(metadata) = header.metadata().map_err(damaged)? {
            let data = seen - header.data_start().unwrap_or(seen);
            return Ok((metadata, piece.slice(piece.len() - data as usize..)));
        }
    }
    Err(damaged(header.short()))
}

fn encoder(model: &Model, weights: &Metadata) -> Result<Encoder, ApiError> {
    let dim = usize::try_from(model.embedding_dim).unwrap_or_default();
    let backbone = variant(&model.backbone, dim).map_err(damaged)?;
    let reference = model.reference();
    let exported = onnx::Model {
        reference: &reference,
        backbone,
        classes: &model.classes,
        image_size: model.image_size.unsigned_abs(),
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    };
    onnx::encoder(&exported, weights).map_err(damaged)
}

fn encoded(
    mut encoder: Encoder,
    data: Bytes,
    mut weights: ByteStream,
) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    try_stream! {
        yield Bytes::from(encoder.push(&data));
        while let Some(piece) = weights.next().await {
            yield Bytes::from(encoder.push(&piece?));
        }
        yield Bytes::from(encoder.finish()?);
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::hidden(Code::Internal, "the stored weights cannot be exported", error)
}

/// Why a download ends before its end.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Weights(#[from] onnx::WrongLength),
}

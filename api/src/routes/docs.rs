//! The OpenAPI document, the pages that show it, and the meaning of problem codes.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::Config;

use crate::etag;
use crate::observe::unknown_route;
use crate::problem::{ApiError, Code};

/// What the pages may load: their own files; they style themselves.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
    object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(openapi).service(docs).service(docs_file).service(problem);
}

/// The document as it is sent.
pub struct Document {
    json: Bytes,
    tag: String,
    pages: Arc<Config<'static>>,
}

impl Document {
    /// Writes it down once.
    pub fn new(document: &utoipa::openapi::OpenApi) -> Self {
        let json = serde_json::to_vec(document).expect("a document is plain data");
        let tag = etag::of(&json);
        let pages = Config::new(["/openapi.json"]).validator_url("none").persist_authorization(true);
        Self { json: json.into(), tag, pages: Arc::new(pages) }
    }
}

/// This document.
#[utoipa::path(tag = "system", security(()), responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
#[get("/openapi.json")]
async fn openapi(request: HttpRequest, document: web::Data<Document>) -> HttpResponse {
    let known = etag::matches(&request, &document.tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, document.tag.as_str()));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if known {
        response.finish()
    } else {
        response.content_type("application/json").body(document.json.clone())
    }
}

/// Leads to the pages that show this document.
#[utoipa::path(tag = "system", security(()), responses((status = 308, description = "It is at /docs/")))]
#[get("/docs")]
async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// The pages that show this document, and their files.
#[utoipa::path(
    tag = "system",
    security(()),
    params(("file" = String, Path, description = "A file; empty for the page")),
    responses((status = 200, description = "A file", content_type = "text/html"))
)]
#[get("/docs/{file:.*}")]
async fn docs_file(
    request: HttpRequest,
    file: web::Path<String>,
    document: web::Data<Document>,
) -> Result<HttpResponse, ApiError> {
    let found = utoipa_swagger_ui::serve(&file, document.pages.clone());
    let found = found
        .map_err(|error| ApiError::hidden(Code::Internal, "the page cannot be made", error.to_string()))?;
    let found = found.ok_or_else(|| unknown_route(request.path()))?;
    let mut response = HttpResponse::Ok();
    if found.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, header::ContentEncoding::Gzip));
    }
    response.insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    Ok(response.content_type(found.content_type).body(found.bytes.into_owned()))
}

/// What a problem's code means.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemType {
    /// The code.
    #[schema(example = "invalid_request")]
    pub code: String,
    /// The status that it comes with.
    pub status: u16,
    /// What it means.
    pub title: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// What a problem's code means: the target of its `type`.
#[utoipa::path(
    tag = "system",
    security(()),
    params(("code" = String, Path, description = "`code` of a problem")),
    responses((status = 200, description = "The meaning", body = ProblemType))
)]
#[get("/problems/{code}")]
async fn problem(code: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let row = Code::ALL.into_iter().map(Code::row).find(|row| row.name == *code);
    let row = row.ok_or_else(|| ApiError::not_found("problem code", &code))?;
    Ok(HttpResponse::Ok().json(ProblemType {
        code: row.name.to_owned(),
        status: row.status.as_u16(),
        title: row.title.to_owned(),
        retryable: row.retryable,
    }))
}

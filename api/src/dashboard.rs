//! The dashboard, built into the binary, and the answer to whatever no route takes.
//!
//! `dashboard/dist` is embedded when it was there at compile time; without it a plain page says how to build
//! it. Files under `/assets/` carry a hash in their names and never change. Every other path that a browser
//! asks for as a page is the app's own and gets `index.html`.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::etag;
use crate::observe::unknown_route;
use crate::openapi::KnownPaths;
use crate::problem::{ApiError, Code};

#[derive(RustEmbed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Assets;

/// What the page may load: its own files. Styles are set on elements by its charts, pictures may be pasted.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Lookalike</title>\
    <h1>Lookalike is running</h1><p>This binary was built without the dashboard. <code>make build</code> builds \
    both. The API is described at <a href=\"/docs/\">/docs</a>.</p></html>";

/// Answers what no route takes: a file of the dashboard, its page, 405 or 404.
///
/// # Errors
/// 404 and 405.
pub async fn serve(request: HttpRequest, known: web::Data<KnownPaths>) -> Result<HttpResponse, ApiError> {
    let path = request.path();
    let methods = known.methods(path);
    if !methods.is_empty() {
        return Err(method_not_allowed(request.method(), path, &methods));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || path.starts_with("/v1/") || path == "/v1" {
        return Err(unknown_route(path));
    }
    let name = path.trim_start_matches('/');
    if let Some(file) = Assets::get(name).filter(|_| !name.is_empty()) {
        return Ok(respond(&request, name, file));
    }
    if !wants_page(&request) {
        return Err(unknown_route(path));
    }
    Ok(match Assets::get("index.html") {
        Some(index) => respond(&request, "index.html", index),
        None => page(HttpResponse::Ok()).body(NOT_BUILT),
    })
}

fn respond(request: &HttpRequest, name: &str, file: EmbeddedFile) -> HttpResponse {
    let tag = etag::of(&file.metadata.sha256_hash());
    let mut response =
        if etag::matches(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let kept = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.insert_header((header::ETAG, tag.as_str()));
    response.insert_header((header::CACHE_CONTROL, kept));
    response.insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY));
    if etag::matches(request, &tag) {
        return response.finish();
    }
    response.content_type(file.metadata.mimetype()).body(file.data.into_owned())
}

fn page(mut response: actix_web::HttpResponseBuilder) -> actix_web::HttpResponseBuilder {
    response.content_type("text/html; charset=utf-8");
    response.insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html")) || request.path() == "/"
}

fn method_not_allowed(method: &Method, path: &str, methods: &[&str]) -> ApiError {
    let allowed = methods.join(", ");
    let error = ApiError::new(Code::MethodNotAllowed, format!("{path} has no {method}, only {allowed}"));
    match header::HeaderValue::from_str(&allowed) {
        Ok(allowed) => error.with_header(header::ALLOW, allowed),
        Err(_) => error,
    }
}

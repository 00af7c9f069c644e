//! What is done to every request, around everything else: it gets an id, its refusal becomes a problem document
//! that carries the id, its answer gets security headers, and it is logged and measured.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use uuid::Uuid;

use crate::problem::{ApiError, Code};
use crate::state::State;

/// The header that carries the id of a request, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers to anything but pages may load: nothing.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// The id of a request: the client's own, if it is 1 to 128 visible ASCII characters, or a new UUID.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Middleware around the whole application.
///
/// # Errors
/// None: a refusal is an answer.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let answer = next.call(request).await?.map_into_boxed_body();
    let mut answer = as_problem(answer, &id);
    add_headers(answer.headers_mut(), &id);
    record(&answer, &id, begun);
    Ok(answer)
}

fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let given = given.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Turns a refusal, ours or the framework's, into a problem document of this request.
fn as_problem(answer: ServiceResponse, id: &str) -> ServiceResponse {
    let Some(error) = answer.response().error() else { return answer };
    let framework;
    let error = match error.as_error::<ApiError>() {
        Some(error) => error,
        None => {
            framework = ApiError::of_framework(error);
            &framework
        }
    };
    if let Some(cause) = error.cause() {
        let code = error.code().row().name;
        tracing::error!(request.id = id, code, cause = %cause, "a request failed");
    }
    let response = error.respond(Some(answer.request().path()), Some(id));
    answer.into_response(response)
}

fn add_headers(headers: &mut header::HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, NOTHING),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in defaults {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

fn record(answer: &ServiceResponse, id: &str, begun: Instant) {
    let request = answer.request();
    let seconds = begun.elapsed().as_secs_f64();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let (method, status) = (request.method().as_str(), answer.status().as_u16());
    if let Some(state) = request.app_data::<web::Data<State>>() {
        state.metrics.record_request(method, &route, status, seconds);
    }
    let (duration_ms, path) = (seconds * 1_000.0, request.path());
    // Pages and clients look again and again: what they read without trouble is told only to those who ask.
    if request.method().is_safe() && status < 400 {
        tracing::debug!(request.id = id, method, path, route, status, duration_ms, "answered");
    } else {
        tracing::info!(request.id = id, method, path, route, status, duration_ms, "answered");
    }
}

/// The answer to what no route takes.
pub fn unknown_route(path: &str) -> ApiError {
    ApiError::new(Code::UnknownRoute, format!("there is no route {path}; /docs lists them"))
}

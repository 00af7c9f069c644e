//! Every refusal, as a problem document (RFC 9457).
//!
//! [`Code::row`] is the one table of what a code means. An [`ApiError`] carries what happened; request id and
//! instance are filled in by [`crate::observe`], which also logs the hidden cause of a 5xx, once.

mod conversions;

use std::error::Error as StdError;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use lookalike_shared::db::DbError;
use lookalike_shared::domain::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What kind of refusal it is; the name never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request cannot be read at all.
    MalformedRequest,
    /// No key, or none that works.
    Unauthorized,
    /// The key lacks a scope.
    Forbidden,
    /// No such thing.
    NotFound,
    /// No such index.
    IndexNotFound,
    /// No such route.
    UnknownRoute,
    /// The route exists, with other methods.
    MethodNotAllowed,
    /// The thing's state, or another thing, is in the way.
    Conflict,
    /// More bytes than allowed.
    PayloadTooLarge,
    /// A media type that the route does not read.
    UnsupportedMediaType,
    /// Read, but it breaks rules.
    InvalidRequest,
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// A bug, or a broken installation.
    Internal,
    /// The database is away; it is expected back.
    DatabaseUnavailable,
    /// An object store does not answer.
    StorageUnavailable,
    /// A check of `/readyz` fails.
    NotReady,
}

/// One line of the table of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The code as it is written in `code` and `type`.
    pub name: &'static str,
    /// The status of the answer.
    pub status: StatusCode,
    /// What the code means, the same for every occurrence.
    pub title: &'static str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 16] = [
        Self::MalformedRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::IndexNotFound,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRequest,
        Self::IdempotencyKeyReused,
        Self::Internal,
        Self::DatabaseUnavailable,
        Self::StorageUnavailable,
        Self::NotReady,
    ];

    /// What the code means.
    pub fn row(self) -> Row {
        let row = |name, status, title, retryable| Row { name, status, title, retryable };
        match self {
            Self::MalformedRequest => {
                row("malformed_request", StatusCode::BAD_REQUEST, "The request cannot be read", false)
            }
            Self::Unauthorized => {
                row("unauthorized", StatusCode::UNAUTHORIZED, "A valid key is needed", false)
            }
            Self::Forbidden => row("forbidden", StatusCode::FORBIDDEN, "The key may not do this", false),
            Self::NotFound => row("not_found", StatusCode::NOT_FOUND, "There is no such thing", false),
            Self::IndexNotFound => {
                row("index_not_found", StatusCode::NOT_FOUND, "There is no such index", false)
            }
            Self::UnknownRoute => {
                row("unknown_route", StatusCode::NOT_FOUND, "There is no such route", false)
            }
            Self::MethodNotAllowed => row(
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The route does not have this method",
                false,
            ),
            Self::Conflict => row("conflict", StatusCode::CONFLICT, "The state does not allow this", false),
            Self::PayloadTooLarge => {
                row("payload_too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", false)
            }
            Self::UnsupportedMediaType => row(
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The route does not read this media type",
                false,
            ),
            Self::InvalidRequest => {
                row("invalid_request", StatusCode::UNPROCESSABLE_ENTITY, "The request breaks rules", false)
            }
            Self::IdempotencyKeyReused => row(
                "idempotency_key_reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key belongs to another request",
                false,
            ),
            Self::Internal => {
                row("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here", false)
            }
            Self::DatabaseUnavailable => row(
                "database_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is not available",
                true,
            ),
            Self::StorageUnavailable => row(
                "storage_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The storage is not available",
                true,
            ),
            Self::NotReady => {
                row("not_ready", StatusCode::SERVICE_UNAVAILABLE, "The service is not ready", true)
            }
        }
    }
}

/// A problem document, as it travels.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `/problems/{code}`: what the code means, under this very server.
    pub r#type: String,
    /// What the code means, in words.
    pub title: String,
    /// The status of the answer.
    #[schema(example = 422)]
    pub status: u16,
    /// What happened this time, and what would help.
    pub detail: String,
    /// The path that was asked for.
    pub instance: Option<String>,
    /// A stable name to act on.
    #[schema(example = "invalid_request")]
    pub code: String,
    /// The id of this request, also in `x-request-id` and in the log.
    pub request_id: Option<String>,
    /// Every rule that is broken, each with a JSON Pointer into the request.
    pub errors: Vec<FieldError>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Of a 403: every scope that the key lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub missing_scopes: Vec<String>,
}

/// A refusal. Its cause, if it has one, is logged and never sent.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    detail: String,
    more: Box<More>,
}

/// What few refusals have.
#[derive(Debug, Default)]
struct More {
    errors: Vec<FieldError>,
    missing_scopes: Vec<String>,
    header: Option<(header::HeaderName, HeaderValue)>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// A refusal with what happened, lowercase and without a full stop.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), more: Box::default() }
    }

    /// 404: no `what` of that name or id.
    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} \"{id}\""))
    }

    /// 404: no index of that name.
    pub fn index_not_found(name: impl fmt::Display) -> Self {
        Self::new(Code::IndexNotFound, format!("there is no index \"{name}\""))
    }

    /// 409: a state, or another thing, is in the way.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    /// 422: these rules are broken. The first is told in `detail` too.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let first =
            errors.first().map_or("it breaks rules".to_owned(), |first| match first.pointer.as_str() {
                "" => first.detail.clone(),
                pointer => format!("{pointer}: {}", first.detail),
            });
        let detail = match errors.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        };
        let mut error = Self::new(Code::InvalidRequest, detail);
        error.more.errors = errors;
        error
    }

    /// 422: one rule is broken, at `pointer`.
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    /// 413: `what` has more than `limit` bytes.
    pub fn too_large(what: &str, limit: u64) -> Self {
        Self::new(Code::PayloadTooLarge, format!("{what} has more than the {limit} bytes allowed"))
    }

    /// 500 or 503: `cause` is logged, not sent.
    pub fn hidden(code: Code, detail: &str, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(code, detail);
        error.more.cause = Some(cause.into());
        error
    }

    /// The same with the scopes that the key lacks.
    pub fn with_missing_scopes(mut self, scopes: &[&str]) -> Self {
        self.more.missing_scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// The same with a header on the answer.
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.more.header = Some((name, value));
        self
    }

    /// What kind of refusal it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is logged and not sent.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.more.cause.as_deref()
    }

    /// Whether it comes from an error of the database that is such.
    pub fn is_of(&self, is_such: impl FnOnce(&DbError) -> bool) -> bool {
        self.more.cause.as_deref().and_then(|cause| cause.downcast_ref::<DbError>()).is_some_and(is_such)
    }

    /// The document, for a request with this path and id if they are known.
    pub fn problem(&self, instance: Option<&str>, request_id: Option<&str>) -> Problem {
        let row = self.code.row();
        Problem {
            r#type: format!("/problems/{}", row.name),
            title: row.title.to_owned(),
            status: row.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.map(str::to_owned),
            code: row.name.to_owned(),
            request_id: request_id.map(str::to_owned),
            errors: self.more.errors.clone(),
            retryable: row.retryable,
            missing_scopes: self.more.missing_scopes.clone(),
        }
    }

    /// The whole answer.
    pub fn respond(&self, instance: Option<&str>, request_id: Option<&str>) -> HttpResponse {
        let row = self.code.row();
        let mut response = HttpResponse::build(row.status);
        response.content_type(PROBLEM_JSON).insert_header((header::CACHE_CONTROL, "no-store"));
        if row.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if row.retryable {
            response.insert_header((header::RETRY_AFTER, "2"));
        }
        if let Some(header) = &self.more.header {
            response.insert_header(header.clone());
        }
        let body = serde_json::to_vec(&self.problem(instance, request_id)).expect("a problem is plain data");
        response.body(body)
    }

    /// What an error of the web framework means: the status it would have had, and its words.
    pub fn of_framework(error: &actix_web::Error) -> Self {
        let status = error.as_response_error().status_code();
        let code = match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Code::InvalidRequest,
            status if status.is_client_error() => Code::MalformedRequest,
            _ => return Self::hidden(Code::Internal, "the request could not be served", error.to_string()),
        };
        Self::new(code, error.to_string())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl StdError for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.row().status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.respond(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.row().name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn only_what_may_pass_is_retryable() {
        for code in Code::ALL {
            let row = code.row();
            assert_eq!(row.retryable, row.status == StatusCode::SERVICE_UNAVAILABLE, "{}", row.name);
        }
    }

    #[test]
    fn the_cause_of_a_failure_is_not_sent() {
        let error = ApiError::hidden(Code::Internal, "the database refused a statement", "password=hush");
        let sent = serde_json::to_string(&error.problem(Some("/v1/jobs"), Some("r"))).unwrap();
        assert!(!sent.contains("hush"), "{sent}");
    }

    #[test]
    fn the_first_broken_rule_is_told_in_the_detail() {
        let errors =
            vec![FieldError::new("/k", "0 is out of range"), FieldError::new("/index", "is missing")];
        assert_eq!(ApiError::invalid(errors).to_string(), "/k: 0 is out of range (and 1 more)");
    }
}

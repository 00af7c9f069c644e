//! Reading the parts of `multipart/form-data` within bounds.

use actix_multipart::{Field, MultipartError};
use actix_web::HttpRequest;
use futures::TryStreamExt;

use crate::problem::{ApiError, Code};

/// The most bytes of a text part.
pub const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Whether the body is a form of parts.
pub fn is_form(request: &HttpRequest) -> bool {
    media_type(request) == "multipart/form-data"
}

/// The body's media type, without parameters, in lower case; empty when none is given.
pub fn media_type(request: &HttpRequest) -> String {
    use actix_web::HttpMessage;
    request.content_type().trim().to_ascii_lowercase()
}

/// 415: the route reads other media types.
pub fn unsupported(request: &HttpRequest, expected: &str) -> ApiError {
    let detail = format!("the body is \"{}\", {expected} expected", media_type(request));
    ApiError::new(Code::UnsupportedMediaType, detail)
}

/// 400: the form itself is damaged, or the connection broke.
pub fn broken(error: MultipartError) -> ApiError {
    ApiError::new(Code::MalformedRequest, format!("the form cannot be read: {error}"))
}

/// A part's bytes; `what` names it in a refusal.
///
/// # Errors
/// 413 over `limit`, 400 for a broken form.
pub async fn bytes(field: &mut Field, what: &str, limit: u64) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.try_next().await.map_err(broken)? {
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(ApiError::too_large(what, limit));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A text part.
///
/// # Errors
/// 413 over `limit`, 422 for what is no UTF-8, 400 for a broken form.
pub async fn text(field: &mut Field, name: &str, limit: u64) -> Result<String, ApiError> {
    let bytes = bytes(field, &format!("part \"{name}\""), limit).await?;
    String::from_utf8(bytes)
        .map_err(|_| ApiError::invalid_field(format!("/{name}"), "the part is no UTF-8 text"))
}

/// The file name that a part was sent with. Browsers write `"` as `%22` (WHATWG HTML, multipart/form-data).
pub fn file_name(field: &Field) -> Option<String> {
    let disposition = field.content_disposition()?;
    let extended =
        disposition.get_filename_ext().and_then(|extended| String::from_utf8(extended.value.clone()).ok());
    let name = extended.or_else(|| disposition.get_filename().map(|name| name.replace("%22", "\"")))?;
    (!name.is_empty()).then_some(name)
}

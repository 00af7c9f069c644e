//! Weak entity tags of single resources, made from the body itself: the same body has the same tag, whichever
//! process serves it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The tag of a body: 96 bits of its SHA-256.
pub fn of(body: &[u8]) -> String {
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..12]))
}

/// Whether `If-None-Match` holds this tag, compared weakly (RFC 9110 section 13.1.2).
pub fn matches(request: &HttpRequest, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let values = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

/// 200 with the body and its tag, or 304 when the client has it.
pub fn respond<T: Serialize>(request: &HttpRequest, body: &T) -> HttpResponse {
    let bytes = serde_json::to_vec(body).expect("a view is plain data");
    let tag = of(&bytes);
    let mut response = if matches(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag.as_str()));
    response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    response.insert_header((header::VARY, "Authorization, Cookie"));
    if matches(request, &tag) {
        response.finish()
    } else {
        response.content_type("application/json").body(bytes)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = of(b"x");
        let matches = |value: &str| {
            let request =
                TestRequest::default().insert_header((header::IF_NONE_MATCH, value)).to_http_request();
            matches(&request, &tag)
        };
        assert!(matches(&tag));
        assert!(matches(tag.trim_start_matches("W/")));
        assert!(matches(&format!("\"other\", {tag}")));
        assert!(matches("*"));
        assert!(!matches("\"other\""));
    }
}

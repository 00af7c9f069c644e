//! `Idempotency-Key` on every POST that creates: the work and the stored answer commit together, so a key is
//! used up exactly when its work was done, and a repeated request gets the first answer again.
//!
//! Two requests with one key at once: the second waits in the database for the first to end. A request that is
//! refused rolls back and leaves the key unused.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use lookalike_shared::db::{self, PgConnection, idempotency};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::auth::Caller;
use crate::problem::{ApiError, Code};
use crate::state::State;

/// The header that clients send.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an answer is a repeated one.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The most characters of a key.
pub const MAX_KEY_LENGTH: usize = 255;

/// The answer to a request that created something.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Its status.
    pub status: StatusCode,
    /// Where the created thing is.
    pub location: Option<String>,
    /// Its body.
    pub body: Value,
}

/// An answer, and whether it was given before.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What is answered.
    pub created: Created,
    /// Whether the work was done by an earlier request.
    pub replayed: bool,
}

impl Answer {
    /// The HTTP answer.
    pub fn respond(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.created.status);
        if let Some(location) = &self.created.location {
            response.insert_header((header::LOCATION, location.as_str()));
        }
        if self.replayed {
            response.insert_header((IDEMPOTENT_REPLAYED, "true"));
        }
        response.json(&self.created.body)
    }
}

/// What makes two requests the same: method, path and the given parts of the body, each told apart.
pub fn request_hash(request: &HttpRequest, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let route = [request.method().as_str().as_bytes(), request.path().as_bytes()];
    for part in route.iter().chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Does `work` in a transaction, or repeats the answer to the key in the request's `Idempotency-Key`.
///
/// # Errors
/// What `work` refuses; 400 for a key that is none; 422 for a key that came with another request.
pub async fn with_idempotency<R>(
    state: &State,
    caller: &Caller<R>,
    request: &HttpRequest,
    request_hash: [u8; 32],
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<Created, ApiError>,
) -> Result<Answer, ApiError> {
    let key = key_of(request)?;
    let mut tx = db::begin(&state.db).await?;
    let owner = caller.key().id;
    if let Some(key) = &key
        && !idempotency::claim_key(&mut *tx, owner, key, &request_hash).await?
    {
        let stored = idempotency::find_answer(&mut *tx, owner, key).await?;
        return replay(stored, &request_hash, key);
    }
    let created = work(&mut tx).await?;
    if let Some(key) = &key {
        let (status, location) = (created.status.as_u16(), created.location.as_deref());
        idempotency::store_answer(&mut *tx, owner, key, status, location, &created.body).await?;
    }
    db::commit(tx).await?;
    Ok(Answer { created, replayed: false })
}

/// The answer to the key in the request's `Idempotency-Key`, if it was used before.
///
/// # Errors
/// 400 for a key that is none; 422 for a key that came with another request.
pub async fn find_replay<R>(
    state: &State,
    caller: &Caller<R>,
    request: &HttpRequest,
    request_hash: &[u8; 32],
) -> Result<Option<Answer>, ApiError> {
    let Some(key) = key_of(request)? else { return Ok(None) };
    match idempotency::find_answer(&state.db, caller.key().id, &key).await? {
        None => Ok(None),
        stored => replay(stored, request_hash, &key).map(Some),
    }
}

fn replay(
    stored: Option<idempotency::StoredAnswer>,
    request_hash: &[u8],
    key: &str,
) -> Result<Answer, ApiError> {
    let lost =
        || ApiError::conflict(format!("the first request with idempotency key \"{key}\" has no answer yet"));
    let stored = stored.ok_or_else(lost)?;
    if stored.request_hash != request_hash {
        let detail = format!("idempotency key \"{key}\" came with another request; use a new key");
        return Err(ApiError::new(Code::IdempotencyKeyReused, detail));
    }
    let status = stored.status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let created = Created {
        status: status.ok_or_else(lost)?,
        location: stored.location,
        body: stored.body.unwrap_or_default(),
    };
    Ok(Answer { created, replayed: true })
}

fn key_of(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let wrong = || {
        let detail = format!("an idempotency key has 1 to {MAX_KEY_LENGTH} visible ASCII characters");
        ApiError::new(Code::MalformedRequest, detail)
    };
    let key = value.to_str().map_err(|_| wrong())?;
    let valid = (1..=MAX_KEY_LENGTH).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if valid { Ok(Some(key.to_owned())) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        let key_of = |value: &str| {
            key_of(&TestRequest::default().insert_header((IDEMPOTENCY_KEY, value)).to_http_request())
        };
        assert_eq!(key_of("a-1").unwrap().as_deref(), Some("a-1"));
        assert!(key_of(&"x".repeat(MAX_KEY_LENGTH)).is_ok());
        assert!(key_of(&"x".repeat(MAX_KEY_LENGTH + 1)).is_err());
        assert!(key_of("a b").is_err());
        assert!(key_of("").is_err());
    }

    #[test]
    fn parts_are_told_apart() {
        let request = TestRequest::default().to_http_request();
        assert_ne!(request_hash(&request, &[b"ab", b"c"]), request_hash(&request, &[b"a", b"bc"]));
    }
}

//! Who is calling, and what they may do.
//!
//! A caller shows a key as `Authorization: Bearer <key>`, or the cookie of a browser session made from one.
//! Both are 256 random bits of which the database knows the SHA-256, so that looking a hash up tells nothing
//! about secrets by its timing. [`authenticate`] stands in front of every `/v1` route; [`Caller`] is how a
//! handler says which scope it needs, checked before the body is read.
//!
//! A key that was looked up is remembered for [`KeyCache::KEPT`]. Revoking it in this process forgets it at
//! once; other processes refuse it at the latest after that time.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use lookalike_shared::db::keys::{self, Key};
use lookalike_shared::domain::scope::Scope;
use rand::TryRng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::problem::{ApiError, Code};
use crate::state::State;

/// The cookie of a browser session.
pub const SESSION_COOKIE: &str = "lookalike_session";

/// What secrets of keys start with.
pub const KEY_PREFIX: &str = "lka_";

/// A new secret: `prefix` and 43 URL-safe characters, 256 bits of the system's randomness.
///
/// # Panics
/// When the system has no randomness, which nothing here can survive.
pub fn new_secret(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).expect("the system gives random bytes");
    format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What the database keeps of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The first characters of a key's secret, by which people tell keys apart.
pub fn hint(secret: &str) -> String {
    secret.chars().take(KEY_PREFIX.len() + 4).collect()
}

/// Keys that were looked up a moment ago, by the hash of what was shown.
#[derive(Default)]
pub struct KeyCache {
    keys: Mutex<KnownKeys>,
}

/// Each key and when it was looked up.
type KnownKeys = HashMap<[u8; 32], (Arc<Key>, Instant)>;

impl KeyCache {
    /// How long a key is believed without asking again.
    pub const KEPT: Duration = Duration::from_secs(5);
    /// The most keys remembered; more only cost lookups.
    const MOST: usize = 10_000;

    /// Forgets a key that was revoked, and the sessions made from it.
    pub fn forget(&self, id: Uuid) {
        self.lock().retain(|_, (key, _)| key.id != id);
    }

    fn find(&self, hash: &[u8; 32]) -> Option<Arc<Key>> {
        let keys = self.lock();
        let (key, since) = keys.get(hash)?;
        let valid = key.expires_at.is_none_or(|end| end > Utc::now());
        (since.elapsed() < Self::KEPT && valid).then(|| key.clone())
    }

    fn remember(&self, hash: [u8; 32], key: &Arc<Key>) {
        let mut keys = self.lock();
        if keys.len() >= Self::MOST {
            keys.clear();
        }
        keys.insert(hash, (key.clone(), Instant::now()));
    }

    fn drop_one(&self, hash: &[u8; 32]) {
        self.lock().remove(hash);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, KnownKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The scope that a handler needs, as a type, so that its signature tells.
pub trait Right: 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! right {
    ($name:ident) => {
        #[doc = concat!("Scope `", stringify!($name), "`.")]
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl Right for $name {
            const SCOPE: Scope = Scope::$name;
        }
    };
}

right!(Read);
right!(Submit);
right!(Manage);
right!(Admin);

/// The caller, who has at least the scope `R`. As an argument before the body it refuses with 401 or 403
/// before the body is read.
#[derive(Debug, Clone)]
pub struct Caller<R = Read> {
    key: Arc<Key>,
    right: PhantomData<R>,
}

impl<R> Caller<R> {
    /// The key that the caller showed, or whose session it is.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Refuses unless the caller also has `scope`, for what depends on the body.
    ///
    /// # Errors
    /// 403 that lists every missing scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        let missing = self.key.scope.missing_for(scope);
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<_> = missing.into_iter().map(Scope::as_str).collect();
        let detail = format!(
            "key \"{}\" has scope {}; missing: {}",
            self.key.name,
            self.key.scope.as_str(),
            missing.join(", ")
        );
        Err(ApiError::new(Code::Forbidden, detail).with_missing_scopes(&missing))
    }
}

impl<R: Right> FromRequest for Caller<R> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request.extensions().get::<Arc<Key>>().cloned();
        ready(key.ok_or_else(unauthorized).and_then(|key| {
            let caller = Self { key, right: PhantomData };
            caller.require(R::SCOPE).map(|()| caller)
        }))
    }
}

/// Middleware of `/v1`: finds out who is calling, or refuses.
///
/// # Errors
/// None: a refusal is an answer.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match identify(&request).await {
        Ok(key) => {
            request.extensions_mut().insert(key);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

async fn identify(request: &ServiceRequest) -> Result<Arc<Key>, ApiError> {
    let state = request.app_data::<web::Data<State>>().expect("the state is part of the application");
    if let Some(secret) = bearer(request.request()) {
        return find_key(state, secret).await?.ok_or_else(unauthorized);
    }
    let Some(cookie) = request.cookie(SESSION_COOKIE) else { return Err(unauthorized()) };
    refuse_foreign_pages(request)?;
    let hash = hash(cookie.value());
    if let Some(key) = state.keys.find(&hash) {
        return Ok(key);
    }
    let key = keys::find_key_by_session(&state.db, &hash).await?.ok_or_else(unauthorized)?;
    let key = Arc::new(key);
    state.keys.remember(hash, &key);
    Ok(key)
}

/// The secret of `Authorization: Bearer`.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// The working key of that secret.
///
/// # Errors
/// 503 when the database is away.
pub async fn find_key(state: &State, secret: &str) -> Result<Option<Arc<Key>>, ApiError> {
    let hash = hash(secret);
    if let Some(key) = state.keys.find(&hash) {
        return Ok(Some(key));
    }
    let key = keys::find_key_by_hash(&state.db, &hash).await?.map(Arc::new);
    if let Some(key) = &key {
        state.keys.remember(hash, key);
    }
    Ok(key)
}

/// Ends the session of a cookie, here at once.
///
/// # Errors
/// 503 when the database is away.
pub async fn end_session(state: &State, secret: &str) -> Result<(), ApiError> {
    let hash = hash(secret);
    state.keys.drop_one(&hash);
    Ok(keys::delete_session(&state.db, &hash).await?)
}

/// A cookie is sent for pages of other ports of this host too, whatever its SameSite says; browsers tell.
fn refuse_foreign_pages(request: &ServiceRequest) -> Result<(), ApiError> {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    match site {
        Some("cross-site" | "same-site") if !safe => {
            Err(ApiError::new(Code::Forbidden, "a page of another origin may not use this session"))
        }
        _ => Ok(()),
    }
}

fn unauthorized() -> ApiError {
    ApiError::new(Code::Unauthorized, "send a valid key as \"Authorization: Bearer <key>\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_alike() {
        let secret = new_secret(KEY_PREFIX);
        assert_eq!(secret.len(), KEY_PREFIX.len() + 43);
        assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        assert_ne!(secret, new_secret(KEY_PREFIX));
        assert!(!hash(&secret).is_empty() && hint(&secret).len() == 8);
    }
}

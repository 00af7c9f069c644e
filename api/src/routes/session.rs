//! Browser sessions, and who the caller is.

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{Duration, Utc};
use lookalike_shared::db::keys;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::{self, Caller, SESSION_COOKIE};
use crate::extract::Json;
use crate::problem::{ApiError, Code};
use crate::state::State;
use crate::views::system::Me;

/// How long a session lasts, unless its key ends before.
const SESSION_DAYS: i64 = 14;

/// Mounts what needs no key.
pub fn configure_open(config: &mut ServiceConfig<'_>) {
    config.service(create_session).service(end_session);
}

/// Mounts what is under `/v1`.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(me);
}

/// What a session is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionRequest {
    /// A key.
    key: String,
}

/// Starts a browser session: sets the HttpOnly, SameSite=Strict cookie that stands for the key for 14 days.
#[utoipa::path(
    tag = "keys",
    security(()),
    request_body = SessionRequest,
    responses((status = 200, description = "The session's caller", body = Me))
)]
#[post("/v1/session")]
async fn create_session(
    state: web::Data<State>,
    body: Json<SessionRequest>,
) -> Result<HttpResponse, ApiError> {
    let key = auth::find_key(&state, body.0.key.trim()).await?;
    let key = key.ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "this key does not work: unknown, expired or revoked")
    })?;
    let secret = auth::new_secret("lks_");
    let now = Utc::now();
    let end = now + Duration::days(SESSION_DAYS);
    let end = key.expires_at.map_or(end, |expires| expires.min(end));
    keys::insert_session(&state.db, &auth::hash(&secret), key.id, end).await?;
    let mut cookie = session_cookie(&state, secret);
    cookie.set_max_age(CookieDuration::seconds((end - now).num_seconds()));
    Ok(HttpResponse::Ok().cookie(cookie).json(Me::from(&*key)))
}

/// Ends the browser session of this cookie, if there is one.
#[utoipa::path(tag = "keys", security(()), responses((status = 204, description = "It has ended")))]
#[delete("/v1/session")]
async fn end_session(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    if let Some(cookie) = request.cookie(SESSION_COOKIE) {
        auth::end_session(&state, cookie.value()).await?;
    }
    let mut cookie = session_cookie(&state, String::new());
    cookie.make_removal();
    Ok(HttpResponse::NoContent().cookie(cookie).finish())
}

fn session_cookie(state: &State, secret: String) -> Cookie<'static> {
    Cookie::build(SESSION_COOKIE, secret)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(state.secure_cookies)
        .finish()
}

/// Who the caller is, and what they may do.
#[utoipa::path(tag = "keys", responses((status = 200, description = "The caller", body = Me)))]
#[get("/me")]
async fn me(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(Me::from(caller.key()))
}

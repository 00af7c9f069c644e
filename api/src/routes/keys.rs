//! Keys: made with their secret shown once, listed without, revoked at once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::Utc;
use lookalike_shared::db::PgConnection;
use lookalike_shared::db::keys::{self, Key, NewKey};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::auth::{self, Admin, Caller, KEY_PREFIX};
use crate::extract::{Json, Query};
use crate::idempotency::{self, Created};
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::key::{KeyView, MadeKeyView, NewKeyRequest};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_keys).service(make_key).service(revoke_key);
}

/// Every key that was not revoked, newest first, without its secret. Needs scope `admin`.
#[utoipa::path(
    tag = "keys",
    params(Page),
    responses((status = 200, description = "A page of keys", body = Listed<KeyView>))
)]
#[get("/keys")]
async fn list_keys(
    _caller: Caller<Admin>,
    state: web::Data<State>,
    page: Query<Page>,
) -> Result<web::Json<Listed<KeyView>>, ApiError> {
    let limit = page.limit()?;
    let found = keys::list_keys(&state.db, page.after()?, limit + 1).await?;
    Ok(web::Json(Listed::of_rows(found, limit, |last| last.id, KeyView::from)))
}

/// Make a key.
///
/// The answer holds the secret, which is not kept: a repeated request with the same `Idempotency-Key` gets the
/// first answer with `key: null`. Needs scope `admin`.
#[utoipa::path(
    tag = "keys",
    request_body = NewKeyRequest,
    responses(
        (status = 201, description = "Made; `key` is the secret", body = MadeKeyView),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/keys")]
async fn make_key(
    caller: Caller<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    body: Json<NewKeyRequest>,
) -> Result<HttpResponse, ApiError> {
    let wanted = body.0;
    if wanted.expires_at.is_some_and(|end| end <= Utc::now()) {
        return Err(ApiError::invalid_field("/expires_at", "the time has passed already"));
    }
    let hash = idempotency::request_hash(&request, &[json!(wanted).to_string().as_bytes()]);
    let secret = auth::new_secret(KEY_PREFIX);
    let work = async |tx: &mut PgConnection| insert(tx, &wanted, &secret).await;
    let mut answer = idempotency::with_idempotency(&state, &caller, &request, hash, work).await?;
    if !answer.replayed {
        // What is stored for a replay must not hold the secret, so it joins the answer only now.
        answer.created.body["key"] = json!(secret);
    }
    Ok(answer.respond())
}

async fn insert(tx: &mut PgConnection, wanted: &NewKeyRequest, secret: &str) -> Result<Created, ApiError> {
    let id = Uuid::now_v7();
    let hint = auth::hint(secret);
    let key = NewKey {
        id,
        name: &wanted.name,
        hash: &auth::hash(secret),
        hint: &hint,
        scope: wanted.scope,
        expires_at: wanted.expires_at,
    };
    keys::insert_key(tx, &key).await?;
    let about = Key {
        id,
        name: wanted.name.to_string(),
        scope: wanted.scope,
        hint: hint.clone(),
        created_at: Utc::now(),
        last_used_at: None,
        expires_at: wanted.expires_at,
    };
    let view = MadeKeyView { about: about.into(), key: None };
    Ok(Created { status: StatusCode::CREATED, location: None, body: json!(view) })
}

/// Revoke a key.
///
/// It stops to work at once, with every session made from it, and its name is free again. Needs scope `admin`.
#[utoipa::path(
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key")),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "No such key", body = Problem, content_type = "application/problem+json"),
    )
)]
#[delete("/keys/{id}")]
async fn revoke_key(
    _caller: Caller<Admin>,
    state: web::Data<State>,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    if !keys::mark_key_revoked(&state.db, *id).await? {
        return Err(ApiError::not_found("key", *id));
    }
    state.keys.forget(*id);
    Ok(HttpResponse::NoContent().finish())
}

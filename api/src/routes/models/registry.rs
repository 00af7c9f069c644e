//! What may be changed of a model that is stored: its labels, and which version its name alone means.

use actix_web::{HttpRequest, HttpResponse, patch, post, put, web};
use lookalike_shared::db::{self, models};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::jobs::{MAX_LABELS, check_label};
use serde_json::json;

use super::reference;
use crate::auth::{Caller, Manage};
use crate::etag;
use crate::extract::Json;
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::model::{DefaultVersionRequest, LabelsRequest, ModelVersionView};

/// Say which version a name alone means.
///
/// Without this it is the newest. What it meant before is kept for a rollback. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    params(("name" = Name, Path, description = "The model")),
    request_body = DefaultVersionRequest,
    responses(
        (status = 200, description = "The version that is the default now", body = ModelVersionView),
        (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The model has no such version", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[put("/models/{name}/default")]
pub(super) async fn set_default_version(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
    body: Json<DefaultVersionRequest>,
) -> Result<web::Json<ModelVersionView>, ApiError> {
    let (name, version) = (name.into_inner(), body.0.version);
    let mut tx = db::begin(&state.db).await?;
    models::lock_name(&mut tx, &name).await?;
    models::get_model(&mut *tx, &ModelRef { name: name.clone(), version: None }).await?;
    if !models::set_default(&mut *tx, &name, version).await? {
        return Err(ApiError::invalid_field(
            "/version",
            format!("model \"{name}\" has no version {version}"),
        ));
    }
    let model = models::get_model(&mut *tx, &ModelRef { name, version: Some(version) }).await?;
    db::commit(tx).await?;
    Ok(web::Json(model.into()))
}

/// Take back the last change of what a name alone means.
///
/// Whether that was a promotion or a newer version that came to be. Doing it again goes further back. The version is
/// pinned by it, so that later ones are not the default until they are promoted. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    params(("name" = Name, Path, description = "The model")),
    responses(
        (status = 200, description = "The version that is the default again", body = ModelVersionView),
        (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No other version was the default before", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/models/{name}/rollback")]
pub(super) async fn roll_back(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<web::Json<ModelVersionView>, ApiError> {
    let name = name.into_inner();
    let mut tx = db::begin(&state.db).await?;
    models::lock_name(&mut tx, &name).await?;
    let now = models::get_model(&mut *tx, &ModelRef { name: name.clone(), version: None }).await?;
    let Some(version) = models::roll_back(&mut *tx, &name).await? else {
        let detail = format!("no version of model \"{name}\" but {} was its default before", now.version);
        return Err(ApiError::conflict(detail));
    };
    let model = models::get_model(&mut *tx, &ModelRef { name, version: Some(version) }).await?;
    db::commit(tx).await?;
    Ok(web::Json(model.into()))
}

/// Change the labels of a version.
///
/// As in a JSON merge patch (RFC 7396): labels that are named are set, or taken away with null; others stay. The bounds are
/// those of a job's labels. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    request_body = LabelsRequest,
    responses(
        (status = 200, description = "The version with its labels", body = ModelVersionView),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too many labels, or too long ones", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[patch("/models/{name}/{version}")]
pub(super) async fn set_labels(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
    body: Json<LabelsRequest>,
) -> Result<HttpResponse, ApiError> {
    let labels = body.0.labels;
    let mut errors = Vec::new();
    for (key, value) in &labels {
        check_label(&mut errors, key, value.as_deref().unwrap_or_default());
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let mut model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    let Some(merged) = models::merge_labels(&state.db, model.id, &json!(labels), MAX_LABELS as i64).await?
    else {
        let detail = format!("{} would have more than {MAX_LABELS} labels", model.reference());
        return Err(ApiError::invalid_field("/labels", detail));
    };
    model.labels = merged;
    Ok(etag::respond(&request, &ModelVersionView::from(model)))
}

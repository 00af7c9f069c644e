//! Models: listed, looked at, compared, downloaded, imported, labelled, made the default, deleted.

mod compare;
mod export;
mod files;
mod header;
mod import;
mod receive;
mod registry;

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::db::{self, PgConnection};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::storage::model_folder;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::{Caller, Manage, Read};
use crate::etag;
use crate::extract::{Query, Repeated};
use crate::multipart;
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::routes::jobs::filter::{Label, labels};
use crate::state::State;
use crate::views::model::{ConfusionView, ImportForm, ModelVersionView, ModelView};

/// The word in a path that means the version that a name alone means.
const DEFAULT: &str = "default";
/// The most versions that one request deletes.
const MAX_VERSIONS: i64 = 10_000;

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_models)
        .service(import_model)
        .service(list_versions)
        .service(delete_model)
        .service(registry::set_default_version)
        .service(registry::roll_back)
        .service(registry::set_labels)
        .service(compare::compare)
        .service(get_version)
        .service(delete_version)
        .service(get_confusion)
        .service(export::get_weights)
        .service(export::get_onnx)
        .service(files::get_files);
}

/// What lists of models are narrowed to.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct ModelQuery {
    /// Only versions with this label, `key:value`; repeat it for several. A name is listed for any version of it.
    #[param(value_type = Option<String>, example = "team:x")]
    label: Repeated<Label>,
}

/// Every model by name, with its newest version and its default one.
///
/// Their cards are without what grows with classes and pictures; that of one version has it.
#[utoipa::path(
    tag = "models",
    params(ModelQuery, Page),
    responses((status = 200, description = "A page of models", body = Listed<ModelView>))
)]
#[get("/models")]
async fn list_models(
    _caller: Caller<Read>,
    state: web::Data<State>,
    query: Query<ModelQuery>,
    page: Query<Page>,
) -> Result<web::Json<Listed<ModelView>>, ApiError> {
    let (limit, labels) = (page.limit()?, labels(query.0.label.0));
    let after: String = page.after()?.unwrap_or_default();
    let found = models::list_names(&state.db, labels.as_ref(), &after, limit + 1).await?;
    Ok(web::Json(Listed::of_rows(found, limit, |last| last.latest.name.clone(), ModelView::from)))
}

/// Every version of a model, newest first.
///
/// Their cards are without what grows with classes and pictures; that of one version has it.
#[utoipa::path(
    tag = "models",
    params(("name" = Name, Path, description = "The model"), ModelQuery, Page),
    responses(
        (status = 200, description = "A page of versions", body = Listed<ModelVersionView>),
        (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}")]
async fn list_versions(
    _caller: Caller<Read>,
    state: web::Data<State>,
    name: web::Path<Name>,
    query: Query<ModelQuery>,
    page: Query<Page>,
) -> Result<web::Json<Listed<ModelVersionView>>, ApiError> {
    let (limit, before, labels) = (page.limit()?, page.after()?, labels(query.0.label.0));
    let found = models::list_versions(&state.db, &name, labels.as_ref(), before, limit + 1).await?;
    if found.is_empty() && before.is_none() && labels.is_none() {
        return Err(ApiError::not_found("model", name));
    }
    Ok(web::Json(Listed::of_rows(found, limit, |last| last.version, ModelVersionView::from)))
}

/// One version with its card: what it was trained on and how well it does.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 200, description = "The version", body = ModelVersionView),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/{version}")]
async fn get_version(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    Ok(etag::respond(&request, &ModelVersionView::from(model)))
}

/// Which classes a version took for which.
///
/// Over the validation pictures of its training; an imported model has none.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 200, description = "The confusion matrix", body = ConfusionView),
        (status = 304, description = "Unchanged since `If-None-Match`"),
        (status = 404, description = "No such version, or it was not measured", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/{version}/confusion")]
async fn get_confusion(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = models::get_model(&state.db, &reference(path.into_inner())?).await?;
    let unmeasured = ApiError::not_found("confusion matrix of model", model.reference());
    Ok(etag::respond(&request, &ConfusionView::of(model).ok_or(unmeasured)?))
}

/// Import weights that were trained elsewhere.
///
/// The file is safetensors, or what PyTorch saves: a state dict (`.pth`, `.pt`), alone or under `state_dict` or `model`
/// of a checkpoint, a compiled module, or tch's `.ot`. The format is told by the content, nothing in it is executed,
/// and it is stored as safetensors of 32-bit floats. Names as published for Caffe's AlexNet (`conv1` to `fc8`), for
/// DenseNets until 2018 and by DataParallel are understood. The tensors are compared with the network: every one that
/// is missing, unexpected, or of another shape or type is told. A tensor `projection.weight` `[D, features]` makes
/// embeddings of D values. The import becomes the next version of its name. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Imported; `Location` names it", body = ModelVersionView),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no form", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file does not fit the network, or a part breaks rules", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/models/import")]
async fn import_model(
    caller: Caller<Manage>,
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if !multipart::is_form(&request) {
        return Err(multipart::unsupported(&request, "multipart/form-data"));
    }
    import::import(&state, &caller, &request, body).await
}

/// Delete one version with its weights. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    params(
        ("name" = Name, Path, description = "The model"),
        ("version" = String, Path, description = "Its number, or `default`", example = "1"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Indexes use it: the detail names them", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[delete("/models/{name}/{version}")]
async fn delete_version(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    path: web::Path<(Name, String)>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let model = models::get_model(&mut *tx, &reference(path.into_inner())?).await?;
    delete_models(&mut tx, std::slice::from_ref(&model)).await?;
    db::commit(tx).await?;
    forget_weights(&state, &[model]).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete every version of a model with its weights. Needs scope `manage`.
#[utoipa::path(
    tag = "models",
    params(("name" = Name, Path, description = "The model")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Indexes use a version of it: the detail names them", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[delete("/models/{name}")]
async fn delete_model(
    _caller: Caller<Manage>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = db::begin(&state.db).await?;
    let versions = models::list_versions(&mut *tx, &name, None, None, MAX_VERSIONS).await?;
    if versions.is_empty() {
        return Err(ApiError::not_found("model", name));
    }
    delete_models(&mut tx, &versions).await?;
    db::commit(tx).await?;
    forget_weights(&state, &versions).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes the rows of models that no index uses.
async fn delete_models(tx: &mut PgConnection, versions: &[Model]) -> Result<(), ApiError> {
    let mut users = BTreeSet::new();
    for model in versions {
        users.extend(models::list_users(&mut *tx, model.id).await?);
    }
    if !users.is_empty() {
        let names: Vec<String> = versions.iter().rev().map(Model::reference).collect();
        let users: Vec<String> = users.into_iter().collect();
        let detail =
            format!("{} is used by: {}; delete or rebuild them first", names.join(", "), users.join(", "));
        return Err(ApiError::conflict(detail));
    }
    for model in versions {
        models::delete_model(&mut *tx, model.id).await?;
    }
    Ok(())
}

/// Deletes what the artifacts store keeps of models whose rows are gone. What stays behind costs space only.
async fn forget_weights(state: &State, versions: &[Model]) {
    let artifacts = state.storage.artifacts();
    for model in versions {
        let kept = [
            artifacts.delete(&model.weights_key).await.err(),
            artifacts.delete_all(&model_folder(model.id)).await.err(),
        ];
        for error in kept.into_iter().flatten() {
            tracing::warn!(model = model.reference(), %error, "the weights of a deleted model are left behind");
        }
    }
}

/// The version that a path names.
fn reference((name, version): (Name, String)) -> Result<ModelRef, ApiError> {
    if version == DEFAULT {
        return Ok(ModelRef { name, version: None });
    }
    let unknown = || ApiError::not_found("model", format!("{name}@{version}"));
    let number = version.parse::<i32>().map_err(|_| unknown())?;
    Ok(ModelRef { name, version: Some(number) })
}

/// The body of the answer that a model was made.
fn made(model: Model) -> Value {
    json!(ModelVersionView::from(model))
}

//! Submitting jobs, one route per kind; all need scope `submit`.
//!
//! A handler checks what the body refers to and hands the payload to [`crate::submit`]; what depends on the
//! state of an index is checked in the transaction that enqueues.

mod form;
mod references;
mod search;

use actix_web::{HttpRequest, HttpResponse, post, web};
use lookalike_shared::db::PgConnection;
use lookalike_shared::db::{indexes, models};
use lookalike_shared::domain::name::Name;
use lookalike_shared::jobs::Index;
use utoipa_actix_web::service_config::ServiceConfig;

use super::indexes::create_index;
use crate::auth::{Caller, Submit};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::submit::{submit, submit_after};
use crate::views::job::JobView;
use crate::views::search::SearchForm;
use crate::views::submission::{
    EvaluateSubmission, IndexSubmission, NoopSubmission, RebuildSubmission, SearchSubmission, Submitted,
    TrainSubmission, ValidateSubmission,
};
use references::References;

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(submit_train)
        .service(submit_index)
        .service(submit_search)
        .service(submit_evaluate)
        .service(submit_rebuild)
        .service(submit_noop)
        .service(submit_validate);
}

/// Train a classifier on labelled folders.
///
/// The trained model becomes the next version of `model`. Only `model` and `dataset` are required.
#[utoipa::path(
    tag = "jobs",
    request_body(content = TrainSubmission, example = json!({
        "model": "scenes", "dataset": {"source": "photos", "prefix": "train/"}, "epochs": 30,
        "pretrained": "imagenet-mobilenet", "labels": {"team": "x"}
    })),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 422, description = "Rules are broken, or a source or model does not exist", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/jobs/train")]
async fn submit_train(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: TrainSubmission,
) -> Result<HttpResponse, ApiError> {
    let Submitted { payload, common } = body;
    let mut found = References::of(&state, &payload, &common);
    references::check_train(&mut found, &payload).await?;
    found.finish()?;
    submit(&state, &caller, &request, payload, common, Vec::new()).await
}

/// Put the pictures of a source into an index.
///
/// The index is made, empty, with this request if there is none of that name; `model` is required then. An
/// existing index keeps its model: another one is refused, a rebuild changes it.
#[utoipa::path(
    tag = "jobs",
    request_body(content = IndexSubmission, example = json!({
        "index": "gallery", "model": "scenes", "source": "photos", "prefix": "gallery/", "mode": "sync"
    })),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 422, description = "Rules are broken, the source or model does not exist, or it is not the index's model",
         body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/jobs/index")]
async fn submit_index(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: IndexSubmission,
) -> Result<HttpResponse, ApiError> {
    let Submitted { payload, common } = body;
    let mut found = References::of(&state, &payload, &common);
    references::check_index(&mut found, &payload).await?;
    found.finish()?;
    let wanted = payload.clone();
    let prepare = async |tx: &mut PgConnection| ensure_index(tx, &wanted).await;
    submit_after(&state, &caller, &request, payload, common, Vec::new(), prepare).await
}

/// Makes the index unless it is there, with the model that is asked for.
async fn ensure_index(tx: &mut PgConnection, wanted: &Index) -> Result<(), ApiError> {
    indexes::lock_name(&mut *tx, &wanted.index).await?;
    let index = indexes::find_index(&mut *tx, &wanted.index).await?;
    let Some(reference) = &wanted.model else {
        let missing = || {
            let detail =
                format!("there is no index \"{}\" yet: name the model to make it with", wanted.index);
            ApiError::invalid_field("/model", detail)
        };
        return index.map(|_| ()).ok_or_else(missing);
    };
    let model = models::get_model(&mut *tx, reference).await?;
    match index {
        None => create_index(tx, &wanted.index, &model).await.map(|_| ()),
        Some(index) if index.model_id == Some(model.id) => Ok(()),
        // A name without a version means the version that the index has, also when there is a newer one.
        Some(index) if reference.version.is_none() && index.is_of(&reference.name) => Ok(()),
        Some(index) => {
            let own = index.model.unwrap_or_default();
            let detail = format!(
                "index \"{}\" uses {own}, not {}: leave model out, or change it with POST /v1/jobs/rebuild",
                wanted.index,
                model.reference()
            );
            Err(ApiError::invalid_field("/model", detail))
        }
    }
}

/// Find look-alikes of a picture.
///
/// JSON, or `multipart/form-data` with the picture as file part `image`. Exactly one of a picture, an entry, an
/// object of a source and several examples says what to look for.
#[utoipa::path(
    tag = "jobs",
    request_body(content(
        (SearchSubmission = "application/json",
         example = json!({"index": "gallery", "k": 20, "image_base64": "/9j/4AAQSkZJRgABAQAAAQABAAD..."})),
        (SearchForm = "multipart/form-data"),
    )),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`; `result` has the hits", body = JobView),
        (status = 404, description = "No such index (`index_not_found`)", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "A picture, or the body, is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "Neither JSON nor a form", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or it is no picture", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/jobs/search")]
async fn submit_search(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    search::submit_search(&state, &caller, &request, body).await
}

/// Measure an index with labelled queries.
///
/// Every picture under the prefix is searched for; the name of its folder is its true class. With `generation` it is
/// that one which is measured, with its own model, so that a ready or retired one can be compared with the active one
/// on the same pictures.
#[utoipa::path(
    tag = "jobs",
    request_body(content = EvaluateSubmission, example = json!({
        "index": "gallery", "source": "photos", "prefix": "val/", "k": [1, 5, 10]
    })),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 404, description = "No such index (`index_not_found`)", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or the source does not exist", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/jobs/evaluate")]
async fn submit_evaluate(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: EvaluateSubmission,
) -> Result<HttpResponse, ApiError> {
    let Submitted { payload, common } = body;
    let index = references::index(&state, &payload.index).await?;
    let mut found = References::of(&state, &payload, &common);
    found.source("/source", &payload.source);
    references::check_generation(&mut found, &index, payload.generation).await?;
    found.finish()?;
    submit(&state, &caller, &request, payload, common, Vec::new()).await
}

/// Index again, with another model, everything an index holds.
///
/// A new generation is filled beside the active one, which answers searches until the new one is whole. Then they swap
/// at once, what came to the index meanwhile included; with `"activate": false` the new one stays `ready` until
/// `POST /v1/indexes/{name}/activate` takes it, or for 7 days at least.
#[utoipa::path(
    tag = "jobs",
    request_body(content = RebuildSubmission, example = json!({
        "index": "gallery", "model": "scenes@2", "activate": false
    })),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 404, description = "No such index (`index_not_found`)", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken, or the model does not exist", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/jobs/rebuild")]
async fn submit_rebuild(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: RebuildSubmission,
) -> Result<HttpResponse, ApiError> {
    let Submitted { payload, common } = body;
    references::index(&state, &payload.index).await?;
    let mut found = References::of(&state, &payload, &common);
    found.model("/model", &payload.model).await?;
    found.finish()?;
    submit(&state, &caller, &request, payload, common, Vec::new()).await
}

/// Do nothing: measures and checks the queue itself.
#[utoipa::path(
    tag = "jobs",
    request_body(content = NoopSubmission, example = json!({"priority": 5})),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`", body = JobView),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/jobs/noop")]
async fn submit_noop(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    body: NoopSubmission,
) -> Result<HttpResponse, ApiError> {
    submit(&state, &caller, &request, body.payload, body.common, Vec::new()).await
}

/// Report on a labelled set of pictures before training on it.
///
/// The job's result tells for each class how many files are there and can be read; exact duplicates within and across
/// classes and across both sets; sizes and the side to train at; and, in words, whether a training would start
/// (`problems`) and what is odd (`warnings`). Files that cannot be read are the job's items, each with its reason.
#[utoipa::path(
    tag = "sources",
    params(("name" = Name, Path, description = "A declared source, or `uploads`")),
    request_body(content = ValidateSubmission, example = json!({
        "prefix": "train/", "validation": {"source": "photos", "prefix": "val/"}, "min_images_per_class": 100,
        "backbone": "resnet18"
    })),
    responses(
        (status = 202, description = "Enqueued; `Location` names the job", body = JobView),
        (status = 200, description = "Ended within `Prefer: wait=N`; `result` has the report", body = JobView),
        (status = 404, description = "No such source", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Rules are broken", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/sources/{name}/validate")]
async fn submit_validate(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<Name>,
    body: ValidateSubmission,
) -> Result<HttpResponse, ApiError> {
    let source = path.into_inner();
    state.storage.get_source(&source)?;
    let payload = body.payload.on(source);
    let mut found = References::of(&state, &payload, &body.common);
    if let Some(set) = &payload.validation {
        found.source("/validation/source", &set.source);
    }
    found.finish()?;
    submit(&state, &caller, &request, payload, body.common, Vec::new()).await
}

//! Health, metrics, and the state of the whole.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use lookalike_shared::db;
use lookalike_shared::domain::backbone;
use lookalike_shared::jobs::Search;
use lookalike_shared::storage::StorageError;
use tokio::time::timeout;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::Caller;
use crate::paging::MAX_LIMIT;
use crate::prefer::MAX_WAIT_SECONDS;
use crate::problem::ApiError;
use crate::routes::jobs::bulk::MAX_BULK;
use crate::state::State;
use crate::views::system::{
    BackboneView, Check, DatabaseView, Health, LimitsView, RetentionView, SourceLocation, StorageView, System,
};

/// How long a check of `/readyz` may take.
const CHECK_TIME: Duration = Duration::from_secs(3);

/// Mounts what needs no key.
pub fn configure_open(config: &mut ServiceConfig<'_>) {
    config.service(livez).service(readyz).service(metrics);
}

/// Mounts what is under `/v1`.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(system);
}

/// Whether the process is alive; nothing else is looked at.
#[utoipa::path(tag = "system", security(()), responses((status = 200, description = "It is", body = Health)))]
#[get("/livez")]
async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", checks: Vec::new() })
}

/// Whether requests can be served: the database answers, holds this version's schema, and the storage answers.
#[utoipa::path(
    tag = "system",
    security(()),
    responses(
        (status = 200, description = "Ready", body = Health),
        (status = 503, description = "Not ready: the checks say why", body = Health)
    )
)]
#[get("/readyz")]
async fn readyz(state: web::Data<State>) -> HttpResponse {
    let (mut checks, storage) = tokio::join!(check_database(&state), check_storage(&state));
    checks.push(storage);
    let ok = checks.iter().all(|check| check.ok);
    let mut response = if ok { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if !ok {
        response.insert_header(("Retry-After", "2"));
    }
    response.json(Health { status: if ok { "ok" } else { "failed" }, checks })
}

async fn check_database(state: &State) -> Vec<Check> {
    let version = timeout(CHECK_TIME, db::server_version(&state.db)).await;
    if !matches!(version, Ok(Ok(_))) {
        let detail = "the database does not answer".to_owned();
        let unknown = Some("not known while the database does not answer".to_owned());
        return vec![
            Check { name: "database", ok: false, detail: Some(detail) },
            Check { name: "migrations", ok: false, detail: unknown },
        ];
    }
    let migrated = matches!(timeout(CHECK_TIME, db::is_migrated(&state.db)).await, Ok(Ok(true)));
    let detail =
        (!migrated).then(|| "the schema is older than this program: run `lookalike migrate`".to_owned());
    vec![
        Check { name: "database", ok: true, detail: None },
        Check { name: "migrations", ok: migrated, detail },
    ]
}

async fn check_storage(state: &State) -> Check {
    // Nothing of that name needs to be there: being told so is an answer.
    let asked = timeout(CHECK_TIME, state.storage.artifacts().head("readiness")).await;
    let ok = matches!(asked, Ok(Ok(_) | Err(StorageError::NotFound { .. })));
    Check { name: "storage", ok, detail: (!ok).then(|| "the artifacts store does not answer".to_owned()) }
}

/// Metrics for Prometheus. They name routes, queues and kinds of jobs, nothing that users made; no key is needed.
#[utoipa::path(
    tag = "system",
    security(()),
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"))
)]
#[get("/metrics")]
async fn metrics(state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let text = state.metrics.render(&state.db).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// Version, storage, limits, database, and the networks that can be trained.
#[utoipa::path(tag = "system", responses((status = 200, description = "The system", body = System)))]
#[get("/system")]
async fn system(_caller: Caller, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let database = DatabaseView {
        version: db::server_version(&state.db).await?,
        size_bytes: db::size_bytes(&state.db).await?,
    };
    Ok(HttpResponse::Ok().json(System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        storage: storage_of(&state),
        limits: limits_of(&state),
        database,
        backbones: backbone::all().iter().map(backbone_of).collect(),
        retention: RetentionView {
            jobs_seconds: state.retention.jobs.as_secs(),
            searches_seconds: state.retention.searches.as_secs(),
            events_seconds: state.retention.events.as_secs(),
            samples_seconds: state.retention.samples.as_secs(),
        },
    }))
}

fn storage_of(state: &State) -> StorageView {
    let sources = state.storage.sources();
    let sources = sources.map(|source| SourceLocation {
        name: source.name().to_owned(),
        location: source.location().to_owned(),
    });
    StorageView { artifacts: state.storage.artifacts().location().to_owned(), sources: sources.collect() }
}

fn limits_of(state: &State) -> LimitsView {
    LimitsView {
        max_picture_bytes: state.limits.max_picture_bytes,
        max_picture_pixels: state.limits.max_picture_pixels,
        max_upload_bytes: state.limits.max_upload_bytes,
        max_k: Search::MAX_K,
        max_page_items: MAX_LIMIT,
        max_bulk_jobs: MAX_BULK,
        max_wait_seconds: MAX_WAIT_SECONDS,
    }
}

fn backbone_of(backbone: &backbone::Backbone) -> BackboneView {
    BackboneView {
        name: backbone.name.to_owned(),
        default_image_size: backbone.default_image_size,
        min_image_size: backbone.min_image_size,
        embedding_dim: backbone.embedding_dim,
    }
}

//! The OpenAPI document: made from the routes themselves, so that a route without an entry cannot be mounted
//! through [`crate::routes::configure`]. Every operation may answer with a problem; that is added here, once.

use actix_web::App;
use actix_web::dev::ResourceDef;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use utoipa_actix_web::AppExt;

use crate::auth::SESSION_COOKIE;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::routes;
use crate::views::event::EventView;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lookalike",
        description = "Content-based image retrieval: train classifiers, index pictures, find look-alikes.\n\n\
            Training, indexing and searching are jobs: a POST answers 202 with the job, `GET /v1/jobs/{id}` and \
            `/v1/jobs/{id}/events` follow it. `Prefer: wait=N` waits up to 60 seconds for its end. `Idempotency-Key` \
            makes a POST safe to repeat for 24 hours. Refusals are problem documents (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem, EventView)),
    security(("key" = []), ("session" = [])),
    tags(
        (name = "jobs", description = "What was asked for, how far it is and how it ended"),
        (name = "events", description = "Changes of jobs as server-sent events"),
        (name = "queues", description = "What waits, pause and resume"),
        (name = "workers", description = "Processes that do the work, and their devices"),
        (name = "models", description = "Trained and imported weights"),
        (name = "indexes", description = "Searchable collections of pictures"),
        (name = "schedules", description = "Indexes that follow their sources"),
        (name = "sources", description = "Where pictures are read from, and uploads"),
        (name = "keys", description = "Who may call, and as what"),
        (name = "system", description = "Health, limits and this document"),
    )
)]
struct Base;

/// What the document starts from; `/v1` and the rest add their own.
pub fn base() -> Document {
    let mut document = Base::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let components = document.components.get_or_insert_default();
    let mut key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    key.description =
        Some("A key. Scopes: read, submit, manage, admin; each includes the ones before.".to_owned());
    components.add_security_scheme("key", SecurityScheme::Http(key));
    let cookie =
        ApiKeyValue::with_description(SESSION_COOKIE, "The session of a browser, from POST /v1/session.");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
}

/// The whole document.
pub fn document() -> Document {
    let (_, mut document) =
        App::new().into_utoipa_app().openapi(base()).configure(routes::configure).split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            let responses = &mut operation.responses.responses;
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(problem_response()));
        }
    }
    document
}

/// A name made of method and path, so that none comes twice: `get_jobs_id_logs`.
fn operation_id(method: &str, path: &str) -> String {
    let words =
        path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "v1");
    let words: Vec<_> =
        std::iter::once(method.to_ascii_lowercase()).chain(words.map(str::to_owned)).collect();
    words.join("_")
}

fn problem_response() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description("A refusal").content(PROBLEM_JSON, content).build()
}

/// The operations of a path by method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("GET", item.get.as_mut()),
        ("PUT", item.put.as_mut()),
        ("POST", item.post.as_mut()),
        ("DELETE", item.delete.as_mut()),
        ("HEAD", item.head.as_mut()),
        ("PATCH", item.patch.as_mut()),
        ("OPTIONS", item.options.as_mut()),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}

/// Which methods each path has, for telling 405 from 404.
pub struct KnownPaths(Vec<(ResourceDef, Vec<&'static str>)>);

impl KnownPaths {
    /// The paths of a document.
    pub fn of(document: &Document) -> Self {
        let mut document = document.clone();
        let paths = document.paths.paths.iter_mut();
        Self(
            paths
                .map(|(path, item)| {
                    (ResourceDef::new(path.as_str()), operations(item).map(|(m, _)| m).collect())
                })
                .collect(),
        )
    }

    /// The methods of a path; none when it is not known.
    pub fn methods(&self, path: &str) -> Vec<&'static str> {
        let matching = self.0.iter().filter(|(known, _)| known.is_match(path));
        matching.flat_map(|(_, methods)| methods.iter().copied()).collect()
    }
}

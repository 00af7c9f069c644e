//! Declared sources, and looking into them folder by folder.

use actix_web::{get, post, web};
use lookalike_shared::domain::name::Name;
use lookalike_shared::jobs::check_prefix;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::{Caller, Read, Submit};
use crate::extract::Query;
use crate::paging::{Listed, Page};
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::source::{SourceObjectView, SourceTestView, SourceView};

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_sources).service(list_objects).service(test_source);
}

/// Every source that is declared, and `uploads`.
#[utoipa::path(
    tag = "sources",
    params(Page),
    responses((status = 200, description = "The sources", body = Listed<SourceView>))
)]
#[get("/sources")]
async fn list_sources(
    _caller: Caller<Read>,
    state: web::Data<State>,
    page: Query<Page>,
) -> Result<web::Json<Listed<SourceView>>, ApiError> {
    let sources: Vec<_> = state.storage.sources().collect();
    let listed = Listed::of_whole(sources, &page, |source| source.name().to_owned(), SourceView::from)?;
    Ok(web::Json(listed))
}

/// Where in a source to look.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// A folder of the source; its top when not given.
    #[serde(default)]
    #[param(required = false, example = "gallery/")]
    prefix: String,
}

/// The folders and objects directly under a prefix: folders first, each by name. A bucket has folders and objects in one
/// order by name; each page of it tells its folders first.
#[utoipa::path(
    tag = "sources",
    params(("name" = Name, Path, description = "A declared source, or `uploads`"), Place, Page),
    responses(
        (status = 200, description = "A page of folders and objects", body = Listed<SourceObjectView>),
        (status = 404, description = "No such source", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The prefix leaves the source", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/sources/{name}/objects")]
async fn list_objects(
    _caller: Caller<Read>,
    state: web::Data<State>,
    name: web::Path<Name>,
    place: Query<Place>,
    page: Query<Page>,
) -> Result<web::Json<Listed<SourceObjectView>>, ApiError> {
    let source = state.storage.get_source(&name)?;
    let mut errors = Vec::new();
    check_prefix(&mut errors, "/prefix", &place.prefix);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let limit = usize::try_from(page.limit()?).unwrap_or_default();
    let after: Option<String> = page.after()?;
    let found = source.browse_page(&place.prefix, after.as_deref(), limit).await?;
    let folders = found.listing.folders.into_iter().map(SourceObjectView::from);
    let objects = found.listing.objects.into_iter().map(SourceObjectView::from);
    Ok(web::Json(Listed::of_page(folders.chain(objects).collect(), found.next.as_ref())))
}

/// Tries whether a source can be read: lists its first objects and reads the beginning of one, for at most 10 seconds.
/// What is wrong with it is the answer, and no failure of the request.
#[utoipa::path(
    tag = "sources",
    params(("name" = Name, Path, description = "A declared source, or `uploads`")),
    responses(
        (status = 200, description = "What was found out", body = SourceTestView),
        (status = 404, description = "No such source", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/sources/{name}/test")]
async fn test_source(
    _caller: Caller<Submit>,
    state: web::Data<State>,
    name: web::Path<Name>,
) -> Result<web::Json<SourceTestView>, ApiError> {
    let source = state.storage.get_source(&name)?;
    let probe = source.probe().await;
    if let Some(error) = &probe.error {
        tracing::info!(source.name = %name, %error, "a source that was tested cannot be read");
    }
    Ok(web::Json(SourceTestView::new(source, probe)))
}

//! Two versions side by side.

use actix_web::{HttpRequest, HttpResponse, get, web};
use lookalike_shared::db::models;
use lookalike_shared::domain::name::{ModelRef, Name};
use serde::Deserialize;
use utoipa::IntoParams;

use super::DEFAULT;
use crate::auth::{Caller, Read};
use crate::etag;
use crate::extract::Query;
use crate::problem::{ApiError, Problem};
use crate::state::State;
use crate::views::comparison::Comparison;

/// The two versions to compare.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Pair {
    /// A version of the model, `default`, or `name@version` of another model.
    #[param(example = "1")]
    a: String,
    /// Likewise; the default version when not given.
    #[param(example = "2")]
    #[serde(default)]
    b: Option<String>,
}

/// Two versions side by side: what was measured of each, with differences, and where their recipes and datasets differ.
///
/// Figures of classes are compared where both have the same classes. Retrieval and accuracy were measured on the validation
/// pictures of each training: they say which version is better where both had the same ones.
#[utoipa::path(
    tag = "models",
    params(("name" = Name, Path, description = "The model"), Pair),
    responses(
        (status = 200, description = "Both, and their differences (b - a)", body = Comparison),
        (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Neither a version nor a reference", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/models/{name}/compare")]
pub(super) async fn compare(
    _caller: Caller<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<Name>,
    pair: Query<Pair>,
) -> Result<HttpResponse, ApiError> {
    let a = named(&name, &pair.a).map_err(|detail| ApiError::invalid_field("/a", detail))?;
    let b = named(&name, pair.b.as_deref().unwrap_or(DEFAULT));
    let b = b.map_err(|detail| ApiError::invalid_field("/b", detail))?;
    let a = models::get_model(&state.db, &a).await?;
    let b = models::get_model(&state.db, &b).await?;
    Ok(etag::respond(&request, &Comparison::of(a, b)))
}

/// The version that a parameter names, of the model in the path unless it names another.
fn named(name: &Name, text: &str) -> Result<ModelRef, String> {
    if text == DEFAULT {
        return Ok(ModelRef { name: name.clone(), version: None });
    }
    if let Ok(version) = text.parse() {
        return Ok(ModelRef { name: name.clone(), version: Some(version) });
    }
    text.parse().map_err(|error| format!("neither a version nor name@version: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_of_this_model_unless_another_is_named() {
        let scenes: Name = "scenes".parse().unwrap();
        let told = |text| named(&scenes, text).map(|reference| reference.to_string()).ok();
        assert_eq!(told("2").as_deref(), Some("scenes@2"));
        assert_eq!(told("default").as_deref(), Some("scenes"));
        assert_eq!(told("other@3").as_deref(), Some("other@3"));
        assert_eq!(told("other@x"), None);
    }
}

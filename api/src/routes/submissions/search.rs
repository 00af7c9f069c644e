//! Submitting a search: what to look for is found out, checked cheaply and stored with the job.
//!
//! A picture is judged by its header before it is stored; decoding is the worker's. The pictures of one search
//! share a bound of bytes, and no more than that is ever buffered.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use lookalike_shared::config::Limits;
use lookalike_shared::db::answering::Answering;
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::db::{gallery, models};
use lookalike_shared::domain::name::Name;
use lookalike_shared::jobs::{Example, Query, QueryExample, Search, Submission};
use lookalike_shared::storage::StorageError;
use serde_json::Value;
use uuid::Uuid;

use super::form;
use super::references::References;
use crate::auth::{Caller, Submit};
use crate::extract::{self, MAX_JSON_BYTES};
use crate::multipart;
use crate::picture::{self, Refusal};
use crate::problem::ApiError;
use crate::state::State;
use crate::submit::submit_search as enqueue;
use crate::views::search::{ExampleRequest, SearchRequest};

/// Base64 as people send it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A picture that came with a search, and the part of the request it was.
struct Picture {
    pointer: String,
    weight: f32,
    bytes: Vec<u8>,
}

/// A search as it was asked for, in JSON or as a form.
struct Asked {
    request: SearchRequest,
    common: Submission,
    /// The file parts of a form.
    images: Vec<Vec<u8>>,
    /// Their weights, if they are given.
    weights: Option<Vec<f32>>,
}

/// Submits a search.
///
/// # Errors
/// 404 for an unknown index, 413 over a limit, 415 for another media type, 422 for what breaks rules.
pub async fn submit_search(
    state: &State,
    caller: &Caller<Submit>,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut asked = read(request, body, &state.limits).await?;
    let index = state.together.index(&asked.request.index).await?;
    let (query, pictures) = asked.query(&state.limits)?;
    check_bytes(&pictures, &state.limits)?;
    let SearchRequest {
        index: name, k, probes, rank_by, filter, min_similarity, collapse_duplicates, ..
    } = asked.request;
    let search =
        Search { index: name, query, k, probes, rank_by, filter, min_similarity, collapse_duplicates };
    let mut found = References::of(state, &search, &asked.common);
    check_pictures(&mut found, &pictures, &state.limits);
    check_query(&mut found, state, &index, &search.query).await?;
    check_classes(&mut found, state, &index, &search).await?;
    found.finish()?;
    let pictures = pictures.into_iter().map(|picture| (picture.weight, picture.bytes)).collect();
    enqueue(state, caller, request, search, asked.common, pictures).await
}

/// The most bytes of all pictures of one search together.
fn most_bytes(limits: &Limits) -> u64 {
    limits.max_picture_bytes.saturating_mul(2)
}

async fn read(request: &HttpRequest, body: web::Payload, limits: &Limits) -> Result<Asked, ApiError> {
    if multipart::is_form(request) {
        let parts = form::read(Multipart::new(request.headers(), body), limits, most_bytes(limits)).await?;
        let (request, common) = extract::submission(Value::Object(parts.fields))?;
        return Ok(Asked { request, common, images: parts.images, weights: parts.weights });
    }
    // Base64 writes three bytes as four characters.
    let limit = most_bytes(limits).saturating_mul(4) / 3 + MAX_JSON_BYTES;
    let body = extract::read_json(request, body.into_inner(), limit).await?;
    let (request, common) = extract::submission(body)?;
    Ok(Asked { request, common, images: Vec::new(), weights: None })
}

impl Asked {
    /// What is looked for, and the pictures that came with it.
    fn query(&mut self, limits: &Limits) -> Result<(Query, Vec<Picture>), ApiError> {
        let request = &mut self.request;
        let ways = [
            ("image", !self.images.is_empty()),
            ("image_base64", request.image_base64.is_some()),
            ("entry_id", request.entry_id.is_some()),
            ("source with key", request.source.is_some() || request.key.is_some()),
            ("examples", request.examples.is_some()),
        ];
        let given: Vec<&str> = ways.iter().filter(|(_, given)| *given).map(|(way, _)| *way).collect();
        if given.len() != 1 {
            return Err(not_one_way("", &given));
        }
        let crop = request.crop;
        if let Some(examples) = request.examples.take() {
            return if crop.is_none() { examples_of(examples, limits) } else { Err(crop_of_many()) };
        }
        if !self.images.is_empty() {
            return self.images();
        }
        let example = ExampleRequest {
            image_base64: request.image_base64.take(),
            entry_id: request.entry_id,
            source: request.source.take(),
            key: request.key.take(),
            crop,
            weight: ExampleRequest::default_weight(),
        };
        let (example, picture) = example_of("", example, limits)?;
        let query = match example {
            Example::Picture { crop } => Query::Picture { crop },
            Example::Entry { entry_id } => Query::Entry { entry_id },
            Example::Object { source, key, crop } => Query::Object { source, key, crop },
        };
        Ok((query, picture.into_iter().collect()))
    }

    /// The file parts: one is a picture, several, or weighted ones, are examples.
    fn images(&mut self) -> Result<(Query, Vec<Picture>), ApiError> {
        let images = std::mem::take(&mut self.images);
        let weights = self.weights.take();
        let count = images.len();
        if let Some(weights) = &weights
            && weights.len() != count
        {
            let detail = format!("{} weights for {count} pictures", weights.len());
            return Err(ApiError::invalid_field("/weights", detail));
        }
        let single = count == 1 && weights.is_none();
        let crop = self.request.crop;
        if crop.is_some() && !single {
            return Err(crop_of_many());
        }
        let weights = weights.unwrap_or_else(|| vec![ExampleRequest::default_weight(); count]);
        let query = if single { Query::Picture { crop } } else { weighted(&weights) };
        let pictures = images.into_iter().zip(weights).enumerate();
        let pictures = pictures.map(|(position, (bytes, weight))| {
            let pointer = if single { "/image".to_owned() } else { format!("/image/{position}") };
            Picture { pointer, weight, bytes }
        });
        Ok((query, pictures.collect()))
    }
}

fn examples_of(examples: Vec<ExampleRequest>, limits: &Limits) -> Result<(Query, Vec<Picture>), ApiError> {
    if examples.len() > Search::MAX_EXAMPLES {
        let detail = format!("{} examples are more than {}", examples.len(), Search::MAX_EXAMPLES);
        return Err(ApiError::invalid_field("/examples", detail));
    }
    let (mut asked, mut pictures) = (Vec::with_capacity(examples.len()), Vec::new());
    for (position, example) in examples.into_iter().enumerate() {
        let weight = example.weight;
        let (of, picture) = example_of(&format!("/examples/{position}"), example, limits)?;
        asked.push(QueryExample { weight, of });
        pictures.extend(picture);
    }
    Ok((Query::Examples { examples: asked }, pictures))
}

/// One that is asked with, and its picture where that came with the request.
fn example_of(
    pointer: &str,
    example: ExampleRequest,
    limits: &Limits,
) -> Result<(Example, Option<Picture>), ApiError> {
    let ExampleRequest { image_base64, entry_id, source, key, crop, weight } = example;
    match (image_base64, entry_id, source, key) {
        (Some(text), None, None, None) => {
            let picture = decode(&format!("{pointer}/image_base64"), &text, weight, limits)?;
            Ok((Example::Picture { crop }, Some(picture)))
        }
        (None, Some(_), None, None) if crop.is_some() => {
            let detail = "an entry is known by its vectors: it has no parts";
            Err(ApiError::invalid_field(format!("{pointer}/crop"), detail))
        }
        (None, Some(entry_id), None, None) => Ok((Example::Entry { entry_id }, None)),
        (None, None, Some(source), Some(key)) => Ok((Example::Object { source, key, crop }, None)),
        (None, None, source @ Some(_), None) | (None, None, source @ None, Some(_)) => {
            let missing = if source.is_none() { "source" } else { "key" };
            let detail = "an object is named by source and key together";
            Err(ApiError::invalid_field(format!("{pointer}/{missing}"), detail))
        }
        (image, entry, source, key) => {
            let ways = [
                ("image_base64", image.is_some()),
                ("entry_id", entry.is_some()),
                ("source with key", source.is_some() || key.is_some()),
            ];
            let given: Vec<&str> = ways.iter().filter(|(_, given)| *given).map(|(way, _)| *way).collect();
            Err(not_one_way(pointer, &given))
        }
    }
}

fn weighted(weights: &[f32]) -> Query {
    let example = |weight: &f32| QueryExample { weight: *weight, of: Example::default() };
    Query::Examples { examples: weights.iter().map(example).collect() }
}

fn crop_of_many() -> ApiError {
    ApiError::invalid_field("/crop", "of several pictures each has its own: in examples")
}

fn not_one_way(pointer: &str, given: &[&str]) -> ApiError {
    let found = if given.is_empty() { "none of them".to_owned() } else { given.join(", ") };
    let ways = match pointer {
        "" => "image_base64, entry_id, source with key, and examples (in a form: image)",
        _ => "image_base64, entry_id, and source with key",
    };
    ApiError::invalid_field(pointer, format!("exactly one of {ways} expected; found: {found}"))
}

fn decode(pointer: &str, text: &str, weight: f32, limits: &Limits) -> Result<Picture, ApiError> {
    let text = match text.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data,
        _ => text,
    };
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if text.len() as u64 / 4 * 3 > limits.max_picture_bytes.saturating_add(3) {
        return Err(ApiError::too_large("the picture", limits.max_picture_bytes));
    }
    let bytes = BASE64.decode(text).map_err(|error| {
        ApiError::invalid_field(pointer, format!("no base64: {}", error.to_string().to_lowercase()))
    })?;
    Ok(Picture { pointer: pointer.to_owned(), weight, bytes })
}

/// Too many bytes are told as such (413), before any other rule.
fn check_bytes(pictures: &[Picture], limits: &Limits) -> Result<(), ApiError> {
    let sizes = pictures.iter().map(|picture| picture.bytes.len() as u64);
    if sizes.clone().any(|size| size > limits.max_picture_bytes) {
        return Err(ApiError::too_large("the picture", limits.max_picture_bytes));
    }
    let most = most_bytes(limits);
    if sizes.sum::<u64>() > most {
        Err(ApiError::too_large("the search's pictures together", most))
    } else {
        Ok(())
    }
}

fn check_pictures(found: &mut References<'_>, pictures: &[Picture], limits: &Limits) {
    for picture in pictures {
        let refusal: Option<Refusal> = picture::check(&picture.bytes, limits).err();
        if let Some(refusal) = refusal {
            found.add(picture.pointer.as_str(), refusal.to_string());
        }
    }
}

async fn check_query(
    found: &mut References<'_>,
    state: &State,
    index: &Answering,
    query: &Query,
) -> Result<(), ApiError> {
    let many = matches!(query, Query::Examples { .. });
    for (position, part) in query.parts().into_iter().enumerate() {
        let pointer = if many { format!("/examples/{position}") } else { String::new() };
        match part.of {
            Example::Picture { .. } => {}
            Example::Entry { entry_id } => check_entry(found, state, index, &pointer, entry_id).await?,
            Example::Object { source, key, .. } => {
                check_object(found, state, &pointer, &source, &key).await?;
            }
        }
    }
    Ok(())
}

async fn check_entry(
    found: &mut References<'_>,
    state: &State,
    index: &Answering,
    pointer: &str,
    id: Uuid,
) -> Result<(), ApiError> {
    let entry = match index.generation {
        Some(generation) => match gallery::find_entry(&state.db, generation, id).await {
            // Swapped and dropped meanwhile: entries of another generation have other ids.
            Err(error) if has_vanished(&error) => None,
            found => found?,
        },
        None => None,
    };
    if entry.is_none() {
        found.add(format!("{pointer}/entry_id"), format!("index \"{}\" has no entry \"{id}\"", index.name));
    }
    Ok(())
}

async fn check_object(
    found: &mut References<'_>,
    state: &State,
    pointer: &str,
    source: &Name,
    key: &str,
) -> Result<(), ApiError> {
    let Some(from) = state.storage.find_source(source) else {
        found.source(&format!("{pointer}/source"), source);
        return Ok(());
    };
    let limit = state.limits.max_picture_bytes;
    match from.head(key).await {
        Ok(object) if object.size > limit => {
            found.add(
                format!("{pointer}/key"),
                format!("\"{key}\" has {} bytes, more than the {limit} allowed", object.size),
            );
        }
        Ok(_) => {}
        Err(error @ (StorageError::NotFound { .. } | StorageError::InvalidKey { .. })) => {
            found.add(format!("{pointer}/key"), error.to_string());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The classes of a filter must be classes of the index's model.
async fn check_classes(
    found: &mut References<'_>,
    state: &State,
    index: &Answering,
    search: &Search,
) -> Result<(), ApiError> {
    let (Some(wanted), Some(model)) = (&search.filter.class, index.model_id) else { return Ok(()) };
    let model = models::get_model_by_id(&state.db, model).await?;
    for (position, class) in wanted.iter().enumerate() {
        if !model.classes.contains(class) {
            let shown: String = class.chars().take(80).collect();
            found.add(
                format!("/filter/class/{position}"),
                format!("{} has no class \"{shown}\"", model.reference()),
            );
        }
    }
    Ok(())
}

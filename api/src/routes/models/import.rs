//! Importing weights: read once, judged by their header, committed after they are stored.
//!
//! The file streams to the artifacts store while its hash and header are taken. The object becomes visible only
//! when every rule holds, the row only when the object is there; when the row fails, the object goes again.

use std::collections::HashSet;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures::TryStreamExt;
use lookalike_shared::db::models::{self, NewModel};
use lookalike_shared::db::{DbError, PgConnection};
use lookalike_shared::domain::FieldError;
use lookalike_shared::domain::backbone::{self, Backbone, ImportReport};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::storage::model_folder;
use serde_json::json;
use uuid::Uuid;

use super::made;
use super::receive::{File, receive};
use crate::auth::{Caller, Manage};
use crate::idempotency::{self, Created};
use crate::multipart::{self, MAX_TEXT_BYTES};
use crate::problem::ApiError;
use crate::state::State;

/// The most classes of a model; each becomes a partition of every index that uses it.
const MAX_CLASSES: usize = 10_000;
/// The longest class name, in bytes.
const MAX_CLASS_BYTES: usize = 255;
/// The largest side of the square that pictures are scaled to, in pixels, as for training.
const MAX_IMAGE_SIZE: u32 = 512;

/// What is told of a part that is needed and not there.
const MISSING: &str = "the part is missing";

/// The parts of the form, as they were sent.
#[derive(Default)]
struct Parts {
    name: Option<String>,
    backbone: Option<String>,
    classes: Option<String>,
    image_size: Option<String>,
    file: Option<File>,
}

/// An import that breaks no rule.
struct Accepted {
    name: Name,
    backbone: &'static Backbone,
    classes: Vec<String>,
    image_size: u32,
    report: ImportReport,
}

/// Imports a model.
///
/// # Errors
/// 413 over the limit, 422 with every rule that is broken and every tensor that does not fit.
pub async fn import(
    state: &State,
    caller: &Caller<Manage>,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::now_v7();
    let key = format!("{}weights.safetensors", model_folder(id));
    let mut parts = Parts::default();
    let read = read(state, &key, Multipart::new(request.headers(), body), &mut parts).await;
    let judged = read.and_then(|()| judge(&parts));
    let (accepted, file) = match (judged, parts.file) {
        (Ok(accepted), Some(file)) => (accepted, file),
        (judged, file) => {
            give_up(file).await;
            return Err(judged.err().unwrap_or_else(|| ApiError::invalid_field("/file", MISSING)));
        }
    };
    let hash = hash_of(request, &accepted, &file);
    let model = model_of(id, &key, accepted, &file, caller.key().name.as_str());
    file.writer.finish().await?;
    let work = async |tx: &mut PgConnection| insert(tx, &model).await;
    let answer = idempotency::with_idempotency(state, caller, request, hash, work).await;
    if !answer.as_ref().is_ok_and(|answer| !answer.replayed) {
        delete_unless_stored(state, id, &key).await;
    }
    Ok(answer?.respond())
}

async fn read(state: &State, key: &str, mut form: Multipart, parts: &mut Parts) -> Result<(), ApiError> {
    while let Some(mut field) = form.try_next().await.map_err(multipart::broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let target = match name.as_str() {
            "file" => {
                if parts.file.is_some() {
                    return Err(ApiError::invalid_field("/file", "the part is given twice"));
                }
                receive(state, key, &mut field, &mut parts.file).await?;
                continue;
            }
            "name" => &mut parts.name,
            "backbone" => &mut parts.backbone,
            "classes" => &mut parts.classes,
            "image_size" => &mut parts.image_size,
            _ => {
                let detail = "unknown part, one of name, backbone, file, classes, image_size expected";
                return Err(ApiError::invalid_field(format!("/{name}"), detail));
            }
        };
        if target.is_some() {
            return Err(ApiError::invalid_field(format!("/{name}"), "the part is given twice"));
        }
        *target = Some(multipart::text(&mut field, &name, MAX_TEXT_BYTES).await?);
    }
    Ok(())
}

/// Checks every rule, and tells every one that is broken.
fn judge(parts: &Parts) -> Result<Accepted, ApiError> {
    let mut errors = Vec::new();
    let name =
        require(&mut errors, "name", parts.name.as_deref().map(str::trim), |name| name.parse::<Name>());
    let backbone =
        require(&mut errors, "backbone", parts.backbone.as_deref().map(str::trim), backbone::by_name);
    let image_size = image_size(&mut errors, parts.image_size.as_deref(), backbone);
    let classes = classes(&mut errors, parts.classes.as_deref());
    let backbone = backbone.map(|backbone| variant(parts.file.as_ref(), backbone));
    let report = report(&mut errors, parts.file.as_ref(), backbone);
    let classes = match (&report, classes) {
        (Some(report), classes) => fit_classes(&mut errors, report.classes, classes),
        (None, _) => Vec::new(),
    };
    match (name, backbone, image_size, report) {
        (Some(name), Some(backbone), Some(image_size), Some(report)) if errors.is_empty() => {
            Ok(Accepted { name, backbone, classes, image_size, report })
        }
        _ => Err(ApiError::invalid(errors)),
    }
}

fn require<T, E: std::fmt::Display>(
    errors: &mut Vec<FieldError>,
    part: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let parsed = match text {
        None => Err(MISSING.to_owned()),
        Some(text) => parse(text).map_err(|error| error.to_string()),
    };
    parsed.map_err(|detail| errors.push(FieldError::new(format!("/{part}"), detail))).ok()
}

fn image_size(errors: &mut Vec<FieldError>, text: Option<&str>, backbone: Option<&Backbone>) -> Option<u32> {
    let Some(text) = text else { return backbone.map(|backbone| backbone.default_image_size) };
    let least = backbone.map_or(1, |backbone| backbone.min_image_size);
    match text.trim().parse() {
        Ok(size) if (least..=MAX_IMAGE_SIZE).contains(&size) => Some(size),
        _ => {
            let shown: String = text.chars().take(40).collect();
            let detail = format!("\"{shown}\" is out of range, {least} to {MAX_IMAGE_SIZE} expected");
            errors.push(FieldError::new("/image_size", detail));
            None
        }
    }
}

/// The network with embeddings of the length that the file's projection gives, if it has one.
fn variant(file: Option<&File>, backbone: &'static Backbone) -> &'static Backbone {
    let tensors = file.and_then(|file| file.tensors.as_ref().ok());
    tensors.map_or(backbone, |tensors| backbone.variant_of(tensors))
}

/// What the file holds, if it fits the network.
fn report(
    errors: &mut Vec<FieldError>,
    file: Option<&File>,
    backbone: Option<&Backbone>,
) -> Option<ImportReport> {
    let mut refuse = |detail: String| errors.push(FieldError::new("/file", detail));
    let Some(file) = file else {
        refuse(MISSING.to_owned());
        return None;
    };
    match (&file.tensors, backbone) {
        (Err(damage), _) => {
            refuse(damage.clone());
            None
        }
        (Ok(_), None) => None,
        (Ok(tensors), Some(backbone)) => match backbone.check_import(tensors) {
            Ok(report) => Some(report),
            Err(mismatches) => {
                mismatches.iter().for_each(|mismatch| refuse(mismatch.to_string()));
                None
            }
        },
    }
}

/// The class names that are given: a JSON array, or names separated by lines or, on one line, commas.
fn classes(errors: &mut Vec<FieldError>, text: Option<&str>) -> Option<Vec<String>> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let names: Vec<String> = if text.starts_with('[') {
        match serde_json::from_str(text) {
            Ok(names) => names,
            Err(error) => {
                errors.push(FieldError::new("/classes", format!("no JSON array of names: {error}")));
                return None;
            }
        }
    } else {
        let separator = if text.contains('\n') { '\n' } else { ',' };
        text.split(separator).map(|name| name.trim().to_owned()).collect()
    };
    let mut seen = HashSet::new();
    for (position, name) in names.iter().enumerate() {
        let detail = if name.is_empty() || name.len() > MAX_CLASS_BYTES || name.chars().any(char::is_control)
        {
            format!("a class name has 1 to {MAX_CLASS_BYTES} bytes and no control characters")
        } else if !seen.insert(name) {
            format!("\"{name}\" is there twice")
        } else {
            continue;
        };
        errors.push(FieldError::new(format!("/classes/{position}"), detail));
    }
    Some(names)
}

/// One name per output of the network.
fn fit_classes(errors: &mut Vec<FieldError>, outputs: usize, names: Option<Vec<String>>) -> Vec<String> {
    if outputs > MAX_CLASSES {
        let detail = format!("its head tells {outputs} classes apart, more than the {MAX_CLASSES} allowed");
        errors.push(FieldError::new("/file", detail));
    }
    match names {
        None => (0..outputs.min(MAX_CLASSES)).map(|class| format!("class_{class:04}")).collect(),
        Some(names) => {
            if names.len() != outputs {
                let detail = format!(
                    "{} names for the {outputs} classes that the file's head tells apart",
                    names.len()
                );
                errors.push(FieldError::new("/classes", detail));
            }
            names
        }
    }
}

fn hash_of(request: &HttpRequest, accepted: &Accepted, file: &File) -> [u8; 32] {
    let Accepted { name, backbone, classes, image_size, .. } = accepted;
    let fields = json!([name, backbone.name, classes, image_size]).to_string();
    idempotency::request_hash(request, &[fields.as_bytes(), &file.sha256])
}

fn model_of(id: Uuid, key: &str, accepted: Accepted, file: &File, imported_by: &str) -> NewModel {
    let Accepted { name, backbone, classes, image_size, report } = accepted;
    NewModel {
        id,
        name,
        backbone: backbone.name.to_owned(),
        image_size: i32::try_from(image_size).expect("bounded by MAX_IMAGE_SIZE"),
        embedding_dim: i32::try_from(backbone.embedding_dim).expect("embeddings have some thousand values"),
        weights_key: key.to_owned(),
        weights_bytes: i64::try_from(file.bytes).expect("bounded by the limit of uploads"),
        weights_sha256: file.sha256.to_vec(),
        origin: "imported",
        job_id: None,
        card: json!({
            "imported_by": imported_by,
            "file": file.name,
            "classes": classes.len(),
            "tensors": report.tensors,
            "parameters": report.values,
            "backbone_source": backbone.source,
        }),
        labels: json!({}),
        classes,
    }
}

async fn insert(tx: &mut PgConnection, model: &NewModel) -> Result<Created, ApiError> {
    models::lock_name(&mut *tx, &model.name).await?;
    let version = models::insert_model(&mut *tx, model).await?;
    let reference = ModelRef { name: model.name.clone(), version: Some(version) };
    let stored = models::get_model(&mut *tx, &reference).await?;
    Ok(Created {
        status: StatusCode::CREATED,
        location: Some(format!("/v1/models/{}/{version}", model.name)),
        body: made(stored),
    })
}

/// Ends a write that leads to nothing.
async fn give_up(file: Option<File>) {
    let Some(file) = file else { return };
    if let Err(error) = file.writer.abort().await {
        tracing::warn!(%error, "a part of a refused file is left behind");
    }
}

/// Deletes an object that no row refers to. A commit may have worked although its answer was lost, so that is
/// looked up; when even that fails the object stays.
async fn delete_unless_stored(state: &State, id: Uuid, key: &str) {
    let deleted = match models::get_model_by_id(&state.db, id).await {
        Ok(_) => return,
        Err(DbError::NotFound { .. }) => state.storage.artifacts().delete(key).await.map_err(ApiError::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = deleted {
        tracing::warn!(key, %error, "the weights of a refused import are left behind");
    }
}

//! Whether what a submission refers to exists: sources, models, indexes.
//!
//! An index that does not exist is 404 (`index_not_found`), as for its own routes; every other reference is a
//! broken rule of the body (422), told together with all others.

use lookalike_shared::db::indexes::{self, Index};
use lookalike_shared::db::models::{self, Model};
use lookalike_shared::db::{self, DbError, generations};
use lookalike_shared::domain::FieldError;
use lookalike_shared::domain::backbone;
use lookalike_shared::domain::job::{JobId, JobKind};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::jobs::{self, Payload, Submission, Train, Validation};

use crate::problem::ApiError;
use crate::state::State;

/// The rules a submission breaks, collected.
pub struct References<'a> {
    state: &'a State,
    errors: Vec<FieldError>,
}

impl<'a> References<'a> {
    /// Starts with the rules that payload and submission break on their own.
    pub fn of<P: Payload>(state: &'a State, payload: &P, common: &Submission) -> Self {
        Self { state, errors: [payload.check(), common.check()].concat() }
    }

    /// Refuses if any rule was broken.
    ///
    /// # Errors
    /// 422 with all of them.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.errors)) }
    }

    /// Adds a broken rule.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// The source must be declared.
    pub fn source(&mut self, pointer: &str, name: &Name) {
        if let Err(unknown) = self.state.storage.get_source(name) {
            self.add(pointer, unknown.to_string());
        }
    }

    /// The model must exist.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn model(&mut self, pointer: &str, reference: &ModelRef) -> Result<Option<Model>, ApiError> {
        let model = models::find_model(&self.state.db, reference).await?;
        if model.is_none() {
            self.add(pointer, format!("there is no model \"{reference}\""));
        }
        Ok(model)
    }
}

/// What an index job refers to: its source, its model, the earlier job whose failed pictures it is about.
///
/// # Errors
/// 503 when the database is away.
pub async fn check_index(found: &mut References<'_>, wanted: &jobs::Index) -> Result<(), ApiError> {
    found.source("/source", &wanted.source);
    if let Some(model) = &wanted.model {
        found.model("/model", model).await?;
    }
    let Some(id) = wanted.failed_of else { return Ok(()) };
    match db::jobs::get_job(&found.state.db, JobId(id)).await {
        Ok(job) if job.kind == JobKind::Index && job.params["index"] == wanted.index.as_str() => {}
        Ok(_) => found.add("/failed_of", format!("job \"{id}\" filled no index \"{}\"", wanted.index)),
        Err(DbError::NotFound { .. }) => found.add("/failed_of", format!("there is no job \"{id}\"")),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The generation that an evaluation names must be a whole one of its index.
///
/// # Errors
/// 503 when the database is away.
pub async fn check_generation(
    found: &mut References<'_>,
    index: &Index,
    generation: Option<i32>,
) -> Result<(), ApiError> {
    let Some(wanted) = generation else { return Ok(()) };
    match generations::find_generation(&found.state.db, index.id, wanted).await? {
        None => found.add("/generation", format!("index \"{}\" has no generation {wanted}", index.name)),
        Some(generation) if !generation.state.is_whole() => {
            let state = generation.state.as_str();
            found.add(
                "/generation",
                format!("generation {wanted} is {state}: ready, active or retired expected"),
            );
        }
        Some(_) => {}
    }
    Ok(())
}

/// The index of that name.
///
/// # Errors
/// 404 `index_not_found`.
pub async fn index(state: &State, name: &Name) -> Result<Index, ApiError> {
    indexes::find_index(&state.db, name).await?.ok_or_else(|| ApiError::index_not_found(name))
}

/// What a training refers to: its sets of pictures, the model it starts from, and whether they fit together.
///
/// # Errors
/// 503 when the database is away.
pub async fn check_train(found: &mut References<'_>, train: &Train) -> Result<(), ApiError> {
    found.source("/dataset/source", &train.dataset.source);
    if let Validation::Set(set) = &train.validation {
        found.source("/validation/source", &set.source);
    }
    let start = match &train.pretrained {
        Some(reference) => found.model("/pretrained", reference).await?,
        None => None,
    };
    if let (Some(model), Some(wanted)) = (&start, &train.backbone)
        && model.backbone != *wanted
    {
        let detail = format!("{} is a {}, not a {wanted}", model.reference(), model.backbone);
        found.add("/pretrained", detail);
    }
    let network = train.backbone.as_deref().or(start.as_ref().map(|model| model.backbone.as_str()));
    if let Some(network) = network.and_then(|name| backbone::by_name(name).ok())
        && let Some(size) = train.image_size.filter(|size| *size < network.min_image_size)
    {
        let least = network.min_image_size;
        found.add(
            "/image_size",
            format!("{size} is too small for {}, at least {least} expected", network.name),
        );
    }
    Ok(())
}

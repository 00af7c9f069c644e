//! One file per kind: the story of that job.

mod evaluate;
mod index;
mod noop;
mod rebuild;
pub mod search;
mod train;
mod validate;

pub use train::Recipe;

use lookalike_shared::domain::job::JobKind;

use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Runs an attempt's job to its end.
///
/// # Errors
/// [`JobError`] says whether trying again may help.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    match context.attempt.kind {
        JobKind::Train => train::run(context).await,
        JobKind::Index => index::run(context).await,
        JobKind::Search => search::run(context).await,
        JobKind::Evaluate => evaluate::run(context).await,
        JobKind::Rebuild => rebuild::run(context).await,
        JobKind::Validate => validate::run(context).await,
        JobKind::Noop => Ok(noop::run()),
    }
}

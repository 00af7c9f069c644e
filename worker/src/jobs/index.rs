//! Puts the pictures under a prefix of a source into an index.

use futures::stream::{BoxStream, StreamExt};
use lookalike_shared::db::{self, gallery, items};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::job::JobId;
use lookalike_shared::jobs::{Index, IndexMode};
use lookalike_shared::storage::{Source, StorageError};
use uuid::Uuid;

use crate::indexing::{Pipeline, Target, Work, difference};
use crate::runtime::context::{JobContext, JobError, JobOutcome, LogLevel};

/// Uris read by one statement.
const PAGE: i64 = 1_000;

/// Indexes, then, in mode `sync`, removes what is gone.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Index = context.payload()?;
    let index = db::indexes::get_index(context.db(), &payload.index).await?;
    let generation = index.generation.ok_or_else(|| no_generation(&index.name))?;
    let model_id = index.model_id.ok_or_else(|| no_generation(&index.name))?;
    let model = context.services.models.get_by_id(model_id).await?;
    let source = context.storage().get_source(&payload.source)?.clone();
    let prefix = folder(&payload.prefix);
    let line = format!("indexing {}/{prefix} with {}", source.name(), model.row.reference());
    context.log(LogLevel::Info, line).await;

    let state = GenerationState::Active;
    let target = Target { generation, state, index: index.name, model };
    // What is stored later than now by others is not for this job to remove.
    let horizon = gallery::find_horizon(context.db(), generation).await?;
    let uri_prefix = format!("{}/{prefix}", source.name());
    let objects = match payload.failed_of {
        Some(job) => failed_of(&context, job, &payload.failed_codes),
        None => listed(&source, &prefix)?,
    };
    if payload.dry_run {
        let followed = (payload.mode == IndexMode::Sync).then_some((&*uri_prefix, horizon));
        return Ok(JobOutcome::Result(difference(&context, &target, objects, followed).await?));
    }
    let mut pipeline = Pipeline::new(context.clone(), target, payload.mode);
    if payload.failed_of.is_none() {
        pipeline.count_in_background(source.clone(), prefix);
    }
    pipeline.run(objects).await?;
    if payload.mode == IndexMode::Sync {
        if pipeline.is_empty() {
            refuse_lost(&context, &source).await?;
        }
        pipeline.remove_unseen(&uri_prefix, horizon).await?;
    }
    pipeline.succeed().await
}

/// The prefix as a folder: what lies in `a/`, and nothing of `ab/`.
fn folder(prefix: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

fn listed(
    source: &Source,
    prefix: &str,
) -> Result<BoxStream<'static, Result<Work, StorageError>>, StorageError> {
    let name = source.name().to_owned();
    let objects = source.list(prefix)?;
    Ok(objects
        .map(move |object| object.map(|object| Work { uri: format!("{name}/{}", object.key), object }))
        .boxed())
}

/// The pictures that an earlier job failed with, as they are now.
fn failed_of(
    context: &JobContext,
    job: Uuid,
    codes: &[String],
) -> BoxStream<'static, Result<Work, StorageError>> {
    let (db, codes) = (context.db().clone(), codes.to_vec());
    Work::find_all(context.storage(), move |after| {
        let (db, codes) = (db.clone(), codes.clone());
        async move { items::list_failed_uris(&db, JobId(job), &codes, &after, PAGE).await }
    })
}

/// Refuses to empty an index because its source has nothing at all any more: more likely a disk is not mounted.
async fn refuse_lost(context: &JobContext, source: &Source) -> Result<(), JobError> {
    let anything = source.list("")?.next().await.transpose()?;
    if anything.is_some() {
        return Ok(());
    }
    let detail = format!(
        "source \"{}\" holds nothing at all, so nothing was removed; if that is meant, clear the index",
        source.name()
    );
    context.log(LogLevel::Warn, &detail).await;
    Err(JobError::permanent("source_empty", detail))
}

fn no_generation(index: &str) -> JobError {
    JobError::permanent("index_empty", format!("index \"{index}\" has no active generation"))
}

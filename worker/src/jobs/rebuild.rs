//! Indexes again, with another model, every picture that an index holds, beside the active generation, then
//! swaps the two or leaves the new one ready.
//!
//! Index jobs and deletions go on in the active generation meanwhile. Before the swap the new one is caught up with
//! them, until the active one has not changed since it was looked at; so a swap neither loses a picture nor brings
//! one back.

use futures::stream::BoxStream;
use lookalike_shared::db::{self, DbError, generations, indexes::Index};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::job::{JobId, Progress};
use lookalike_shared::jobs::{IndexMode, Rebuild};
use lookalike_shared::storage::StorageError;
use serde_json::json;

use crate::indexing::{Pipeline, Target, Work};
use crate::models::StoredModel;
use crate::runtime::context::{JobContext, JobError, JobOutcome, LogLevel};

/// Uris read by one statement.
const PAGE: i64 = 1_000;
/// How often the new generation is caught up with one that never rests.
const ROUNDS: usize = 20;

/// Fills a new generation and makes it the active one, or ready.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Rebuild = context.payload()?;
    let index = db::indexes::get_index(context.db(), &payload.index).await?;
    let model = context.services.models.get(&payload.model).await?;
    let mut seen = generations::find_standing(context.db(), index.id).await?.ok_or_else(|| empty(&index))?;
    let generation = begin(&context, &index, &model).await?;

    let state = GenerationState::Building;
    let target = Target { generation, state, index: index.name.clone(), model };
    let mut pipeline = Pipeline::new(context.clone(), target, IndexMode::Add);
    pipeline.expect(index.entries.unsigned_abs());
    pipeline.run(objects_of(&context, Uris::All(seen.generation))).await?;
    // Searches come as soon as it is swapped.
    pipeline.analyze().await;
    for _ in 0..ROUNDS {
        context.check_stop()?;
        if let Some(outcome) = pipeline.conclude(index.id, Some(seen), payload.activate).await? {
            return Ok(outcome);
        }
        seen = generations::find_standing(context.db(), index.id).await?.ok_or_else(|| empty(&index))?;
        let missing =
            Uris::Missing { active: seen.generation, filled: generation, job: context.attempt.job_id };
        pipeline.run(objects_of(&context, missing)).await?;
        pipeline.remove_left_over(seen.generation).await?;
    }
    let said = "the index changes faster than it can be rebuilt: what comes at this moment may be missing; index it again";
    context.log(LogLevel::Warn, said).await;
    let outcome = pipeline.conclude(index.id, None, payload.activate).await?;
    outcome.ok_or_else(|| JobError::retry("index_changes", "the index changed while it was swapped"))
}

fn empty(index: &Index) -> JobError {
    JobError::permanent("index_empty", format!("index \"{}\" has no active generation", index.name))
}

/// The generation to fill: that of an earlier attempt, or a new one.
async fn begin(context: &JobContext, index: &Index, model: &StoredModel) -> Result<i32, JobError> {
    let earlier = context.attempt.checkpoint.as_ref().and_then(|c| c["generation"].as_i64());
    let building = db::indexes::list_building(context.db(), &[index.id]).await?;
    // One that was dropped meanwhile, after a failure or by a clear, is begun anew.
    let earlier = building.iter().find(|generation| Some(i64::from(generation.id)) == earlier);
    // So is one of another model, which a name without a version may mean by now.
    if let Some(earlier) = earlier.filter(|generation| generation.model_id == model.row.id) {
        return Ok(earlier.id);
    }
    let classes = i32::try_from(model.row.classes.len()).unwrap_or(i32::MAX);
    let mut tx = db::begin(context.db()).await?;
    let (model, dimensions) = (model.row.id, model.row.embedding_dim);
    let generation = db::indexes::begin_generation(&mut tx, index.id, model, classes, dimensions).await?;
    let progress =
        Progress { phase: "indexing".to_owned(), unit: "pictures".to_owned(), ..Default::default() };
    context.progress_in(&mut tx, &progress, &json!({ "generation": generation })).await?;
    db::commit(tx).await?;
    Ok(generation)
}

/// Which of an index's pictures are read.
#[derive(Debug, Clone, Copy)]
enum Uris {
    /// All of a generation's.
    All(i32),
    /// Those of the active generation that the filled one lacks and `job` has not failed with.
    Missing { active: i32, filled: i32, job: JobId },
}

impl Uris {
    async fn after(self, context: &JobContext, after: &str) -> Result<Vec<String>, DbError> {
        match self {
            Self::All(generation) => db::gallery::list_uris(context.db(), generation, after, PAGE).await,
            Self::Missing { active, filled, job } => {
                generations::list_missing(context.db(), active, filled, job, after, PAGE).await
            }
        }
    }
}

/// Each of these objects as it is now; one that is gone becomes a failed item.
fn objects_of(context: &JobContext, uris: Uris) -> BoxStream<'static, Result<Work, StorageError>> {
    let of = context.clone();
    Work::find_all(context.storage(), move |after| {
        let context = of.clone();
        async move { uris.after(&context, &after).await }
    })
}

//! Indexes again, with another model, every picture that an index holds, beside the active generation, then
//! swaps the two.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream, StreamExt};
use lookalike_shared::db::{self, indexes::Index};
use lookalike_shared::jobs::Rebuild;
use lookalike_shared::storage::StorageError;
use serde_json::json;

use crate::indexing::{Pipeline, Target, Work};
use crate::models::StoredModel;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Uris read by one statement.
const PAGE: i64 = 1_000;

/// Fills a new generation and makes it the active one.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Rebuild = context.payload()?;
    let index = db::indexes::get_index(context.db(), &payload.index).await?;
    let Some(active) = index.generation else {
        return Err(JobError::permanent(
            "index_empty",
            format!("index \"{}\" has no active generation", index.name),
        ));
    };
    let model = context.services.models.get(&payload.model).await?;
    let generation = begin(&context, &index, &model).await?;

    let target = Target { generation, index: index.name.clone(), model };
    let mut pipeline = Pipeline::new(context.clone(), target);
    pipeline.expect(index.entries.unsigned_abs());
    pipeline.run(objects_of(&context, active)).await?;
    pipeline.swap_and_succeed(index.id).await
}

/// The generation to fill: that of an earlier attempt, or a new one.
async fn begin(context: &JobContext, index: &Index, model: &StoredModel) -> Result<i32, JobError> {
    let earlier = context.attempt.checkpoint.as_ref().and_then(|c| c["generation"].as_i64());
    let building = db::indexes::list_building(context.db(), &[index.id]).await?;
    // One that was dropped meanwhile, after a failure or by a clear, is begun anew.
    if let Some(earlier) = building.iter().find(|generation| Some(i64::from(generation.id)) == earlier) {
        return Ok(earlier.id);
    }
    let classes = i32::try_from(model.row.classes.len()).unwrap_or(i32::MAX);
    let mut tx = db::begin(context.db()).await?;
    let (model, dimensions) = (model.row.id, model.row.embedding_dim);
    let generation = db::indexes::begin_generation(&mut tx, index.id, model, classes, dimensions).await?;
    let progress = lookalike_shared::domain::job::Progress {
        phase: "indexing".to_owned(),
        unit: "pictures".to_owned(),
        ..Default::default()
    };
    context.progress_in(&mut tx, &progress, &json!({ "generation": generation })).await?;
    db::commit(tx).await?;
    Ok(generation)
}

/// Every object that a generation holds, as it is now; one that is gone becomes a failed item.
fn objects_of(context: &JobContext, generation: i32) -> BoxStream<'static, Result<Work, StorageError>> {
    let context = context.clone();
    let start = (context, String::new(), VecDeque::new());
    stream::unfold(
        start,
        move |(context, mut after, mut page): (JobContext, String, VecDeque<String>)| async move {
            if page.is_empty() {
                let next = db::gallery::list_uris(context.db(), generation, &after, PAGE).await;
                // A failed page ends the stream with an error that the attempt retries.
                match next {
                    Ok(uris) => page = uris.into(),
                    Err(error) => {
                        let error = StorageError::Database(error.to_string());
                        return Some((Err(error), (context, after, VecDeque::new())));
                    }
                }
            }
            let uri = page.pop_front()?;
            after.clone_from(&uri);
            let object = Work::find(context.storage(), &uri).await;
            Some((object, (context, after, page)))
        },
    )
    .boxed()
}

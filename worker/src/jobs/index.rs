//! Puts the pictures under a prefix of a source into an index.

use futures::StreamExt;
use lookalike_shared::db;
use lookalike_shared::jobs::{Index, IndexMode};

use crate::indexing::{Pipeline, Target, Work};
use crate::runtime::context::{JobContext, JobError, JobOutcome, LogLevel};

/// Indexes, then, in mode `sync`, removes what is gone.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Index = context.payload()?;
    let index = db::indexes::get_index(context.db(), &payload.index).await?;
    let generation = index.generation.ok_or_else(|| no_generation(&index.name))?;
    let model_id = index.model_id.ok_or_else(|| no_generation(&index.name))?;
    let model = context.services.models.get_by_id(model_id).await?;
    let source = context.storage().get_source(&payload.source)?.clone();
    context
        .log(
            LogLevel::Info,
            format!("indexing {}/{} with {}", source.name(), payload.prefix, model.row.reference()),
        )
        .await;

    let target = Target { generation, index: index.name, model };
    let mut pipeline = Pipeline::new(context.clone(), target);
    pipeline.count_in_background(source.clone(), payload.prefix.clone());
    let name = source.name().to_owned();
    let objects = source
        .list(&payload.prefix)?
        .map(move |object| object.map(|object| Work { uri: format!("{name}/{}", object.key), object }));
    pipeline.run(objects.boxed()).await?;
    if payload.mode == IndexMode::Sync {
        pipeline.remove_unseen(&format!("{}/{}", source.name(), payload.prefix)).await?;
    }
    pipeline.succeed().await
}

fn no_generation(index: &str) -> JobError {
    JobError::permanent("index_empty", format!("index \"{index}\" has no active generation"))
}

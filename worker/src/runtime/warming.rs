//! What searches are likely to need, fetched before the first one asks: models and partitions of the indexes that were
//! searched most of late.

use lookalike_shared::db::DbError;
use lookalike_shared::db::answering::list_favourites;

use super::Services;
use crate::inference::Priority;
use crate::runtime::context::JobError;

/// Indexes that are prepared for: as many as there are models that stay loaded.
const MOST: i64 = 4;

/// Fetches models and partitions. What cannot be had is left to the searches, which say what is wrong with it.
pub async fn warm(services: &Services) {
    let started = std::time::Instant::now();
    let names = match list_favourites(&services.db, MOST).await {
        Ok(names) => names,
        Err(error) => return tracing::warn!(%error, "nothing is fetched ahead of searches"),
    };
    for name in &names {
        if let Err(error) = warm_one(services, name).await {
            tracing::warn!(index = name, %error, "an index is not made ready ahead of searches");
        }
    }
    if !names.is_empty() {
        let (indexes, seconds) = (names.len(), started.elapsed().as_secs_f64());
        tracing::info!(indexes, seconds, "ready for searches");
    }
}

async fn warm_one(services: &Services, name: &str) -> Result<(), JobError> {
    let index = services.matcher.look(name).await?.ok_or_else(|| DbError::not_found("index", name))?;
    let (Some(generation), Some(model_id)) = (index.generation, index.model_id) else { return Ok(()) };
    let model = services.models.get_by_id(model_id).await?;
    let load = async {
        let loaded = services.inference.prepare(&model.spec, Priority::Bulk).await;
        loaded.map_err(|error| JobError::retry("device_failed", error.to_string()))
    };
    let hold = services.matcher.preload(generation, &index.partitions, model.spec.embedding_dim);
    let (loaded, held) = tokio::join!(load, hold);
    loaded?;
    Ok(held?)
}

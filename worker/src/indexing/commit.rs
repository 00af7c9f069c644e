//! One transaction per batch.

use std::collections::HashMap;

use lookalike_shared::db::gallery::{self, ManifestRow};
use lookalike_shared::db::{self, PgConnection, items};
use lookalike_shared::domain::job::Progress;
use serde_json::json;

use super::batch::Embedded;
use super::{Counts, Target};
use crate::runtime::context::{JobContext, JobError};

/// Stores a batch and gives the counters with it; nothing of it is stored when this fails.
pub async fn commit_batch(
    context: &JobContext,
    target: &Target,
    mut batch: Embedded,
    counts: Counts,
    progress: &mut (dyn FnMut(&Counts) -> Progress + Send),
) -> Result<Counts, JobError> {
    let mut tx = db::begin(context.db()).await?;
    lock(&mut tx, target).await?;
    let counts = store_entries(&mut tx, context, target, &mut batch, counts).await?;
    gallery::mark_seen(&mut *tx, target.generation, &batch.unchanged, context.attempt.job_id.0).await?;
    items::insert_items(&mut *tx, context.attempt.job_id, &batch.failed).await?;
    let checkpoint = json!({ "counts": counts, "generation": target.generation });
    context.progress_in(&mut tx, &progress(&counts), &checkpoint).await?;
    db::commit(tx).await?;
    Ok(counts)
}

async fn lock(tx: &mut PgConnection, target: &Target) -> Result<(), JobError> {
    if gallery::lock_generation(tx, target.generation).await?.is_none() {
        let detail = format!("index \"{}\" or this generation of it was deleted meanwhile", target.index);
        return Err(JobError::permanent("index_deleted", detail));
    }
    Ok(())
}

async fn store_entries(
    tx: &mut PgConnection,
    context: &JobContext,
    target: &Target,
    batch: &mut Embedded,
    mut counts: Counts,
) -> Result<Counts, JobError> {
    let generation = target.generation;
    counts.unchanged += batch.unchanged.len() as u64;
    counts.failed += batch.failed.len() as u64;
    if batch.entries.is_empty() {
        return Ok(counts);
    }
    let uris: Vec<String> = batch.entries.iter().map(|entry| entry.uri.clone()).collect();
    let known = gallery::find_manifest(&mut *tx, generation, &uris).await?;
    let known: HashMap<String, ManifestRow> = known.into_iter().map(|row| (row.uri.clone(), row)).collect();
    let mut changes: Vec<(i32, i64)> = batch.entries.iter().map(|entry| (entry.class_id, 1)).collect();
    let mut replaced = Vec::new();
    for entry in &mut batch.entries {
        match known.get(&entry.uri) {
            None => counts.added += 1,
            Some(row) => {
                counts.updated += 1;
                entry.id = row.entry_id;
                replaced.push((row.class_id, row.entry_id));
                changes.push((row.class_id, -1));
            }
        }
    }
    if !replaced.is_empty() {
        gallery::delete_vectors(&mut *tx, generation, &replaced).await?;
    }
    gallery::copy_entries(tx, generation, &batch.entries).await?;
    gallery::upsert_manifest(&mut *tx, generation, &batch.entries, context.attempt.job_id.0).await?;
    gallery::upsert_thumbnails(&mut *tx, generation, &batch.entries).await?;
    gallery::bump_partitions(&mut *tx, generation, &changes).await?;
    Ok(counts)
}

/// Removes entries whose objects are gone and gives the counters with them.
pub async fn commit_removal(
    context: &JobContext,
    target: &Target,
    gone: &[ManifestRow],
    mut counts: Counts,
    progress: &Progress,
) -> Result<Counts, JobError> {
    let mut tx = db::begin(context.db()).await?;
    lock(&mut tx, target).await?;
    let vectors: Vec<_> = gone.iter().map(|row| (row.class_id, row.entry_id)).collect();
    let ids: Vec<_> = gone.iter().map(|row| row.entry_id).collect();
    let changes: Vec<_> = gone.iter().map(|row| (row.class_id, -1)).collect();
    counts.removed += gallery::delete_vectors(&mut *tx, target.generation, &vectors).await?;
    gallery::forget_entries(&mut *tx, target.generation, &ids).await?;
    gallery::bump_partitions(&mut *tx, target.generation, &changes).await?;
    let checkpoint = json!({ "counts": counts, "generation": target.generation });
    context.progress_in(&mut tx, progress, &checkpoint).await?;
    db::commit(tx).await?;
    Ok(counts)
}

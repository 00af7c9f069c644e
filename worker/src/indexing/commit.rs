//! The last stage: what has come together is stored by one transaction.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lookalike_shared::db::gallery::{self, ManifestRow, NewEntry};
use lookalike_shared::db::items::NewItem;
use lookalike_shared::db::{self, PgConnection, items};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::job::Progress;
use lookalike_shared::jobs::IndexMode;
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::read::Failed;
use super::seen::Seen;
use super::{Counts, Done, Pipeline, Target};
use crate::runtime::context::{JobContext, JobError};

/// Entries and items that are stored by one transaction, about.
const COMMIT: usize = 512;
/// How long what is done waits to be stored.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be stored next.
#[derive(Default)]
struct Pending {
    entries: Vec<NewEntry>,
    failed: Vec<Failed>,
    unchanged: u64,
    since: Option<Instant>,
}

impl Pending {
    fn add(&mut self, done: Done) {
        match done {
            Done::Entries(entries) => self.entries.extend(entries),
            Done::Failed(failed) => self.failed.push(failed),
            Done::Unchanged(count) => self.unchanged += count,
        }
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self) -> bool {
        let late = self.since.is_some_and(|since| since.elapsed() >= PATIENCE);
        late || self.entries.len() + self.failed.len() >= COMMIT
    }
}

impl Pipeline {
    /// Stores what is done until there is no more.
    ///
    /// # Errors
    /// [`JobError`]; what was committed stays.
    pub(super) async fn store(&mut self, mut done: mpsc::Receiver<Done>) -> Result<(), JobError> {
        let mut pending = Pending::default();
        loop {
            let wait = pending.since.map_or(PATIENCE, |since| PATIENCE.saturating_sub(since.elapsed()));
            let next = tokio::time::timeout(wait, done.recv());
            let next = self.stages.commit.input.time(next).await;
            let open = !matches!(next, Ok(None));
            if let Ok(Some(done)) = next {
                pending.add(done);
            }
            if pending.is_due() || (!open && pending.since.is_some()) {
                self.commit(std::mem::take(&mut pending)).await?;
            }
            if !open {
                return Ok(());
            }
        }
    }

    async fn commit(&mut self, mut pending: Pending) -> Result<(), JobError> {
        let mut counts = self.counts;
        counts.unchanged += pending.unchanged;
        counts.failed += pending.failed.len() as u64;
        let mut tx = db::begin(self.context.db()).await?;
        if !pending.entries.is_empty() || !pending.failed.is_empty() {
            lock(&mut tx, &self.target).await?;
            store_entries(
                &mut tx,
                &self.context,
                &self.target,
                &self.seen,
                &mut pending.entries,
                &mut counts,
            )
            .await?;
            self.store_failed(&mut tx, &pending.failed, &mut counts).await?;
        }
        let progress = self.note_progress(&counts, None);
        self.context.progress_in(&mut tx, &progress, &checkpoint(&counts, &self.target)).await?;
        db::commit(tx).await?;
        self.note_committed(counts);
        Ok(())
    }

    /// Items for pictures that failed. Following the source, an entry whose object is no picture any more leaves.
    async fn store_failed(
        &self,
        tx: &mut PgConnection,
        failed: &[Failed],
        counts: &mut Counts,
    ) -> Result<(), JobError> {
        let new: Vec<NewItem> = failed.iter().map(|failed| failed.item.clone()).collect();
        items::insert_items(&mut *tx, self.context.attempt.job_id, &new).await?;
        if self.mode == IndexMode::Sync {
            let stale: Vec<ManifestRow> = failed.iter().filter_map(|failed| failed.known.clone()).collect();
            counts.removed += remove(tx, self.target.generation, &stale).await?;
        }
        Ok(())
    }

    /// Removes entries whose objects are gone.
    pub(super) async fn commit_removal(&mut self, gone: &[ManifestRow]) -> Result<(), JobError> {
        let mut counts = self.counts;
        let mut tx = db::begin(self.context.db()).await?;
        lock(&mut tx, &self.target).await?;
        counts.removed += remove(&mut tx, self.target.generation, gone).await?;
        let progress: Progress = self.note_progress(&counts, Some("removing"));
        self.context.progress_in(&mut tx, &progress, &checkpoint(&counts, &self.target)).await?;
        db::commit(tx).await?;
        self.note_committed(counts);
        Ok(())
    }

    /// What was counted is committed. Only what a later attempt need not do again is a step ahead.
    fn note_committed(&mut self, counts: Counts) {
        if counts.resumed() != self.counts.resumed() {
            self.context.note_stored();
        }
        self.counts = counts;
    }
}

fn checkpoint(counts: &Counts, target: &Target) -> serde_json::Value {
    json!({ "counts": counts.resumed(), "generation": target.generation })
}

/// Takes the generation's row. One that was swapped away meanwhile takes nothing more: another attempt goes on in the one
/// that answers then.
async fn lock(tx: &mut PgConnection, target: &Target) -> Result<(), JobError> {
    let (index, wanted) = (&target.index, target.state.as_str());
    match gallery::lock_generation(tx, target.generation).await? {
        Some(state) if state == wanted => Ok(()),
        Some(state) if target.state == GenerationState::Active => {
            let detail = format!("generation {} of index \"{index}\" is {state} now", target.generation);
            Err(JobError::retry("generation_swapped", detail))
        }
        _ => {
            let detail = format!("index \"{index}\" or this generation of it was deleted meanwhile");
            Err(JobError::permanent("index_deleted", detail))
        }
    }
}

/// Stores entries in the place of whatever is stored of their objects: another job may have been here since the manifest
/// was looked at.
async fn store_entries(
    tx: &mut PgConnection,
    context: &JobContext,
    target: &Target,
    seen: &Seen,
    entries: &mut [NewEntry],
    counts: &mut Counts,
) -> Result<(), JobError> {
    if entries.is_empty() {
        return Ok(());
    }
    let generation = target.generation;
    let uris: Vec<String> = entries.iter().map(|entry| entry.uri.clone()).collect();
    let known = gallery::find_manifest(&mut *tx, generation, &uris).await?;
    seen.add(&known);
    let ids: HashMap<&str, _> = known.iter().map(|row| (row.uri.as_str(), row.entry_id)).collect();
    for entry in entries.iter_mut() {
        match ids.get(entry.uri.as_str()) {
            None => counts.added += 1,
            Some(id) => {
                counts.updated += 1;
                entry.id = *id;
            }
        }
    }
    // Rows of a class lie together in their leaf.
    entries.sort_by_key(|entry| entry.class_id);
    gallery::replace_entries(tx, generation, &places(&known), entries, context.attempt.job_id.0).await?;
    Ok(())
}

/// Removes what is stored of objects and gives how many entries that were.
async fn remove(tx: &mut PgConnection, generation: i32, rows: &[ManifestRow]) -> Result<u64, JobError> {
    if rows.is_empty() {
        return Ok(0);
    }
    // As they are now: another job may have stored an object anew since.
    let uris: Vec<String> = rows.iter().map(|row| row.uri.clone()).collect();
    let numbers: HashMap<&str, i64> = rows.iter().map(|row| (row.uri.as_str(), row.seq)).collect();
    let mut now = gallery::find_manifest(&mut *tx, generation, &uris).await?;
    now.retain(|row| numbers.get(row.uri.as_str()) == Some(&row.seq));
    Ok(gallery::delete_entries(tx, generation, &places(&now)).await?)
}

/// Where the entries of these rows are.
fn places(rows: &[ManifestRow]) -> Vec<(i32, Uuid)> {
    rows.iter().map(|row| (row.class_id, row.entry_id)).collect()
}

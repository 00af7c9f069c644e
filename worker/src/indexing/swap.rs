//! The end of a rebuild: what came or went meanwhile is caught up with, then the filled generation takes the place of
//! the active one, or is kept ready for it.
//!
//! The swap is a few rows in one transaction and touches no table of vectors: searches never wait for it. It holds the
//! rows of both generations, so nothing is committed into either of them between the look at what the active one has
//! come to and the swap. Old generations are dropped afterwards, on their own.

use std::time::Instant;

use lookalike_shared::db::generations::{self, Standing};
use lookalike_shared::db::{self, gallery, indexes};
use lookalike_shared::domain::generation::GenerationState;
use serde_json::json;
use uuid::Uuid;

use super::Pipeline;
use crate::runtime::context::{JobError, JobOutcome};

/// Entries taken out by one commit.
const REMOVALS: i64 = 500;

impl Pipeline {
    /// Takes entries out of the filled generation whose pictures have left the active one meanwhile.
    ///
    /// # Errors
    /// [`JobError`]; what was committed stays.
    pub async fn remove_left_over(&self, active: i32) -> Result<(), JobError> {
        let (db, filled) = (self.context.db(), self.target.generation);
        loop {
            self.context.check_stop()?;
            let left_over = generations::list_left_over(db, active, filled, REMOVALS).await?;
            if left_over.is_empty() {
                return Ok(());
            }
            let entries: Vec<_> = left_over.iter().map(|row| (row.class_id, row.entry_id)).collect();
            let mut tx = db::begin(db).await?;
            gallery::lock_generation(&mut tx, filled).await?.ok_or_else(|| self.dropped())?;
            gallery::delete_entries(&mut tx, filled, &entries).await?;
            db::commit(tx).await?;
        }
    }

    /// Makes the filled generation the active one, or marks it as ready, and ends the job, both or neither. None when
    /// the active generation is not as it was `seen` any more: then there is something to catch up with first.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job is not ours any more.
    pub async fn conclude(
        &self,
        index: Uuid,
        seen: Option<Standing>,
        activate: bool,
    ) -> Result<Option<JobOutcome>, JobError> {
        let filled = self.target.generation;
        let mut tx = db::begin(self.context.db()).await?;
        let started = Instant::now();
        if !indexes::lock_index(&mut tx, index).await? {
            let detail = format!("index \"{}\" was deleted meanwhile", self.target.index);
            return Err(JobError::permanent("index_deleted", detail));
        }
        let locked = generations::lock_generations(&mut tx, index).await?;
        if !locked.contains(&(filled, GenerationState::Building)) {
            return Err(self.dropped());
        }
        if seen.is_some() && generations::find_standing(&mut *tx, index).await? != seen {
            return Ok(None);
        }
        let state = if activate {
            indexes::activate_generation(&mut tx, index, filled).await?;
            generations::mark_surplus(&mut *tx, index).await?;
            GenerationState::Active
        } else {
            generations::mark_ready(&mut *tx, filled).await?;
            GenerationState::Ready
        };
        let mut result = self.result();
        result["state"] = json!(state);
        result["swap_ms"] = json!(started.elapsed().as_secs_f64() * 1e3);
        self.context.succeed_in(&mut tx, &result).await?;
        db::commit(tx).await?;
        let swap_ms = started.elapsed().as_secs_f64() * 1e3;
        tracing::info!(
            index = self.target.index,
            generation = filled,
            state = state.as_str(),
            swap_ms,
            "a generation is whole"
        );
        // Maintenance does what this leaves.
        if let Err(error) = generations::drop_unused(self.context.db()).await {
            tracing::warn!(%error, "old generations stay for now");
        }
        Ok(Some(JobOutcome::Stored))
    }

    fn dropped(&self) -> JobError {
        let detail = format!("the new generation of index \"{}\" was dropped meanwhile", self.target.index);
        JobError::permanent("index_deleted", detail)
    }
}

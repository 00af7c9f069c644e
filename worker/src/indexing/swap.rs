//! The end of a rebuild: the filled generation takes the place of the active one.

use lookalike_shared::db::{self, PgConnection, gallery, indexes};
use uuid::Uuid;

use super::Pipeline;
use crate::runtime::context::{JobError, JobOutcome};

impl Pipeline {
    /// Makes the filled generation the active one and ends the job, both or neither.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the job is not ours any more.
    pub async fn swap_and_succeed(self, index: Uuid) -> Result<JobOutcome, JobError> {
        let mut tx = db::begin(self.context.db()).await?;
        if !indexes::lock_index(&mut tx, index).await? {
            let detail = format!("index \"{}\" was deleted meanwhile", self.target.index);
            return Err(JobError::permanent("index_deleted", detail));
        }
        if gallery::lock_generation(&mut tx, self.target.generation).await?.is_none() {
            let detail =
                format!("the new generation of index \"{}\" was dropped meanwhile", self.target.index);
            return Err(JobError::permanent("index_deleted", detail));
        }
        indexes::activate_generation(&mut tx, index, self.target.generation).await?;
        drop_older(&mut tx, index).await?;
        self.context.succeed_in(&mut tx, &self.result()).await?;
        db::commit(tx).await?;
        Ok(JobOutcome::Stored)
    }
}

/// Drops every retired generation but the one that was active last, to which a rollback leads.
async fn drop_older(tx: &mut PgConnection, index: Uuid) -> Result<(), JobError> {
    let mut retired = indexes::list_generations(&mut *tx, index).await?;
    retired.retain(|generation| generation.state == "retired");
    retired.sort_by_key(|generation| std::cmp::Reverse(generation.activated_at));
    for generation in retired.iter().skip(1) {
        indexes::drop_generation(&mut *tx, generation.id).await?;
    }
    Ok(())
}

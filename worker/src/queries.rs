//! The pictures that searches were asked with: those of searches that come together are read by one statement.

use std::collections::HashMap;
use std::sync::Arc;

use lookalike_shared::db::batcher::{Batcher, refuse_all};
use lookalike_shared::db::pictures::list_pictures;
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::domain::job::JobId;

use crate::runtime::context::JobError;

/// Searches that share a statement at most: each may have tens of megabytes.
const TOGETHER: usize = 32;

/// Pictures of a search with their weights, in order.
pub type Weighted = Vec<(f32, Vec<u8>)>;

/// Cheap to clone; clones share statements.
#[derive(Clone)]
pub struct QueryPictures {
    reads: Batcher<JobId, Result<Weighted, Arc<DbError>>>,
}

impl QueryPictures {
    /// Reads from `db`, in tasks of this runtime.
    pub fn new(db: PgPool) -> Self {
        Self { reads: Batcher::start(TOGETHER, move |jobs| read_together(db.clone(), jobs)) }
    }

    /// The pictures of a search; none when they are not stored any more.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of(&self, job: JobId) -> Result<Weighted, JobError> {
        let broken = || JobError::retry("database_error", "what was read together broke off");
        let read = self.reads.call(job).await.ok_or_else(broken)?;
        read.map_err(|error| JobError::from(&*error))
    }
}

async fn read_together(db: PgPool, jobs: Vec<JobId>) -> Vec<Result<Weighted, Arc<DbError>>> {
    match list_pictures(&db, &jobs).await {
        Ok(pictures) => {
            let mut found: HashMap<_, Weighted> = HashMap::new();
            for picture in pictures {
                found.entry(picture.job_id).or_default().push((picture.weight, picture.bytes));
            }
            jobs.iter().map(|job| Ok(found.remove(&job.0).unwrap_or_default())).collect()
        }
        Err(error) => refuse_all(jobs.len(), error),
    }
}

//! Statements that requests share: whatever is asked while one is under way goes together next. So a lone request waits for
//! nobody, and many that come at once cost a constant number of statements.

use std::sync::Arc;

use lookalike_shared::db::answering::{Answering, list_answering};
use lookalike_shared::db::batcher::{Batcher, refuse_all};
use lookalike_shared::db::jobs::{Job, find_jobs};
use lookalike_shared::db::pictures::{NewPicture, insert_pictures};
use lookalike_shared::db::queue::{NewJob, enqueue};
use lookalike_shared::db::{self, DbError, PgPool};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::domain::name::Name;

use crate::problem::{ApiError, Code};

/// Requests that share a statement at most.
const MOST: usize = 64;

/// The pictures of a search with their weights, in order.
pub type Pictures = Vec<(f32, Vec<u8>)>;
type Answer<T> = Result<T, Arc<DbError>>;

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Together {
    searches: Batcher<(NewJob, Pictures), Answer<Option<Job>>>,
    indexes: Batcher<String, Answer<Option<Answering>>>,
    jobs: Batcher<JobId, Answer<Option<Job>>>,
}

impl Together {
    /// Asks `db`, from tasks of this runtime.
    pub fn new(db: &PgPool) -> Self {
        let (searches, indexes, jobs) = (db.clone(), db.clone(), db.clone());
        Self {
            searches: Batcher::start(MOST, move |new| enqueue_together(searches.clone(), new)),
            indexes: Batcher::start(MOST, move |names| indexes_together(indexes.clone(), names)),
            jobs: Batcher::start(MOST, move |ids| jobs_together(jobs.clone(), ids)),
        }
    }

    /// Enqueues a search with its pictures, and gives the job as it was stored.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn enqueue(&self, job: NewJob, pictures: Pictures) -> Result<Job, ApiError> {
        let id = job.id;
        let stored = answered(self.searches.call((job, pictures)).await)?;
        stored.ok_or_else(|| DbError::not_found("job", id).into())
    }

    /// What answers searches of an index.
    ///
    /// # Errors
    /// 404 `index_not_found`; 503 when the database is away.
    pub async fn index(&self, name: &Name) -> Result<Answering, ApiError> {
        let found = answered(self.indexes.call(name.to_string()).await)?;
        found.ok_or_else(|| ApiError::index_not_found(name))
    }

    /// The job of that id.
    ///
    /// # Errors
    /// 404 when there is none; 503 when the database is away.
    pub async fn job(&self, id: JobId) -> Result<Job, ApiError> {
        let found = answered(self.jobs.call(id).await)?;
        found.ok_or_else(|| DbError::not_found("job", id).into())
    }
}

fn answered<T>(answer: Option<Answer<T>>) -> Result<T, ApiError> {
    match answer {
        Some(answer) => Ok(answer?),
        None => Err(ApiError::new(Code::Internal, "requests that shared a statement broke off")),
    }
}

/// One transaction for all searches. When that is refused each is tried alone, so that none pays for another.
async fn enqueue_together(db: PgPool, searches: Vec<(NewJob, Pictures)>) -> Vec<Answer<Option<Job>>> {
    match try_enqueue(&db, &searches).await {
        Ok(stored) => in_order(searches.iter().map(|(job, _)| job.id), stored),
        Err(error) if searches.len() == 1 || error.is_transient() => refuse_all(searches.len(), error),
        Err(_) => {
            let mut answers = Vec::with_capacity(searches.len());
            for search in searches {
                let stored = try_enqueue(&db, &[search]).await;
                answers.push(stored.map(|stored| stored.into_iter().next()).map_err(Arc::new));
            }
            answers
        }
    }
}

/// Stores searches, and gives the jobs as they are then: whatever becomes of the database, they can be told.
async fn try_enqueue(db: &PgPool, searches: &[(NewJob, Pictures)]) -> Result<Vec<Job>, DbError> {
    let jobs: Vec<NewJob> = searches.iter().map(|(job, _)| job.clone()).collect();
    let mut tx = db::begin(db).await?;
    let pictures: Vec<NewPicture<'_>> =
        searches.iter().flat_map(|(job, pictures)| new_pictures(job.id, pictures)).collect();
    if !pictures.is_empty() {
        insert_pictures(&mut *tx, &pictures).await?;
    }
    let stored = enqueue(&mut tx, &jobs).await?;
    db::commit(tx).await?;
    Ok(stored)
}

/// The pictures of a search as they are stored.
pub fn new_pictures(job_id: JobId, pictures: &[(f32, Vec<u8>)]) -> Vec<NewPicture<'_>> {
    pictures
        .iter()
        .enumerate()
        .map(|(position, (weight, bytes))| NewPicture { job_id, position, weight: *weight, bytes })
        .collect()
}

async fn indexes_together(db: PgPool, names: Vec<String>) -> Vec<Answer<Option<Answering>>> {
    match list_answering(&db, &names).await {
        Ok(found) => {
            let of = |name: &String| Ok(found.iter().find(|index| index.name == *name).cloned());
            names.iter().map(of).collect()
        }
        Err(error) => refuse_all(names.len(), error),
    }
}

/// The job of each id.
fn in_order(ids: impl Iterator<Item = JobId>, jobs: Vec<Job>) -> Vec<Answer<Option<Job>>> {
    ids.map(|id| Ok(jobs.iter().find(|job| job.id == id).cloned())).collect()
}

async fn jobs_together(db: PgPool, ids: Vec<JobId>) -> Vec<Answer<Option<Job>>> {
    match find_jobs(&db, &ids).await {
        Ok(found) => in_order(ids.into_iter(), found),
        Err(error) => refuse_all(ids.len(), error),
    }
}

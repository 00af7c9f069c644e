//! The first stage: what is to be done with each object that is listed.

use std::collections::{HashMap, HashSet};

use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use lookalike_shared::db::gallery::{ManifestRow, find_manifest};
use lookalike_shared::db::items::find_failed;
use lookalike_shared::storage::StorageError;

use super::seen::Seen;
use super::{Target, Work};
use crate::runtime::context::{JobContext, JobError};

/// Objects that are looked up by one statement.
const CHUNK: usize = 1_000;
/// Statements under way at a time.
const AHEAD: usize = 2;

/// An object that has to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// The object.
    pub work: Work,
    /// What is stored of it, from before it changed.
    pub known: Option<ManifestRow>,
}

/// What is to be done with some objects.
#[derive(Debug, Default)]
pub struct Plan {
    /// Those to be read.
    pub todo: Vec<Todo>,
    /// How many have not changed.
    pub unchanged: u64,
}

/// Compares what is listed with the manifest, some thousand objects at a time.
pub fn plan(
    context: JobContext,
    target: Target,
    seen: std::sync::Arc<Seen>,
    objects: BoxStream<'static, Result<Work, StorageError>>,
) -> BoxStream<'static, Result<Plan, JobError>> {
    let chunks = objects.try_ready_chunks(CHUNK);
    let plans = chunks.map(move |works| {
        let (context, target, seen) = (context.clone(), target.clone(), seen.clone());
        async move { compare(&context, &target, &seen, works.map_err(|error| error.1)?).await }
    });
    plans.buffered(AHEAD).boxed()
}

async fn compare(
    context: &JobContext,
    target: &Target,
    seen: &Seen,
    works: Vec<Work>,
) -> Result<Plan, JobError> {
    let job = context.attempt.job_id;
    let uris: Vec<String> = works.iter().map(|work| work.uri.clone()).collect();
    let rows = find_manifest(context.db(), target.generation, &uris).await?;
    seen.add(&rows);
    let mut rows: HashMap<String, ManifestRow> = rows.into_iter().map(|row| (row.uri.clone(), row)).collect();
    // An earlier attempt may have counted some already: as failed, or as stored by this job.
    let failed: HashSet<String> = match context.attempt.fence {
        ..=1 => HashSet::new(),
        _ => find_failed(context.db(), job, &uris).await?.into_iter().collect(),
    };
    let mut plan = Plan::default();
    for work in works {
        seen.note(&work.uri, &work.object);
        let known = rows.remove(&work.uri);
        let counted = failed.contains(&work.uri) || known.as_ref().is_some_and(|row| row.written_by == job.0);
        if counted {
            continue;
        }
        let same = known.as_ref().is_some_and(|row| {
            row.etag == work.object.etag && u64::try_from(row.bytes) == Ok(work.object.size)
        });
        if same {
            plan.unchanged += 1;
        } else {
            plan.todo.push(Todo { work, known });
        }
    }
    Ok(plan)
}
